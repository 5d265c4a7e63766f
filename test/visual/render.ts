// Draws the committed dashboards in Chromium and takes a picture of each: README.md beside this says how. No part of the
// tests: @grafana/ui is a private install of this folder.
import { build } from 'esbuild'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chromium, type Browser } from 'playwright-core'
import { ask, askRange, type Series } from '../grafana/ask.ts'
import { ALL, BOARDS, substitute, type Board, type Panel, type Target } from '../grafana/committed.ts'
import { startStory } from './story.ts'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url))
const WIDTH = 1600
const HEIGHT = 1000
const POINTS = 180
const EMPTY_PAGE =
  '<!doctype html><meta charset="utf-8"><body style="margin:0;background:#111217"><div id="page"></div></body>'

interface Field {
  readonly name: string
  readonly type: 'time' | 'number' | 'string'
  readonly values: readonly (number | string | null)[]
  readonly labels?: Readonly<Record<string, string>>
  readonly config: { readonly displayNameFromDS?: string }
}

interface Frame {
  readonly refId: string
  readonly fields: readonly Field[]
}

interface View {
  readonly url: string
  /** Unix seconds. */
  readonly from: number
  readonly to: number
  readonly step: number
  readonly variables: Readonly<Record<string, string>>
}

function legendOf({ legendFormat }: Target, { metric }: Series): string {
  const text = (legendFormat ?? '').replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '')
  return text === '' ? 'Value' : text
}

/** As Grafana's data source does: labels become columns. */
function tableFrame(target: Target, answer: readonly Series[], alone: boolean): readonly Frame[] {
  if (answer.length === 0) return []
  const labels = [...new Set(answer.flatMap(({ metric }) => Object.keys(metric)))].toSorted()
  const value = alone ? 'Value' : `Value #${target.refId}`
  const fields: Field[] = [
    // One time for all rows of all queries, as the panel's are; else they would not merge.
    { name: 'Time', type: 'time', values: answer.map(() => 0), config: {} },
    ...labels.map((label): Field => ({
      name: label,
      type: 'string',
      values: answer.map(({ metric }) => metric[label] ?? ''),
      config: {},
    })),
    { name: value, type: 'number', values: answer.map(({ values }) => values[0]?.[1] ?? null), config: {} },
  ]
  return [{ refId: target.refId, fields }]
}

/** One frame a series, with nulls where there is nothing. */
function seriesFrames(target: Target, answer: readonly Series[], times: readonly number[]): readonly Frame[] {
  return answer.map((series) => {
    const byTime = new Map(series.values.map(([time, value]) => [Math.round(time), value]))
    const values = times.map((time) => {
      const value = byTime.get(time)
      return value === undefined || Number.isNaN(value) ? null : value
    })
    return {
      refId: target.refId,
      fields: [
        { name: 'Time', type: 'time', values: times.map((time) => time * 1000), config: {} },
        {
          name: 'Value',
          type: 'number',
          values,
          labels: series.metric,
          config: { displayNameFromDS: legendOf(target, series) },
        },
      ],
    }
  })
}

const SCRAPE_SECONDS = 60

/** `15m`, as seconds. */
function secondsOf(duration = '0s'): number {
  const [, number = '0', unit = 's'] = /^(\d+)([smh])$/.exec(duration) ?? []
  return Number(number) * { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h']
}

async function framesOf(panel: Panel, { url, from, to, ...view }: View): Promise<readonly Frame[]> {
  const targets = panel.targets ?? []
  const step = Math.max(view.step, secondsOf(panel.interval))
  const rateInterval = Math.max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)
  const variables = { ...view.variables, __rate_interval: `${rateInterval}s` }
  const frames = await Promise.all(
    targets.map(async (target) => {
      const query = substitute(target.expr, variables)
      if (target.format === 'table') {
        return tableFrame(target, await ask(url, query, to), targets.length === 1)
      }
      if (target.instant === true) {
        const answer = await ask(url, query, to)
        return seriesFrames(target, answer, [Math.round(to)])
      }
      const times: number[] = []
      for (let time = from; time <= to; time += step) times.push(time)
      const span = { start: from, end: to, step }
      return seriesFrames(target, await askRange(url, query, span), times)
    }),
  )
  return frames.flat()
}

interface Bundle {
  readonly script: string
  readonly style: string
}

async function bundle(): Promise<Bundle> {
  const { outputFiles } = await build({
    entryPoints: [join(HERE, 'page.jsx')],
    bundle: true,
    write: false,
    outdir: 'out',
    format: 'iife',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    loader: {
      '.svg': 'dataurl',
      '.png': 'dataurl',
      '.woff2': 'dataurl',
      '.woff': 'dataurl',
      '.ttf': 'dataurl',
    },
    logLevel: 'error',
  })
  const ending = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? ''
  return { script: ending('.js'), style: ending('.css') }
}

async function draw(
  browser: Browser,
  { script, style }: Bundle,
  board: Board,
  view: View,
  file: string,
): Promise<void> {
  const panels = await Promise.all(
    board.panels.map(async (panel) => ({
      panel,
      frames: panel.type === 'row' ? [] : await framesOf(panel, view),
    })),
  )
  const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT } })
  page.on('pageerror', (error) => process.stderr.write(`${board.uid}: ${error.message}\n`))
  // An origin of its own, which storage needs; nothing is fetched from anywhere.
  await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: EMPTY_PAGE }))
  await page.goto('http://127.0.0.1/')
  await page.addStyleTag({ content: style })
  await page.addScriptTag({ content: script })
  const data = {
    board,
    panels,
    variables: view.variables,
    range: { from: view.from * 1000, to: view.to * 1000 },
  }
  await page.evaluate(`window.draw(${JSON.stringify(data)})`)
  await page.waitForFunction(
    `document.querySelectorAll('[data-panel]').length === ${board.panels.filter(({ type }) => type !== 'row').length}`,
  )
  await page.waitForTimeout(1_500)
  await page.screenshot({ path: file, fullPage: true })
  await page.close()
  process.stdout.write(`${file}\n`)
}

const { values: flags } = parseArgs({
  options: {
    prometheus: { type: 'string' },
    host: { type: 'string', default: 'kms01.corp.example' },
    hours: { type: 'string', default: '6' },
    out: { type: 'string', default: IMAGES },
    only: { type: 'string', default: 'winkms' },
  },
})

const story = flags.prometheus === undefined ? await startStory() : undefined
try {
  await mkdir(flags.out, { recursive: true })
  const bundled = await bundle()
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
    ],
  })
  const step = Math.max(15, Math.round((Number(flags.hours) * 3600) / POINTS / 15) * 15)
  const to = Math.floor(story?.end ?? Date.now() / 1000)
  for (const board of BOARDS.filter(({ uid }) => uid.includes(flags.only))) {
    const view: View = {
      url: flags.prometheus ?? story?.url ?? '',
      from: to - Number(flags.hours) * 3600,
      to,
      step,
      variables: {
        ...ALL,
        __range: `${Math.round(Number(flags.hours) * 60)}m`,
        exporter_url: 'http://localhost:11688',
        ...(board.uid === 'winkms-host' ? { host: flags.host } : {}),
      },
    }
    await draw(
      browser,
      bundled,
      board,
      view,
      join(flags.out, `dashboard-${board.uid.replace('winkms-', '')}.png`),
    )
  }
  await browser.close()
} finally {
  await story?.stop()
}
