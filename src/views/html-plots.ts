// The last hours of one host: when it served, and the few numbers that tell a story over time. Everything that a plot
// shows stands beside it in words and numbers.
import type { Trail } from '../engine/history.ts'
import { sayOffset } from '../diagnosis/rules/clock.ts'
import { LEVELS } from '../kms/levels.ts'
import { CLIENT_THRESHOLD } from '../kms/thresholds.ts'
import { grouped, h, lasting, milliseconds } from './html-frame.ts'
import {
  bandOf,
  levelOf,
  lineOf,
  roundUp,
  roundUpSeconds,
  stripOf,
  summaryOf,
  svg,
  windowFor,
  type Line,
  type Scale,
} from './plot.ts'

type Say = (value: number) => string

/** How many times of day stand under a plot. */
const TIMES = 4

function timesHtml({ fromSeconds, stepSeconds, serving }: Trail, window: number): string {
  const first = fromSeconds - (window - serving.length) * stepSeconds
  const times = Array.from({ length: TIMES }, (_, index) => {
    const seconds = first + (index / (TIMES - 1)) * window * stepSeconds
    return `<span>${new Date(seconds * 1000).toISOString().slice(11, 16)}</span>`
  })
  return `<div class="times" aria-hidden="true">${times.join('')}</div>`
}

interface Row extends Line {
  readonly name: string
  readonly say: Say
}

function numbersHtml(rows: readonly Row[], title: string): string {
  const lines = rows.map(({ name, kind, values, say }) => {
    const summary = summaryOf(values)
    const cells =
      summary === undefined
        ? '<td colspan="4">not known</td>'
        : [summary.now, summary.least, summary.median, summary.most]
            .map((value) => `<td>${value === undefined ? 'not known' : say(value)}</td>`)
            .join('')
    const gaps = values.length - (summary === undefined ? 0 : values.length - summary.unknown)
    return `<tr><th scope="row"><span class="key ${kind}"></span>${name}</th>${cells}<td>${gaps === 0 ? 'none' : lasting(gaps * 60)}</td></tr>`
  })
  const head = ['', 'Now', 'Least', 'Median', 'Most', 'Not known']
    .map((each) => (each === '' ? '<td></td>' : `<th scope="col">${each}</th>`))
    .join('')
  return `<div class="scroll" tabindex="0" role="region" aria-label="${title} in numbers"><table class="numbers"><thead><tr>${head}</tr></thead><tbody>${lines.join('')}</tbody></table></div>`
}

interface Plot {
  readonly id: string
  readonly title: string
  readonly rows: readonly Row[]
  readonly scale: Scale
  readonly say: Say
  /** Beneath the lines. */
  readonly shapes: string
  readonly note: string
}

function plotHtml({ id, title, rows, scale, say, shapes, note }: Plot, trail: Trail): string {
  const window = windowFor(trail.serving.length)
  // A band is the area that lies around its line, and among the shapes.
  const drawn = rows.filter(({ kind }) => kind !== 'band')
  const lines = drawn.map((row) => lineOf(row, window, scale)).join('')
  const heights = [scale.high, (scale.high + scale.low) / 2, scale.low].map(
    (each) => `<span>${each === 0 ? '0' : say(each)}</span>`,
  )
  return `<figure id="plot-${id}" class="plot"><figcaption><h3>${title}</h3></figcaption>
<div class="chart"><div class="heights" aria-hidden="true">${heights.join('')}</div>${svg(shapes + lines, 'lines', window)}${timesHtml(trail, window)}</div>
${numbersHtml(rows, title)}${note === '' ? '' : `<p class="note">${note}</p>`}</figure>`
}

function isKnown(values: Float32Array): boolean {
  return summaryOf(values) !== undefined
}

function mostOf(...all: readonly Float32Array[]): number {
  return Math.max(...all.map((values) => summaryOf(values)?.most ?? -Infinity))
}

function latencyPlot({ values }: Trail): Plot | undefined {
  const { connectSeconds, bindSeconds } = values
  if (!isKnown(connectSeconds) && !isKnown(bindSeconds)) return undefined
  return {
    id: 'latency',
    title: 'Latency',
    rows: [
      { name: 'connect', kind: 'one', values: connectSeconds, say: milliseconds },
      { name: 'bind', kind: 'two', values: bindSeconds, say: milliseconds },
    ],
    scale: { low: 0, high: roundUpSeconds(mostOf(connectSeconds, bindSeconds)) },
    say: milliseconds,
    shapes: '',
    note: 'The longest of each minute, of the slowest address.',
  }
}

