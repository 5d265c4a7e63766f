// The disk under the bookmarks is full, read only, or gone: counting goes on in memory, which is said once and shown by a
// metric; what was kept stays as it is; and what was counted is kept as soon as it can be, though nothing new happens.
import { readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { build, until } from '../e2e/built.ts'
import { realServer } from '../real/servers/need.ts'
import { expectNoInternalError, folder, SOON_SECONDS, startExporter, untilMetrics } from './exporter.ts'
import { PASSWORD_ENV, startWindowsHost } from './hosts.ts'
import {
  FILE,
  kept,
  ownFileSystem,
  problems,
  receive,
  saidOfStorage,
  seenBy,
  untilCounted,
  within,
} from './storage.ts'

beforeAll(build)

const untilKept = (directory: string, requests: number): Promise<true> =>
  until(SOON_SECONDS, `${requests} requests are kept`, () => kept(directory) === requests || undefined)

describe.each([
  // dd complains when there is no more room, which is what is wanted.
  ['full', 'dd if=/dev/zero of="$1/fill" bs=1k; true', 'rm "$1/fill"', /^ENOSPC/],
  ['read only', 'mount -o remount,ro "$1"', 'mount -o remount,rw "$1"', /^EROFS/],
])('a disk that is %s', (_, spoil, mend, detail) => {
  it('costs nothing but memory until it is mended', async (context) => {
    realServer(context, ['namespaces', 'nsenter', 'unshare'])
    const host = await startWindowsHost()
    const storagePath = await folder()
    const options = { storagePath, before: ownFileSystem(storagePath), env: PASSWORD_ENV }
    const exporter = await startExporter(host.yaml, options)
    const directory = seenBy(exporter, storagePath)
    receive(host, 3)
    await untilCounted(exporter, 3)
    await untilKept(directory, 3)

    within(exporter, storagePath, spoil)
    receive(host, 2)
    await untilCounted(exporter, 5)
    receive(host, 1)
    await untilCounted(exporter, 6)
    await untilMetrics(exporter, 'each attempt is counted', (text) => problems(text, 'not_written') > 3)
    expect(saidOfStorage(exporter)).toMatchObject([
      { file: join(storagePath, FILE), detail: expect.stringMatching(detail) as string },
    ])
    expect(kept(directory)).toBe(3)

    within(exporter, storagePath, mend)
    await untilKept(directory, 6)
    expect(readdirSync(directory)).toEqual([FILE])
    receive(host, 1)
    await untilCounted(exporter, 7)
    await untilKept(directory, 7)
    expect(saidOfStorage(exporter)).toHaveLength(1)
    expectNoInternalError(exporter)
  }, 120_000)
})

it('a directory that is taken away is made again, and that counting begins anew is said', async () => {
  const host = await startWindowsHost()
  const storagePath = join(await folder(), 'data')
  const exporter = await startExporter(host.yaml, { storagePath, env: PASSWORD_ENV })
  receive(host, 3)
  await untilCounted(exporter, 3)
  await untilKept(storagePath, 3)
  await rm(storagePath, { recursive: true })
  await untilMetrics(exporter, 'it is noticed', (text) => problems(text, 'unusable') === 1)
  receive(host, 1)
  // The log still has all of them.
  await untilCounted(exporter, 4)
  await untilKept(storagePath, 4)
  expect(saidOfStorage(exporter)).toMatchObject([{ detail: 'it was there, and is gone' }])
  expectNoInternalError(exporter)
}, 120_000)
