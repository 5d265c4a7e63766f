// The soak over time, as SVG: what the process holds, and what it was asked to tell, each in a panel of its own.
import type { Point } from './process.ts'

export interface Panel {
  readonly title: string
  readonly lines: readonly { readonly name: string; readonly points: readonly Point[] }[]
}

const WIDTH = 680
const HEIGHT = 150
const LEFT = 52
const RIGHT = 100
const TOP = 26
const BOTTOM = 24
const COLOURS = ['#0969da', '#bf8700', '#cf222e'] as const

/** 1, 2 or 5 times a power of ten, so that there are about four of them. */
function stepOf(most: number): number {
  const rough = most / 4
  const power = 10 ** Math.floor(Math.log10(rough))
  return ([1, 2, 5].find((each) => each * power >= rough) ?? 10) * power
}

function ticks(most: number): readonly number[] {
  const step = stepOf(Math.max(most, 1))
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step)
}

function panelSvg({ title, lines }: Panel, offset: number, minutes: number): string {
  const up = ticks(Math.max(1, ...lines.flatMap(({ points }) => points.map(([, value]) => value))))
  const across = ticks(minutes).filter((mark) => mark <= minutes)
  const top = up.at(-1) ?? 1
  const x = (at: number): number => LEFT + (at / Math.max(minutes, 1e-9)) * (WIDTH - LEFT - RIGHT)
  const y = (value: number): number => offset + HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP)
  return [
    `<text x="${LEFT}" y="${offset + 16}" font-weight="600">${title}</text>`,
    ...up.map(
      (mark) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(mark).toFixed(1)}" y2="${y(mark).toFixed(1)}"/><text x="${LEFT - 6}" y="${(y(mark) + 4).toFixed(1)}" text-anchor="end">${mark}</text>`,
    ),
    ...across.map(
      (mark) =>
        `<text x="${x(mark).toFixed(1)}" y="${offset + HEIGHT - BOTTOM + 16}" text-anchor="middle">${mark}</text>`,
    ),
    ...lines.map(({ points }, index) => {
      const path = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')
      return `<polyline fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.5" points="${path}"/>`
    }),
    ...lines.map(
      ({ name }, index) =>
        `<text x="${WIDTH - RIGHT + 8}" y="${offset + TOP + 12 + 16 * index}" fill="${COLOURS[index % COLOURS.length]}">${name}</text>`,
    ),
  ].join('\n')
}

export function soakSvg(panels: readonly Panel[], minutes: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${panels.length * HEIGHT + 16}" font-family="sans-serif" font-size="12">
<style>.grid{stroke:#d0d7de}</style>
<rect width="100%" height="100%" fill="#fff"/>
${panels.map((panel, index) => panelSvg(panel, index * HEIGHT, minutes)).join('\n')}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${panels.length * HEIGHT + 10}" text-anchor="middle">minutes</text>
</svg>
`
}
