import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { passwordOf } from '../../src/config/secrets.ts'
import { ProbeFailure } from '../../src/model/failure.ts'

let directory = ''
let file = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'winkms-secret-'))
  file = join(directory, 'reader.password')
})
afterEach(() => {
  rmSync(directory, { recursive: true })
  vi.unstubAllEnvs()
})

describe('a password in a file', () => {
  for (const [text, password] of [
    ['hunter2', 'hunter2'],
    ['hunter2\n', 'hunter2'],
    ['hunter2\r\n', 'hunter2'],
    ['hunter2\n\n', 'hunter2\n'],
    [' hunter2 ', ' hunter2 '],
    ['\uFEFFpässword\n', 'pässword'],
  ] as const) {
    it(`of ${JSON.stringify(text)} is ${JSON.stringify(password)}`, () => {
      writeFileSync(file, text)
      expect(passwordOf({ password_file: file }).reveal()).toBe(password)
    })
  }

  it('is read when it is used, not before, and again once the file has changed', () => {
    const secret = passwordOf({ password_file: file })
    writeFileSync(file, 'first')
    expect(secret.reveal()).toBe('first')
    writeFileSync(file, 'other')
    utimesSync(file, 1, 1)
    expect(secret.reveal()).toBe('other')
    writeFileSync(file, 'longer than before')
    expect(secret.reveal()).toBe('longer than before')
  })

  it('is not read again while neither its time nor its size changes', () => {
    const secret = passwordOf({ password_file: file })
    writeFileSync(file, 'first')
    utimesSync(file, 1, 1)
    expect(secret.reveal()).toBe('first')
    writeFileSync(file, 'other')
    utimesSync(file, 1, 1)
    expect(secret.reveal()).toBe('first')
  })

  it('that has gone, or is empty, is a failure with a reason, and no old password', () => {
    const secret = passwordOf({ password_file: file })
    writeFileSync(file, 'hunter2')
    secret.reveal()
    rmSync(file)
    expect(() => secret.reveal()).toThrow(
      new ProbeFailure('not_configured', 'password_file names a file that does not exist'),
    )
    writeFileSync(file, '\n')
    expect(() => secret.reveal()).toThrow(/^password_file names a file that is empty$/)
    expect(() => passwordOf({ password_file: directory }).reveal()).toThrow(/is a directory$/)
  })
})

describe('a password in the environment', () => {
  it('is asked for at each use', () => {
    const secret = passwordOf({ password_env: 'WINKMS_TEST_PASSWORD' })
    expect(() => secret.reveal()).toThrow(
      new ProbeFailure('not_configured', 'password_env names an environment variable that is not set'),
    )
    vi.stubEnv('WINKMS_TEST_PASSWORD', 'hunter2')
    expect(secret.reveal()).toBe('hunter2')
    vi.stubEnv('WINKMS_TEST_PASSWORD', 'hunter3')
    expect(secret.reveal()).toBe('hunter3')
    vi.stubEnv('WINKMS_TEST_PASSWORD', '')
    expect(() => secret.reveal()).toThrow(/is empty$/)
  })

  it('does not print', () => {
    vi.stubEnv('WINKMS_TEST_PASSWORD', 'hunter2')
    const secret = passwordOf({ password_env: 'WINKMS_TEST_PASSWORD' })
    secret.reveal()
    expect(
      `${String(secret)} ${JSON.stringify({ secret })} ${inspect(secret, { showHidden: true })}`,
    ).not.toContain('hunter2')
  })
})
