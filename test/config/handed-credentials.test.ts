// Files that systemd hands to the service: named by ${CREDENTIALS_DIRECTORY}, which only it has.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { located } from '../../src/config/files.ts'
import { formatProblem, parseConfig } from '../../src/config/load.ts'

const YAML = `credentials:
  reader:
    auth: ntlm
    username: CORP\\svc
    password_file: \${CREDENTIALS_DIRECTORY}/reader.password
`

let handed: string
beforeEach(() => {
  handed = mkdtempSync(join(tmpdir(), 'winkms-handed-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(handed, { recursive: true })
})

const load = () => parseConfig(YAML, { file: '/etc/winkms-exporter/winkms.yml', checkCron: () => undefined })

it('are found where systemd put them', () => {
  vi.stubEnv('CREDENTIALS_DIRECTORY', handed)
  writeFileSync(join(handed, 'reader.password'), 'hunter2\n')
  expect(load().config?.credentials['reader']?.password_file).toBe(join(handed, 'reader.password'))
})

it.each([
  ['that were not handed over', () => handed],
  ['in a process that is not the service', () => undefined],
])('%s are told apart from a file that is missing', (_what, directory) => {
  vi.stubEnv('CREDENTIALS_DIRECTORY', directory())
  expect(load().problems.map(formatProblem)).toEqual([
    '/etc/winkms-exporter/winkms.yml:5:20: credentials.reader.password_file: names a file that does not exist ' +
      '(hint: LoadCredential= of its unit hands it to the service, and to no other process)',
  ])
})

it('are the only names in which anything is replaced', () => {
  vi.stubEnv('CREDENTIALS_DIRECTORY', handed)
  for (const name of ['$CREDENTIALS_DIRECTORY/a', 'x/${CREDENTIALS_DIRECTORY}/a', '${HOME}/a'])
    expect(located('/etc/kms', name)).toBe(`/etc/kms/${name}`)
  expect(located('/etc/kms', '/run/a')).toBe('/run/a')
})
