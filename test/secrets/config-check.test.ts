// A password where none belongs, in every mistake that YAML and the schema allow: what is said of it is never it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfiguration, problemsText } from '../../src/commands/configuration.ts'
import { build, run } from '../e2e/built.ts'
import { expectNone } from './canary.ts'

/** Fit to stand in YAML without quotes. */
const PASSWORD = 'Kanarienvogel-7f3a'
const HASH = '$2y$10$KanarienvogelKanarienvogelKanarienvogelKanarienvogel7f3a'

const HOST = (windows: string): string => `hosts: [{ name: a.b, windows: ${windows} }]`

const MISTAKES: Readonly<Record<string, string>> = {
  'under a key of its own': `credentials: { a: { auth: basic, username: b, password: ${PASSWORD} } }`,
  'under a key that is misspelt': `credentials: { a: { auth: basic, username: b, passwrod_file: ${PASSWORD} } }`,
  'under a key without a hint of it': `credentials: { a: { auth: basic, username: b, token: ${PASSWORD}, pwd: ${PASSWORD} } }`,
  'for a whole entry': `credentials: { a: ${PASSWORD} }`,
  'for all entries': `credentials: ${PASSWORD}`,
  'in a list': `credentials: { a: [basic, b, ${PASSWORD}] }`,
  'as a number': 'credentials: { a: { auth: basic, username: b, password: 7000000000000000073 } }',
  'as the name of an entry': `credentials: { "${PASSWORD}!": { auth: basic, username: b } }`,
  'in the place of a file': `credentials: { a: { auth: ntlm, username: b, password_file: ${PASSWORD} } }`,
  'in the place of a variable': `credentials: { a: { auth: ntlm, username: b, password_env: ${PASSWORD} } }`,
  'in the place of a keytab': `credentials: { a: { auth: kerberos, username: b, keytab_file: ${PASSWORD} } }`,
  'in a file that is not text': 'credentials: { a: { auth: ntlm, username: b, password_file: PASSWORDS } }',
  'in the place of a key': `credentials: { a: { auth: certificate, certificate_file: PASSWORDS, key_file: PASSWORDS } }`,
  'in the place of a way to log on': `credentials: { a: { auth: "basic ${PASSWORD}", username: b } }`,
  'glued to its key': `credentials:\n  a:\n    auth: basic\n    password:${PASSWORD}\n`,
  'folded into the name': `credentials:\n  a:\n    username: b\n      password:${PASSWORD}\n`,
  'behind a tab': `credentials:\n  a:\n\tpassword: ${PASSWORD}\n`,
  'in quotes that do not close': `credentials:\n  a: { password: "${PASSWORD}\n`,
  'in a flow that does not close': `credentials: { a: { password: ${PASSWORD}\n`,
  twice: `credentials:\n  a: { password: ${PASSWORD}, password: ${PASSWORD} }\n`,
  'with an escape that there is not': `credentials:\n  a: { password: "\\q${PASSWORD}" }\n`,
  'with an at sign in front': `credentials:\n  a: { password: @${PASSWORD} }\n`,
  'with a percent sign in front': `%${PASSWORD}\n---\ncredentials: {}\n`,
  'as an alias': `credentials:\n  a: { password: *${PASSWORD} }\n`,
  'as a tag': `credentials:\n  a: { password: !${PASSWORD} x }\n`,
  'as an anchor': `credentials:\n  a: &${PASSWORD} { password: x }\n  b: *${PASSWORD}\n`,
  'in a block': `credentials:\n  a:\n    password: |9\n      ${PASSWORD}\n`,
  'in binary': `credentials:\n  a: { password: !!binary ${Buffer.from(PASSWORD).toString('base64')} }\n`,
  'in a second document': `hosts: []\n---\npassword: ${PASSWORD}\n`,
  'at the top': `password: ${PASSWORD}\n`,
  'as all that there is': `${PASSWORD}\n`,
  'in a host': `hosts: [{ name: a.b, password: ${PASSWORD} }]`,
  'in a URL': HOST(`{ via: windows_exporter, url: 'http://u:${PASSWORD}@a.b:9182/metrics' }`),
  'in a URL that is none': HOST(`{ via: windows_exporter, url: 'http//u:${PASSWORD}@a.b:9182/metrics' }`),
  "in WinRM's URL": HOST(`{ via: winrm, credentials: a, url: 'https://u:${PASSWORD}@a.b:5986/wsman' }`),
  'in the name of a host': `hosts: [{ name: 'u:${PASSWORD}@a.b' }]`,
  'in an endpoint': `resolvers: ['u:${PASSWORD}@192.0.2.1']`,
  'in what trusts': HOST(
    `{ via: windows_exporter, url: 'https://a.b/metrics', tls: { ca_file: ${PASSWORD} } }`,
  ),
  'as a hash, where web.config.file has them': `basic_auth_users: { scraper: ${HASH} }\n`,
}

const SECRETS = [PASSWORD, HASH, '7000000000000000073']

async function written(yaml: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-secrets-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'PASSWORDS'), Buffer.from(`${PASSWORD}\xff\xfe`, 'latin1'))
  const file = join(folder, 'winkms.yml')
  await writeFile(file, yaml)
  return file
}

describe('what is wrong with a configuration is said without the password', () => {
  it.each(Object.entries(MISTAKES))('%s', async (_what, yaml) => {
    const file = await written(yaml)
    const loaded = loadConfiguration(file)
    expect(loaded.config).toBeUndefined()
    const text = problemsText(loaded)
    expect(text).toContain(file)
    expectNone('the problems', text, SECRETS)
  })

  it('by the commands, too', async () => {
    await build()
    // The file that --config.file names is easily the wrong one.
    const file = await written(PASSWORD)
    for (const args of [
      ['config', 'check', file],
      [`--config.file=${file}`, '--log.level=debug'],
      ['diagnose', 'a.b', `--config.file=${file}`],
    ]) {
      const { ending, out, err } = await run(args)
      expect(ending).toBeGreaterThan(0)
      expect(err).toContain(file)
      expectNone(args.join(' '), out + err, SECRETS)
    }
  })
})
