// What stands where the bookmark should be is none: damaged, no file at all, somebody else's, or of a version to come. The
// exporter never hangs on it, destroys nothing that somebody may want, says so, and counts.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { chmod, chown } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { build, until } from '../e2e/built.ts'
import { program, realServer } from '../real/servers/need.ts'
import {
  expectNoInternalError,
  folder,
  SOON_SECONDS,
  startExporter,
  untilMetrics,
  valueOf,
} from './exporter.ts'
import { PASSWORD_ENV, startWindowsHost } from './hosts.ts'
import { counted, FILE, kept, problems, receive, saidOfStorage, untilCounted } from './storage.ts'

beforeAll(build)

const FUTURE = JSON.stringify({ version: 2, counters: { as: ['nobody', 'knows', 'yet'] } })

describe('in place of the bookmark', () => {
  it.each<[string, (path: string) => void, string | undefined]>([
    ['random bytes', (path) => writeFileSync(path, randomBytes(4_096)), '.corrupt'],
    ['a part of one', (path) => writeFileSync(path, '{"version":1,"requests":[["0x0000'), '.corrupt'],
    ['an empty file', (path) => writeFileSync(path, ''), '.corrupt'],
    ['a directory', (path) => mkdirSync(join(path, 'of somebody'), { recursive: true }), '.corrupt'],
    [
      'a FIFO, which would keep a reader waiting for ever',
      (path) => void execFileSync(program('mkfifo'), [path]),
      '.corrupt',
    ],
    ['a link to itself', (path) => symlinkSync(path, path), '.corrupt'],
    ['a link to what is endless', (path) => symlinkSync('/dev/zero', path), '.corrupt'],
    ['a link to nothing', (path) => symlinkSync('/nowhere/at/all', path), undefined],
    ['one of a version to come', (path) => writeFileSync(path, FUTURE), '.unknown'],
  ])(
    '%s',
    async (_, put, suffix) => {
      const host = await startWindowsHost()
      const storagePath = await folder()
      const path = join(storagePath, FILE)
      put(path)
      receive(host, 3)
      const exporter = await startExporter(host.yaml, { storagePath, env: PASSWORD_ENV })
      const exposition = await untilCounted(exporter, 3)
      await until(SOON_SECONDS, 'they are kept', () => kept(storagePath) === 3 || undefined)
      expect(lstatSync(path).isFile()).toBe(true)
      const aside = suffix === undefined ? [] : [`${FILE}${suffix}`]
      expect(readdirSync(storagePath).toSorted()).toEqual([FILE, ...aside])
      expect(problems(exposition, 'unusable')).toBe(aside.length)
      expect(saidOfStorage(exporter)).toMatchObject(aside.map(() => ({ file: path })))
      if (suffix === '.unknown') expect(readFileSync(`${path}.unknown`, 'utf8')).toBe(FUTURE)
      expectNoInternalError(exporter)
    },
    60_000,
  )
})

/** Root without its right to what belongs to others. */
const WITHOUT_RIGHTS = ['--bounding-set', '-dac_override,-dac_read_search,-fowner']
const NOBODY = 65_534

describe('a storage of another user', () => {
  it('that may not be read is left alone: what is not known is not counted anew', async (context) => {
    realServer(context, ['root', 'setpriv'])
    const host = await startWindowsHost()
    const storagePath = join(await folder(), 'data')
    mkdirSync(storagePath, { mode: 0o700 })
    writeFileSync(join(storagePath, FILE), FUTURE)
    await chown(storagePath, NOBODY, NOBODY)
    receive(host, 3)
    const options = { storagePath, before: [program('setpriv'), ...WITHOUT_RIGHTS], env: PASSWORD_ENV }
    const exporter = await startExporter(host.yaml, options)
    const refused = (text: string): number =>
      valueOf(text, 'winkms_exporter_probes_total', { probe: 'activity', outcome: 'not_configured' }) ?? 0
    const exposition = await untilMetrics(exporter, 'it is said', (text) => refused(text) > 1)
    expect(counted(exposition)).toBe(0)
    expect(readFileSync(join(storagePath, FILE), 'utf8')).toBe(FUTURE)
    const said = exporter.log().filter(({ reason }) => reason === 'not_configured')
    expect(said).toMatchObject([{ detail: expect.stringContaining('EACCES') as string }])
    await chown(storagePath, 0, 0)
    await untilCounted(exporter, 3)
    expectNoInternalError(exporter)
  }, 60_000)

  it('that may be read and not written goes on in memory, and is said once', async (context) => {
    realServer(context, ['root', 'setpriv'])
    const host = await startWindowsHost()
    const storagePath = join(await folder(), 'data')
    mkdirSync(storagePath)
    await chmod(storagePath, 0o755)
    await chown(storagePath, NOBODY, NOBODY)
    receive(host, 3)
    const options = { storagePath, before: [program('setpriv'), ...WITHOUT_RIGHTS], env: PASSWORD_ENV }
    const exporter = await startExporter(host.yaml, options)
    await untilCounted(exporter, 3)
    await untilMetrics(exporter, 'it is tried again', (text) => problems(text, 'not_written') > 3)
    expect(saidOfStorage(exporter)).toMatchObject([{ detail: expect.stringMatching(/^EACCES/) as string }])
    expect(readdirSync(storagePath)).toEqual([])
    await chown(storagePath, 0, 0)
    await until(SOON_SECONDS, 'they are kept', () => kept(storagePath) === 3 || undefined)
    expectNoInternalError(exporter)
  }, 60_000)
})

it('two exporters in one directory count the same, each and both, and leave one whole file', async () => {
  const host = await startWindowsHost()
  const storagePath = join(await folder(), 'data')
  const options = { storagePath, env: PASSWORD_ENV }
  const exporters = await Promise.all([startExporter(host.yaml, options), startExporter(host.yaml, options)])
  let total = 0
  const seen = exporters.map(() => 0)
  for (let round = 0; round < 8; round += 1) {
    receive(host, round)
    total += round
    await pause(500)
    for (const [index, exporter] of exporters.entries()) {
      const now = counted(await exporter.metrics())
      expect(now).toBeGreaterThanOrEqual(seen[index] ?? 0)
      expect(now).toBeLessThanOrEqual(total)
      seen[index] = now
    }
  }
  for (const exporter of exporters) await untilCounted(exporter, total)
  await until(SOON_SECONDS, 'they are kept', () => kept(storagePath) === total || undefined)
  const [first, second] = exporters
  await first?.running.stop()
  if (second === undefined) throw new Error('there are two')
  receive(host, 1)
  const exposition = await untilCounted(second, total + 1)
  expect([problems(exposition, 'unusable'), problems(exposition, 'not_written')]).toEqual([0, 0])
  expect(existsSync(join(storagePath, `${FILE}.corrupt`))).toBe(false)
  expectNoInternalError(second)
}, 60_000)
