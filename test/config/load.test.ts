import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, it } from 'vitest'

import { exampleConfig } from '../../src/config/example.ts'
import { formatProblem, parseConfig, readConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'

const directory = mkdtempSync(join(tmpdir(), 'winkms-config-'))
afterAll(() => {
  rmSync(directory, { recursive: true })
})

const checkCron = () => undefined
const options = { file: join(directory, 'winkms.yml'), checkCron }

function load(text: string): Config {
  const { config, problems } = parseConfig(text, options)
  expect(problems).toEqual([])
  if (config === undefined) throw new Error('unreachable: no problems, no configuration')
  return config
}

function lines(text: string): readonly string[] {
  const { config, problems } = parseConfig(text, { ...options, file: 'winkms.yml' })
  expect(config).toBeUndefined()
  return problems.map(formatProblem)
}

const DEFAULTS: Config = {
  hosts: [],
  clients: [],
  credentials: {},
  probes: {
    port: { schedule: { kind: 'every', seconds: 15 }, timeout: 5 },
    srv: { schedule: { kind: 'every', seconds: 60 }, timeout: 5 },
    service: { schedule: { kind: 'every', seconds: 30 }, timeout: 10 },
    clock: {
      schedule: { kind: 'every', seconds: 60 },
      timeout: 5,
      sources: ['smb2', 'ntp', 'http', 'ntlm', 'cim'],
      ports: { smb2: 445, ntp: 123, http: 5985, ntlm: 5985 },
      references: [],
    },
    licensing: { schedule: { kind: 'every', seconds: 300 }, timeout: 20 },
    activity: { schedule: { kind: 'every', seconds: 60 }, timeout: 20, first_read: 30 * 86_400 },
    client: { schedule: { kind: 'every', seconds: 600 }, timeout: 20 },
  },
  limits: { concurrency: 1024, per_host: 4, discovered_hosts: 100 },
  discovery: { from_srv: true },
}

describe('nothing written', () => {
  for (const text of ['', '\n\n', '# only a comment\n', '---\n', '{}', '\uFEFF', 'hosts: []\n']) {
    it(`${JSON.stringify(text)} is the defaults`, () => {
      expect(load(text)).toStrictEqual(DEFAULTS)
    })
  }

  it('about domains differs from none: the former asks the search domains', () => {
    expect(load('').domains).toBeUndefined()
    expect(load('domains: []').domains).toEqual([])
  })
})

describe('a good file', () => {
  it('is what the example is', () => {
    const { hosts, domains, probes } = load(exampleConfig)
    expect(hosts.map(({ name, port }) => `${name}:${port}`)).toEqual([
      'kms01.corp.example:1688',
      'kms02.corp.example:1688',
    ])
    expect(hosts[1]?.probes).toEqual({ port: { schedule: { kind: 'every', seconds: 30 } } })
    expect(domains?.[0]?.expect?.map(({ target }) => target)).toEqual([
      'kms01.corp.example',
      'kms02.corp.example',
    ])
    expect(probes).toStrictEqual(DEFAULTS.probes)
  })

  it('begins, as the example does, with where its schema is', () => {
    expect(exampleConfig.split('\n')[0]).toBe('# yaml-language-server: $schema=./winkms.schema.json')
  })

  it('comes out in one form, however it is written', () => {
    const config = load(`
resolvers: [192.0.2.1, "192.0.2.2:5353", "[2001:DB8::1]:53"]
hosts:
  - name: KMS01.Corp.Example.
    connect_to: 2001:DB8:0::1
    addresses: [2001:DB8:0::2]
    probes: { clock: { ports: { ntp: 10123 }, references: ["127.0.0.1:10123"] }, service: { schedule: 0 */5 * * * * } }
domains:
  - name: Corp.Example
    expect: [Kms01.corp.example, { target: kms02.corp.example., port: 1689, priority: 0 }]
    unexpected: ignore
    probes: { srv: { timeout: 500ms } }
`)
    expect(config.resolvers).toEqual([
      { address: '192.0.2.1', port: 53 },
      { address: '192.0.2.2', port: 5353 },
      { address: '2001:db8::1', port: 53 },
    ])
    expect(config.hosts).toStrictEqual([
      {
        name: 'kms01.corp.example',
        port: 1688,
        connect_to: '2001:db8::1',
        addresses: ['2001:db8::2'],
        labels: {},
        probes: {
          clock: { ports: { ntp: 10123 }, references: [{ host: '127.0.0.1', port: 10123 }] },
          service: { schedule: { kind: 'cron', expression: '0 */5 * * * *' } },
        },
      },
    ])
    expect(config.domains).toStrictEqual([
      {
        name: 'corp.example',
        expect: [{ target: 'kms01.corp.example' }, { target: 'kms02.corp.example', port: 1689, priority: 0 }],
        unexpected: 'ignore',
        probes: { srv: { timeout: 0.5 } },
      },
    ])
  })

  it('names files relative to itself, which come out absolute', () => {
    writeFileSync(join(directory, 'reader.password'), 'hunter2\n')
    writeFileSync(join(directory, 'ca.pem'), '-----BEGIN CERTIFICATE-----\n')
    const config = load(`
hosts:
  - name: kms01.corp.example
    windows:
      via: windows_exporter
      url: https://kms01.corp.example:9182/metrics
      credentials: reader
      tls: { ca_file: ca.pem, server_name: kms01.corp.example }
credentials:
  reader: { auth: basic, username: 'CORP\\reader', password_file: reader.password }
`)
    expect(config.hosts[0]?.windows).toStrictEqual({
      via: 'windows_exporter',
      url: 'https://kms01.corp.example:9182/metrics',
      credentials: 'reader',
      tls: { ca_file: join(directory, 'ca.pem'), server_name: 'kms01.corp.example' },
    })
    expect(config.credentials['reader']).toStrictEqual({
      auth: 'basic',
      username: 'CORP\\reader',
      password_file: join(directory, 'reader.password'),
    })
  })

  it('may say a thing once, by an anchor', () => {
    const hosts = Array.from(
      { length: 500 },
      (_, index) => `  - { name: kms${index}.corp.example, probes: *slow }\n`,
    )
    const config = load(
      `hosts:\n  - { name: a.corp.example, probes: &slow { port: { schedule: 1m } } }\n${hosts.join('')}`,
    )
    expect(config.hosts[500]?.probes).toEqual({ port: { schedule: { kind: 'every', seconds: 60 } } })
  })

  it('has its cron expressions looked at by the scheduler, spaces put in order', () => {
    const seen: string[] = []
    const text = 'probes: { port: { schedule: "0  0 * * * *" }, srv: { schedule: 1m } }'
    parseConfig(text, { ...options, checkCron: (expression) => void seen.push(expression) })
    expect(seen).toEqual(['0 0 * * * *'])
  })
})

describe('text that is no YAML of ours', () => {
  for (const [fault, text, expected] of [
    [
      'an open bracket',
      'hosts: [\n',
      ['winkms.yml:2:1: YAML: is indented wrongly, or a bracket is not closed'],
    ],
    ['a tab', 'hosts:\n\t- name: x\n', ['winkms.yml:2:1: YAML: is indented with a tab; use spaces']],
    [
      'a key twice, the last of which counts',
      'limits: { per_host: 0 }\nhosts: []\nlimits: { per_host: 99 }\n',
      ['winkms.yml:3:1: limits: is given twice', 'winkms.yml:3:21: limits.per_host: must be 1 to 64, got 99'],
    ],
    [
      'a key twice, each with its mark',
      '? domains\n: []\n? domains\n: []\n',
      ['winkms.yml:3:3: domains: is given twice'],
    ],
    [
      'two documents',
      'hosts: []\n---\nhosts: []\n',
      ['winkms.yml:2:1: YAML: starts a second document; there can be only one'],
    ],
    [
      'an unknown alias',
      'hosts: [*x]\n',
      ['winkms.yml:1:9: hosts[0]: refers to an anchor that is not above it'],
    ],
    [
      'an alias of itself',
      'hosts: &x [*x]\n',
      ['winkms.yml:1:12: hosts[0]: refers to an anchor that it is part of'],
    ],
    ['a tag', 'hosts: !hunter2 []\n', ['winkms.yml:1:8: YAML: carries a tag; there are none in this file']],
    ['a tag of YAML 1.1', 'hosts: !!binary aGk=\n', 2],
    ['a key that is a list', '? [a]\n: b\n', ['winkms.yml:1:3: YAML: is a key that is not text']],
    ['a prototype', '__proto__: {}\n', 1],
    ['a prototype among labels', 'hosts: [{ name: a.b, labels: { __proto__: x } }]\n', 1],
    ['a prototype among credentials', 'credentials: { __proto__: {} }\n', 1],
    [
      'a merge key, even for YAML 1.1',
      '%YAML 1.1\n---\n<<: { hosts: [] }\n',
      [
        'winkms.yml:3:1: ["<<"]: is not a known key (hint: merge keys are not supported; an alias stands for a whole value)',
      ],
    ],
    [
      'a depth that would end the process',
      '['.repeat(20_000) + ']'.repeat(20_000),
      ['winkms.yml:1:34: nests more than 32 levels'],
    ],
    [
      'a depth without brackets',
      `hosts: \n${'- '.repeat(20_000)}`,
      ['winkms.yml:2:65: nests more than 32 levels'],
    ],
    [
      'a depth that a bracket ends which was never begun',
      `${'n: '.repeat(20_000)}}`,
      ['winkms.yml:1:100: nests more than 32 levels'],
    ],
    ['a depth that a line ends', `${'- '.repeat(20_000)}\na`, ['winkms.yml:1:67: nests more than 32 levels']],
  ] as const) {
    it(`${fault} is a problem with a place`, () => {
      const said = lines(text)
      if (typeof expected === 'number') expect(said).toHaveLength(expected)
      else expect(said).toEqual(expected)
    })
  }

  it('may not grow without bound by its aliases', () => {
    const levels = Array.from(
      { length: 9 },
      (_, n) => `  - &l${n + 1} [${Array(10).fill(`*l${n}`).join(', ')}]\n`,
    )
    expect(lines(`hosts:\n  - &l0 [a]\n${levels.join('')}`)).toEqual([
      'winkms.yml:1:1: holds more than 1000000 values',
    ])
  })

  it('is no quotation in a problem', () => {
    for (const text of [
      'a: "hunter2',
      'a: "\\hunter2"',
      '@hunter2',
      'a: b: hunter2',
      'a: *hunter2 x',
      '- }hunter2',
      '%hunter2',
    ]) {
      expect(lines(text).join('\n')).not.toContain('hunter2')
    }
  })

  it('counts lines that end as on Windows', () => {
    expect(lines('hosts: []\r\nlimits:\r\n  per_hots: 4\r\n')).toEqual([
      'winkms.yml:3:3: limits.per_hots: is not a known key (hint: did you mean "per_host"?)',
    ])
  })
})

describe('readConfig', () => {
  it('reads a file with a byte order mark', () => {
    const file = join(directory, 'bom.yml')
    writeFileSync(file, '\uFEFFlimits: { per_host: 2 }\n')
    expect(readConfig(file, { checkCron }).config?.limits.per_host).toBe(2)
  })

  it('says what is the matter with a file that cannot be read', () => {
    const large = join(directory, 'large.yml')
    writeFileSync(large, '#'.repeat(4 * 1024 * 1024 + 1))
    const utf16 = join(directory, 'utf16.yml')
    writeFileSync(utf16, Buffer.from('\uFEFFhosts: []\n', 'utf16le'))
    const folder = join(directory, 'folder.yml')
    mkdirSync(folder)
    const missing = join(directory, 'missing.yml')
    const said = [missing, `${large}/x`, folder, large, utf16, '/dev/zero', 'a\0b'].map((file) =>
      readConfig(file, { checkCron }).problems.map(formatProblem).join(),
    )
    expect(said).toEqual([
      `${missing}:1:1: does not exist`,
      `${large}/x:1:1: does not exist`,
      `${folder}:1:1: is a directory`,
      `${large}:1:1: is larger than 4096 KiB`,
      `${utf16}:1:1: is UTF-16 text (hint: save it as UTF-8; in Windows PowerShell by Set-Content -Encoding utf8, not by >)`,
      '/dev/zero:1:1: is not a regular file',
      'a\0b:1:1: cannot be read (ERR_INVALID_ARG_VALUE)',
    ])
  })
})