/** Wide enough for what is known, for zero, and for a level that is not far away. */
function driftScale(low: Float32Array, high: Float32Array): Scale {
  const least = Math.min(0, summaryOf(low)?.least ?? 0)
  const most = Math.max(0, summaryOf(high)?.most ?? 0)
  const farthest = Math.max(-least, most)
  const { warning, critical } = LEVELS.driftSeconds
  const wanted = [warning, critical].filter((level) => farthest > level / 3).at(-1) ?? 0
  const reach = roundUpSeconds(Math.max(farthest, wanted * 1.05))
  return { low: least < 0 ? -reach : 0, high: most > 0 ? reach : 0 }
}

function driftPlot({ values, serving }: Trail): Plot | undefined {
  const { driftSeconds, driftUncertaintySeconds } = values
  if (!isKnown(driftSeconds)) return undefined
  const low = driftSeconds.map((value, index) => value - (driftUncertaintySeconds[index] ?? 0))
  const high = driftSeconds.map((value, index) => value + (driftUncertaintySeconds[index] ?? 0))
  const scale = driftScale(low, high)
  const window = windowFor(serving.length)
  const { warning, critical } = LEVELS.driftSeconds
  const levels = [warning, -warning].map((each) => levelOf(each, 'warning', window, scale))
  const limits = [critical, -critical].map((each) => levelOf(each, 'critical', window, scale))
  return {
    id: 'drift',
    title: 'Clock drift',
    rows: [
      { name: 'drift', kind: 'one', values: driftSeconds, say: sayOffset },
      {
        name: 'uncertainty',
        kind: 'band',
        values: driftUncertaintySeconds,
        say: (each) => h(sayOffset(each).replace('+', '± ')),
      },
    ],
    scale,
    say: sayOffset,
    shapes: [bandOf(low, high, window, scale), levelOf(0, 'zero', window, scale), ...levels, ...limits].join(
      '',
    ),
    note: `The band is what is not certain. Warning from ${lasting(warning)}, refused by KMS beyond ${lasting(critical)}, in either direction.`,
  }
}

function countPlot({ values, serving }: Trail): Plot | undefined {
  const { clients, requiredClients } = values
  if (!isKnown(clients)) return undefined
  const required = summaryOf(requiredClients)
  const kind = required === undefined || required.most < CLIENT_THRESHOLD ? 'servers' : 'clients'
  const { warning } = LEVELS.count[kind]
  const scale = { low: 0, high: roundUp(Math.max(mostOf(clients, requiredClients), warning) * 1.05) }
  return {
    id: 'count',
    title: 'Clients counted',
    rows: [
      { name: 'count', kind: 'one', values: clients, say: grouped },
      { name: 'required', kind: 'required', values: requiredClients, say: grouped },
    ],
    scale,
    say: grouped,
    shapes: levelOf(warning, 'warning', windowFor(serving.length), scale),
    note: `Of the key that is nearest to what it takes. Warning below ${warning}.`,
  }
}

function stripHtml(trail: Trail): string {
  const { serving } = trail
  const window = windowFor(serving.length)
  const minutes = (state: boolean | undefined): number => serving.filter((each) => each === state).length
  const parts = [
    ['good', 'served', minutes(true)],
    ['bad', 'did not serve', minutes(false)],
    ['unknown', 'cannot tell', minutes(undefined)],
  ] as const
  const says = parts
    .filter(([, , count]) => count > 0)
    .map(([kind, word, count]) => `<li><span class="key ${kind}"></span>${word} ${lasting(count * 60)}</li>`)
  return `<figure id="plot-serving" class="plot strip"><figcaption><h3>Serving</h3><ul class="legend">${says.join('')}</ul></figcaption>
<div class="chart">${svg(stripOf(serving, window), 'bars', window)}${timesHtml(trail, window)}</div>
<p class="note">The worst of each minute.</p></figure>`
}

/** `trail` undefined: nothing was noted yet. */
export function plotsHtml(trail: Trail | undefined): string {
  if (trail === undefined) return '<p class="quiet">Nothing was noted yet.</p>'
  const plots = [latencyPlot(trail), driftPlot(trail), countPlot(trail)].flatMap((each) => each ?? [])
  return `<p class="quiet">What is noted since the exporter began to watch, at most six hours; times are UTC.</p>
<div class="plots">${stripHtml(trail)}
${plots.map((plot) => plotHtml(plot, trail)).join('\n')}</div>`
}
