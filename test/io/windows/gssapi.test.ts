// What a machine without Kerberos says. With it: test/real/logon-kerberos.test.ts.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const { platform } = process

function pretend(value: NodeJS.Platform): void {
  Object.defineProperty(process, 'platform', { value })
}

beforeEach(() => {
  vi.resetModules()
  pretend('linux')
})

afterEach(() => {
  vi.doUnmock('koffi')
  pretend(platform)
})

async function attempt(): Promise<unknown> {
  const { startContext } = await import('../../../src/io/windows/logon/gssapi.ts')
  return startContext({ store: {} }, 'HTTP@localhost', undefined).catch((error: unknown) => error)
}

describe('kerberos is not configured', () => {
  it('where koffi is not installed', async () => {
    vi.doMock('koffi', () => {
      throw new Error("Cannot find package 'koffi'")
    })
    expect(await attempt()).toMatchObject({
      reason: 'not_configured',
      message: expect.stringMatching(/optional package koffi .* libgssapi_krb5\.so\.2/) as string,
    })
  })

  it('where the system’s library is not installed, until it is', async () => {
    const load = vi.fn<() => never>(() => {
      throw new Error('Failed to load shared library')
    })
    vi.doMock('koffi', () => ({ default: { load } }))
    const { startContext } = await import('../../../src/io/windows/logon/gssapi.ts')
    for (const times of [1, 2]) {
      const failed = startContext({ store: {} }, 'HTTP@localhost', undefined)
      await expect(failed).rejects.toMatchObject({ reason: 'not_configured' })
      expect(load).toHaveBeenCalledTimes(times)
    }
  })

  it('on Windows, and says what to use instead', async () => {
    pretend('win32')
    expect(await attempt()).toMatchObject({
      reason: 'not_configured',
      message: expect.stringMatching(/use ntlm/) as string,
    })
  })
})
