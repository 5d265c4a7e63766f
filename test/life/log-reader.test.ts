// Whoever reads the log hangs, goes away, comes back, or has a disk that is full: the exporter goes on, in bounded memory,
// and says afterwards how much is missing.
import { program } from '../real/servers/need.ts'
import { execFileSync, spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { build, get, MAIN, samplesOf, until } from '../e2e/built.ts'
import { freePort } from '../real/servers/ports.ts'
import { folderOf, metrics, SOON_SECONDS } from './exporter.ts'

const HOSTS = 400
const LOST = 'winkms_exporter_log_lines_lost_total'

beforeAll(build)

interface Talkative {
  readonly child: ChildProcess
  readonly url: string
}

/** Hundreds of lines a second, of 2 kB: every host refuses, and what it is called is long. */
async function talkative(stdio: StdioOptions): Promise<Talkative> {
  const folder = await folderOf()
  const port = await freePort()
  const long = Array.from({ length: 3 }, () => 'x'.repeat(60)).join('.')
  const hosts = Array.from(
    { length: HOSTS },
    (_, at) => `  - { name: k${at}.${long}, connect_to: 127.0.0.1, port: 1 }\n`,
  )
  const configFile = join(folder, 'winkms.yml')
  await writeFile(
    configFile,
    `domains: []\nprobes: { port: { schedule: 1s, timeout: 1s }, clock: { schedule: 1s, timeout: 1s, sources: [http] } }\nhosts:\n${hosts.join('')}`,
  )
  const args = [
    MAIN,
    `--config.file=${configFile}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=debug',
  ]
  const child = spawn(process.execPath, args, { stdio, cwd: folder, env: { PATH: process.env['PATH'] } })
  onTestFinished(() => void child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  await until(SOON_SECONDS, 'it is ready', async () =>
    (await get(`${url}/-/ready`))?.status === 200 ? true : undefined,
  )
  return { child, url }
}

const lost = async (of: Talkative): Promise<number> =>
  samplesOf(await metrics(of), LOST)[0]?.value ?? Number.NaN

async function losesLines(of: Talkative): Promise<void> {
  await until(60, 'lines are lost', async () => ((await lost(of)) > 100 ? true : undefined))
  expect((await get(`${of.url}/-/healthy`))?.status).toBe(200)
}

async function endsWell({ child }: Talkative): Promise<void> {
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)))
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
}

describe('the log of the exporter', () => {
  it('is not waited for while nobody reads the pipe, and says what is missing once somebody does', async () => {
    const exporter = await talkative(['ignore', 'ignore', 'pipe'])
    const { stderr } = exporter.child
    stderr?.pause()
    await losesLines(exporter)
    let text = ''
    stderr
      ?.setEncoding('utf8')
      .on('data', (piece: string) => (text += piece))
      .resume()
    await until(SOON_SECONDS, 'it says so', () => text.includes('log lines were lost') || undefined)
    const [line = ''] = /^.*log lines were lost.*$/m.exec(text) ?? []
    expect(line).toMatch(/^level=warn time=\S+ lines=\d+ msg="log lines were lost: nobody read them"$/)
    // Every line is whole.
    expect(
      text
        .split('\n')
        .slice(0, -1)
        .filter((each) => !each.startsWith('level=')),
    ).toEqual([])
    await endsWell(exporter)
  }, 120_000)

  it('ends in time, too, while nobody reads it', async () => {
    const exporter = await talkative(['ignore', 'ignore', 'pipe'])
    exporter.child.stderr?.pause()
    await losesLines(exporter)
    await endsWell(exporter)
  }, 120_000)

  it('goes on without its reader', async () => {
    const exporter = await talkative(['ignore', 'pipe', 'pipe'])
    exporter.child.stdout?.destroy()
    exporter.child.stderr?.destroy()
    await losesLines(exporter)
    await endsWell(exporter)
  }, 60_000)

  it('goes on when its reader is replaced', async () => {
    const fifo = join(await folderOf(), 'log')
    execFileSync(program('mkfifo'), [fifo])
    const flags = constants.O_RDONLY | constants.O_NONBLOCK
    let reader = openSync(fifo, flags)
    const writer = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
    const exporter = await talkative(['ignore', 'ignore', writer])
    closeSync(writer)
    closeSync(reader)
    await losesLines(exporter)
    reader = openSync(fifo, flags)
    onTestFinished(() => closeSync(reader))
    const buffer = Buffer.alloc(65_536)
    let text = ''
    await until(SOON_SECONDS, 'it writes again', () => {
      try {
        text += buffer.toString('utf8', 0, readSync(reader, buffer))
      } catch {
        // Nothing there yet.
      }
      return /lines=\d+ msg="log lines were lost/.test(text) || undefined
    })
    await endsWell(exporter)
  }, 60_000)

  it('goes on when the disk is full', async () => {
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => closeSync(full))
    const exporter = await talkative(['ignore', full, full])
    await losesLines(exporter)
    await endsWell(exporter)
  }, 60_000)

  it('goes on without stdout and stderr', async () => {
    const shell = `exec "$0" "$@" >&- 2>&-`
    const port = await freePort()
    const folder = await folderOf()
    const configFile = join(folder, 'winkms.yml')
    await writeFile(configFile, 'domains: []\n')
    const flags = [`--config.file=${configFile}`, `--web.listen-address=127.0.0.1:${port}`]
    const args = ['-c', shell, process.execPath, MAIN, ...flags]
    const child = spawn('/bin/sh', args, { cwd: folder, env: { PATH: process.env['PATH'] } })
    onTestFinished(() => void child.kill('SIGKILL'))
    const url = `http://127.0.0.1:${port}`
    await until(SOON_SECONDS, 'it is ready', async () =>
      (await get(`${url}/-/ready`))?.status === 200 ? true : undefined,
    )
    await endsWell({ child, url })
  })
})
