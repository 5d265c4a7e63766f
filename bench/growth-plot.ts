// Cost against size, as SVG: hosts on a logarithmic axis, CPU and memory each in a panel of its own, with the line that a
// cost in proportion to the hosts would follow from the largest size down.

export interface Growth {
  readonly hosts: number
  readonly cpuPercent: number
  readonly rssMegabytes: number
}

const WIDTH = 340
const HEIGHT = 220
const LEFT = 52
const BOTTOM = 34
const TOP = 28
const RIGHT = 28

function ticks(low: number, high: number): readonly number[] {
  const first = Math.floor(Math.log10(low))
  const last = Math.ceil(Math.log10(high))
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index))
}

function panel(
  title: string,
  points: readonly (readonly [hosts: number, value: number])[],
  offset: number,
): string {
  const across = ticks(
    Math.min(...points.map(([hosts]) => hosts)),
    Math.max(...points.map(([hosts]) => hosts)),
  )
  const up = ticks(
    Math.min(...points.map(([, value]) => value)),
    Math.max(...points.map(([, value]) => value)),
  )
  const scale = (value: number, marks: readonly number[]): number =>
    Math.log10(value / (marks[0] ?? 1)) / Math.log10((marks.at(-1) ?? 10) / (marks[0] ?? 1))
  const x = (hosts: number): number => offset + LEFT + scale(hosts, across) * (WIDTH - LEFT - RIGHT)
  const y = (value: number): number => HEIGHT - BOTTOM - scale(value, up) * (HEIGHT - BOTTOM - TOP)
  const [hosts, value] = points.at(-1) ?? [1, 1]
  const start = Math.max(across[0] ?? 1, (hosts * (up[0] ?? 1)) / value)
  return [
    `<text x="${offset + LEFT}" y="16" font-weight="600">${title}</text>`,
    ...across.map(
      (mark) =>
        `<line class="grid" x1="${x(mark)}" x2="${x(mark)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text x="${x(mark)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${mark}</text>`,
    ),
    ...up.map(
      (mark) =>
        `<line class="grid" x1="${offset + LEFT}" x2="${offset + WIDTH - RIGHT}" y1="${y(mark)}" y2="${y(mark)}"/><text x="${offset + LEFT - 6}" y="${y(mark) + 4}" text-anchor="end">${mark}</text>`,
    ),
    `<line class="even" x1="${x(start)}" y1="${y((value * start) / hosts)}" x2="${x(hosts)}" y2="${y(value)}"/>`,
    `<polyline class="seen" points="${points.map(([each, cost]) => `${x(each).toFixed(1)},${y(cost).toFixed(1)}`).join(' ')}"/>`,
    ...points.map(
      ([each, cost]) => `<circle cx="${x(each).toFixed(1)}" cy="${y(cost).toFixed(1)}" r="3.5"/>`,
    ),
    `<text x="${offset + (LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">hosts</text>`,
  ].join('\n')
}

export function growthSvg(sizes: readonly Growth[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<style>.grid{stroke:#d0d7de}.even{stroke:#8c959f;stroke-dasharray:4 4}.seen{fill:none;stroke:#0969da;stroke-width:2}circle{fill:#0969da}</style>
<rect width="100%" height="100%" fill="#fff"/>
${panel(
  'CPU, % of a core',
  sizes.map(({ hosts, cpuPercent }) => [hosts, cpuPercent]),
  0,
)}
${panel(
  'Resident memory, MB',
  sizes.map(({ hosts, rssMegabytes }) => [hosts, rssMegabytes]),
  WIDTH,
)}
</svg>
`
}
