import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'

import { exampleConfig } from '../../src/config/example.ts'
import { parseConfig } from '../../src/config/load.ts'
import { renderConfig } from '../../src/config/mask.ts'
import type { Config } from '../../src/config/schema.ts'
import { estates, stubEstatePassword } from './estate.ts'

const directory = mkdtempSync(join(tmpdir(), 'winkms-mask-'))
beforeAll(() => {
  stubEstatePassword('CanaryValue')
})
afterAll(() => {
  rmSync(directory, { recursive: true })
  vi.unstubAllEnvs()
})
const options = { file: join(directory, 'winkms.yml'), checkCron: () => undefined }

function load(text: string): Config {
  const { config, problems } = parseConfig(text, options)
  if (config === undefined) throw new Error(JSON.stringify(problems))
  return config
}

describe('the rendered configuration', () => {
  it('has every default, in the words of the file', () => {
    expect(
      renderConfig(
        load('probes: { port: { schedule: 90s, timeout: 500ms }, srv: { schedule: 0 0 * * * * } }'),
      ),
    ).toBe(
      `hosts: []
clients: []
credentials: {}
probes:
  port:
    schedule: 1m30s
    timeout: 500ms
  srv:
    schedule: 0 0 * * * *
    timeout: 5s
  service:
    schedule: 30s
    timeout: 10s
  clock:
    schedule: 1m
    timeout: 5s
    sources:
      - smb2
      - ntp
      - http
      - ntlm
      - cim
    ports:
      smb2: 445
      ntp: 123
      http: 5985
      ntlm: 5985
    references: []
  licensing:
    schedule: 5m
    timeout: 20s
  activity:
    schedule: 1m
    timeout: 20s
    first_read: 30d
  client:
    schedule: 10m
    timeout: 20s
limits:
  concurrency: 1024
  per_host: 4
  discovered_hosts: 100
discovery:
  from_srv: true
`,
    )
  })

  it('loads as the same configuration, and renders as the same text', () => {
    fc.assert(
      fc.property(estates, (estate) => {
        const config = load(stringify(estate))
        const rendered = renderConfig(config)
        expect(load(rendered)).toStrictEqual(config)
        expect(renderConfig(load(rendered))).toBe(rendered)
      }),
      { numRuns: 150 },
    )
  })

  it('does not depend on the order of the keys in the file', () => {
    expect(
      renderConfig(load('limits: { per_host: 2, concurrency: 9 }\nhosts: [{ port: 1, name: a.b }]')),
    ).toBe(renderConfig(load('hosts: [{ name: a.b, port: 1 }]\nlimits: { concurrency: 9, per_host: 2 }')))
  })

  it('says where a password comes from and not what it is', () => {
    writeFileSync(join(directory, 'reader.password'), 'CanaryValue\n')
    const text = `
hosts: [{ name: a.b, windows: { via: windows_exporter, url: 'https://a.b/metrics', credentials: reader } }]
credentials: { reader: { password_file: reader.password, username: kms-reader, auth: basic } }
`
    const rendered = renderConfig(load(text))
    expect(rendered).toContain(`  reader:
    auth: basic
    username: kms-reader
    password_file: ${join(directory, 'reader.password')}
`)
    expect(rendered).not.toContain('CanaryValue')
  })

  it('masks what a URL carries, though none that carries it was loaded', () => {
    const config = load(exampleConfig)
    for (const url of [
      'https://user:CanaryValue@a.b/m',
      'http://CanaryValue@a.b',
      'http://u:x@CanaryValue@a.b/',
      'CanaryValue',
    ]) {
      const hosts = [{ name: 'a.b', port: 1, labels: {}, windows: { via: 'windows_exporter' as const, url } }]
      const rendered = renderConfig({ ...config, hosts })
      expect(rendered).toContain('<secret>')
      expect(rendered).not.toContain('CanaryValue')
    }
  })
})
