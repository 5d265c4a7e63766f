// docs/upgrading.md: going back to an older version and forward again, with the files under --storage.path. There is one
// version of the exporter here; the other is played by the number in the file.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { get, samplesOf, until } from '../e2e/built.ts'
import { freePort } from '../real/servers/ports.ts'
import { lacks, makeStage, stepsOf, type Stage } from './stage.ts'

const PATIENCE_SECONDS = 30
const HOST = 'kms01.corp.example'
const FILE = `activity-${HOST}.json`
const STEPS = stepsOf('docs/upgrading.md')

let stage: Stage
beforeAll(async () => {
  stage = await makeStage()
  const demo = stage.begin('node dist/main.js demo --demo.write-config=demo.yml')
  await until(
    PATIENCE_SECONDS,
    () => `the demo runs\n${demo.output()}`,
    async () => get(stage.here('http://127.0.0.1:11688/')),
  )
})
afterAll(() => stage.leave())

/** Runs until the log of the host has been read; gives what was counted from it, and what was said. */
async function serve(): Promise<{ readonly counted: number; readonly output: string }> {
  const port = await freePort()
  const running = stage.begin(
    `node dist/main.js --config.file=demo.yml --storage.path=data --web.listen-address=127.0.0.1:${port}`,
  )
  const counted = await until(
    PATIENCE_SECONDS,
    () => `its log is read\n${running.output()}`,
    async () => {
      const metrics = (await get(`http://127.0.0.1:${port}/metrics`))?.body ?? ''
      const own = (name: string) => samplesOf(metrics, name).filter(({ labels }) => labels['host'] === HOST)
      if (own('winkms_event_log_caught_up')[0]?.value !== 1) return undefined
      return own('winkms_activation_requests_total').reduce((sum, { value }) => sum + value, 0)
    },
  )
  await running.interrupt()
  return { counted, output: running.output() }
}

const fileOf = (name: string): string => join(stage.folder, 'data', name)
const SAYS = 'a file of the storage cannot be used: counters of its host begin anew'
const NEWER = 99

async function setVersion(name: string, version: number): Promise<number> {
  const state = JSON.parse(await readFile(fileOf(name), 'utf8')) as { version: number }
  await writeFile(fileOf(name), JSON.stringify({ ...state, version }))
  return state.version
}

it('a file of a newer version is put aside whole, and may come back', async () => {
  const before = await serve()
  expect(before.counted).toBeGreaterThan(0)
  expect(before.output).not.toContain(SAYS)
  const own = await setVersion(FILE, NEWER)
  const written = await readFile(fileOf(FILE), 'utf8')

  const older = await serve()
  expect(older.output).toContain(SAYS)
  expect(older.counted).toBeGreaterThan(0)
  expect(await readFile(fileOf(`${FILE}.unknown`), 'utf8')).toBe(written)
  const [shown] = STEPS.filter(({ kind }) => kind === 'shown')
  const { output } = await stage.run(shown?.name ?? '')
  expect(lacks(shown?.text ?? '', output)).toEqual([])

  // Forward again, by the command of the page.
  await setVersion(`${FILE}.unknown`, own)
  const [command] = STEPS.filter(({ kind }) => kind === 'command')
  expect(await stage.run(command?.name ?? '')).toEqual({ ending: 0, output: '' })
  expect((await readdir(join(stage.folder, 'data'))).filter((name) => name.endsWith('.unknown'))).toEqual([])
  const newer = await serve()
  expect(newer.output).not.toContain(SAYS)
  expect(newer.counted).toBeGreaterThanOrEqual(before.counted)
}, 120_000)
