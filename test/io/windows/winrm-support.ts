// A pool, a host and visits, for the tests of the WinRM client.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Credential } from '../../../src/config/schema.ts'
import type { WindowsAccess } from '../../../src/config/targets.ts'
// Loaded by the first who asks otherwise, within its deadline.
import '../../../src/io/http.ts'
import { systemClock } from '../../../src/io/clock.ts'
import type { Deadline } from '../../../src/io/deadline.ts'
import { createResolver } from '../../../src/io/dns.ts'
import { createUdpPool } from '../../../src/io/udp-pool.ts'
import { createWinrmPool, type WinrmPool } from '../../../src/io/windows/winrm.ts'
import type { WindowsHost, WindowsReader } from '../../../src/io/windows/windows.ts'
import { AMPLE_SECONDS, deadlineOf } from '../support.ts'

export type WinrmAccess = Extract<WindowsAccess, { via: 'winrm' }>

export const HOST: WindowsHost = { name: 'kms01.corp.example', resolvers: [] }

export const SERVICE = { from: 'Win32_Service', columns: ['Name', 'State'], where: "Name = 'sppsvc'" }
export const PRODUCTS = { from: 'SoftwareLicensingProduct', columns: ['ID', 'Description'] }

/** Closed when the test has ended. */
export function winrmPool({ idleSeconds }: { idleSeconds?: number } = {}): WinrmPool {
  const udp = createUdpPool()
  const pool = createWinrmPool(createResolver(udp, systemClock), systemClock, idleSeconds)
  onTestFinished(() => {
    pool.close()
    udp.close()
  })
  return pool
}

export interface PasswordFile {
  readonly credential: Credential
  change(password: string): Promise<void>
}

export async function basicCredential(password = 'right', username = 'reader'): Promise<PasswordFile> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-winrm-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'password')
  const change = (text: string): Promise<void> => writeFile(file, text, { mode: 0o600 })
  await change(password)
  return { credential: { auth: 'basic', username, password_file: file }, change }
}

export function accessTo(url: string, credential: Credential, rest: Partial<WinrmAccess> = {}): WinrmAccess {
  return { via: 'winrm', url, credential, tls: undefined, allowUnencrypted: true, registry: false, ...rest }
}

export interface Visit {
  readonly deadline: Deadline
  readonly stages: string[]
  enter(stage: string): void
}

export function visitOf(seconds = AMPLE_SECONDS): Visit {
  const stages: string[] = []
  return { deadline: deadlineOf(seconds), stages, enter: (stage) => void stages.push(stage) }
}

/** One visit's reader of the peer at `url`, with the right password. */
export async function readerOf(
  url: string,
  { seconds = AMPLE_SECONDS, rest = {} }: { seconds?: number; rest?: Partial<WinrmAccess> } = {},
): Promise<WindowsReader> {
  const { credential } = await basicCredential()
  return winrmPool().open(HOST, accessTo(url, credential, rest), visitOf(seconds))
}
