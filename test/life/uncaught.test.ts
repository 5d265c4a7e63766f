// What nobody caught: it is logged, in one line with its stack, and the process ends, and is not left half dead.
import { beforeAll, describe, expect, it } from 'vitest'
import { build, samplesOf, until } from '../e2e/built.ts'
import { begin, metrics, NOTHING, secondsSince, serve, SOON_SECONDS } from './exporter.ts'

const SOFTWARE = 70
const at = (what: string): string => `process.on('SIGUSR2', () => { ${what} })`

beforeAll(build)

describe('an error that nobody caught', () => {
  it.each([
    ['in a timer', at(`setTimeout(() => { throw new Error('planted') })`), 'planted'],
    ['of a promise', at(`Promise.reject(new RangeError('planted'))`), 'planted'],
    ['of a socket', at(`require('node:net').connect(1, '127.0.0.1')`), 'ECONNREFUSED 127.0.0.1:1'],
    ['that is none', at(`setImmediate(() => { throw 'planted' })`), 'planted'],
    ['that is nothing', at(`Promise.reject()`), 'undefined'],
  ])('%s', async (_what, planted, message) => {
    const exporter = await serve(NOTHING, { planted, flags: ['--log.format=json'] })
    exporter.signal('SIGUSR2')
    const { ending, err, out } = await exporter.ended(SOON_SECONDS)
    expect(ending).toBe(SOFTWARE)
    const lines = err.trimEnd().split('\n')
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      level: 'error',
      msg: 'the exporter has to end',
      err: {
        message: expect.stringContaining(message) as string,
        stack: expect.stringMatching(/\n +at /) as string,
      },
    })
    expect(lines.filter((line) => line.includes('has to end'))).toHaveLength(1)
    expect(out).toBe('')
  })

  it('is one line of logfmt too', async () => {
    const exporter = await serve(NOTHING, {
      planted: at(`setTimeout(() => { throw new Error('plan\\nted') })`),
    })
    exporter.signal('SIGUSR2')
    const { ending, err } = await exporter.ended(SOON_SECONDS)
    expect(ending).toBe(SOFTWARE)
    expect(err).toMatch(
      /^level=error time=\S+ err="[^\n]*plan[^\n]*ted[^\n]* at [^\n]*" msg="the exporter has to end"\n$/m,
    )
  })

  it('while it stops', async () => {
    const planted = `process.on('SIGTERM', () => setTimeout(() => { throw new Error('planted') }))`
    const exporter = await serve(NOTHING, { planted })
    exporter.signal('SIGTERM')
    expect((await exporter.ended(SOON_SECONDS)).ending).toBe(SOFTWARE)
  })

  it('before there is a log', async () => {
    const exporter = await begin(NOTHING, { planted: `setImmediate(() => { throw new Error('planted') })` })
    const { ending, err } = await exporter.ended(SOON_SECONDS)
    expect(err).toContain('Error: planted')
    expect(ending).not.toBe(0)
  })

  it('while another thread of the process hangs in the kernel: process.exit() alone would wait for it', async () => {
    const fifo = `require('node:path').join(__dirname, 'fifo')`
    const planted = `require('node:child_process').execFileSync('mkfifo', [${fifo}])
      ${at(`require('node:fs').readFile(${fifo}, () => {}); setTimeout(() => { throw new Error('planted') }, 200)`)}`
    const exporter = await serve(NOTHING, { planted })
    exporter.signal('SIGUSR2')
    const { ending, err } = await exporter.ended(SOON_SECONDS)
    expect(err).toContain('planted')
    expect(ending).toBe('SIGKILL')
  })
})

describe('what was caught, or was not, is seen in the metrics', () => {
  it('from the first scrape on, as is when the process began', async () => {
    const text = await metrics(await serve(NOTHING))
    expect(samplesOf(text, 'winkms_exporter_internal_errors_total')).toEqual([
      { labels: { where: 'probe' }, value: 0 },
      { labels: { where: 'request' }, value: 0 },
    ])
    const [started] = samplesOf(text, 'process_start_time_seconds')
    expect(Math.abs(Date.now() / 1000 - (started?.value ?? 0))).toBeLessThan(600)
    expect(samplesOf(text, 'nodejs_eventloop_lag_max_seconds')).toHaveLength(1)
  })
})

it('a process that is held up answers nobody, and says so afterwards', async () => {
  const planted = at(`Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6000)`)
  const exporter = await serve(NOTHING, { planted })
  exporter.signal('SIGUSR2')
  await new Promise((resolve) => setTimeout(resolve, 500))
  const begin = performance.now()
  const quick = await fetch(`${exporter.url}/-/healthy`, { signal: AbortSignal.timeout(1_000) }).catch(
    () => undefined,
  )
  expect(quick).toBeUndefined()
  await until(
    SOON_SECONDS,
    'it says so',
    () => exporter.err().includes('the process was held up') || undefined,
  )
  expect(secondsSince(begin)).toBeLessThan(SOON_SECONDS)
  expect(exporter.err()).toMatch(
    /level=warn \S+ seconds=\d+(\.\d)? msg="the process was held up, and answered nobody meanwhile"/,
  )
  expect((await fetch(`${exporter.url}/-/healthy`)).status).toBe(200)
})
