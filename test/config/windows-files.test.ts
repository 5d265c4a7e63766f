// Files as Windows' editors and shells leave them: carriage returns, UTF-8's mark, UTF-16, backslashes in names.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config/load.ts'
import { passwordOf } from '../../src/config/secrets.ts'
import { readWebConfig } from '../../src/config/web-config.ts'
import { makeSelfSigned } from '../real/servers/self-signed.ts'
import { realServer } from '../real/servers/need.ts'

const folder = mkdtempSync(join(tmpdir(), 'winkms-notepad-'))
const path = (name: string): string => join(folder, name)
const write = (name: string, text: string | Uint8Array): string => {
  writeFileSync(path(name), text)
  return path(name)
}
const problemsOf = (file: string): readonly string[] =>
  readConfig(file, { checkCron: () => undefined }).problems.map(({ line, column, key, message, hint }) =>
    [line, column, key, message, hint].join('|'),
  )

/** As Notepad saves "UTF-8 with BOM", and as Windows PowerShell 5.1 writes `-Encoding utf8` and `>`. */
const asUtf8 = (text: string): string => `\uFEFF${text.replaceAll('\n', '\r\n')}`
const asUtf16 = (text: string): Buffer => Buffer.from(asUtf8(text), 'utf16le')

afterAll(() => rmSync(folder, { recursive: true }))

const CONFIG = `hosts:
  - name: kms01.corp.example
    labels:
      site: >
        Berlin
        Mitte
    windows: { via: winrm, credentials: reader }
credentials:
  reader: { auth: ntlm, username: 'CORP\\svc-kms', password_file: reader.txt }
`

describe('a configuration', () => {
  beforeAll(() => void write('reader.txt', asUtf8('pässword\n')))

  it('is the same with carriage returns and a mark', () => {
    const own = readConfig(write('own.yml', CONFIG), { checkCron: () => undefined })
    const notepads = readConfig(write('notepad.yml', asUtf8(CONFIG)), { checkCron: () => undefined })
    expect(own.problems).toEqual([])
    expect(notepads).toEqual(own)
    expect(own.config?.credentials['reader']?.username).toBe(String.raw`CORP\svc-kms`)
  })

  it('has its problems in the same place', () => {
    const wrong = CONFIG.replace('ntlm', 'ntlmm').replace('site:', 'sité:')
    expect(problemsOf(write('notepad.yml', asUtf8(wrong)))).toEqual(problemsOf(write('own.yml', wrong)))
    expect(problemsOf(path('own.yml'))).not.toEqual([])
  })

  it('in UTF-16 is called that, big end first or last', () => {
    const said =
      '1|1||is UTF-16 text|save it as UTF-8; in Windows PowerShell by Set-Content -Encoding utf8, not by >'
    expect(problemsOf(write('utf16.yml', asUtf16(CONFIG)))).toEqual([said])
    expect(problemsOf(write('utf16.yml', asUtf16(CONFIG).swap16()))).toEqual([said])
    expect(readWebConfig(path('utf16.yml')).problems.map(({ message }) => message)).toEqual([
      'is UTF-16 text',
    ])
  })

  it('with a password in UTF-16 says so, and where', () => {
    write('reader.txt', asUtf16('password\n'))
    const [problem] = problemsOf(write('own.yml', CONFIG))
    expect(problem).toMatch(
      /\|credentials\.reader\.password_file\|names a file that is UTF-16 text\|save it as UTF-8;/,
    )
    expect(() => passwordOf({ password_file: path('reader.txt') }).reveal()).toThrow(/is UTF-16 text$/)
  })

  it('with a Windows path in double quotes is told about single ones', () => {
    const quoted = CONFIG.replace('reader.txt', String.raw`"C:\ProgramData\reader.txt"`)
    expect(problemsOf(write('own.yml', quoted)).join()).toContain(
      'names a file that does not exist|in double quotes \\r, \\n, \\t, \\P and others are escapes: use single quotes',
    )
    const noEscape = quoted.replace('ProgramData', 'data')
    expect(problemsOf(write('own.yml', noEscape)).join()).toContain(
      'in single quotes a backslash stands for itself',
    )
  })
})

describe('a certificate and its key', () => {
  it('are found behind a mark, and with carriage returns', async (context) => {
    realServer(context, ['openssl'])
    const { certificateFile, keyFile } = await makeSelfSigned(folder, 'plain')
    for (const [name, file] of [
      ['server.crt', certificateFile],
      ['server.key', keyFile],
    ] as const)
      write(name, asUtf8(readFileSync(file, 'latin1')))
    const web = readWebConfig(
      write('web.yml', asUtf8('tls_server_config: { cert_file: server.crt, key_file: server.key }\n')),
    )
    expect(web.problems).toEqual([])
    expect(web.config?.tls?.certificates).toMatch(/^-----BEGIN CERTIFICATE-----/)
    const logon = 'auth: certificate, certificate_file: server.crt, key_file: server.key'
    expect(problemsOf(write('own.yml', `credentials: { a: { ${logon} } }\n`))).toEqual([])
  })
})
