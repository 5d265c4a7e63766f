// What the exporter's process holds, from outside, and whether that grows.
import { readdir, readFile, readlink } from 'node:fs/promises'

/** `socket`, `pipe`, `anon_inode:[eventpoll]`, `file`. Those that are closed while they are counted do not count. */
export async function descriptorsOf(pid: number): Promise<Readonly<Record<string, number>>> {
  const kinds: Record<string, number> = {}
  for (const name of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${name}`).catch(() => undefined)
    if (target === undefined) continue
    const kind = target.startsWith('/')
      ? 'file'
      : target.startsWith('anon_inode:')
        ? target
        : target.replace(/:.*/, '')
    kinds[kind] = (kinds[kind] ?? 0) + 1
  }
  return kinds
}

export type Point = readonly [atMinutes: number, value: number]

/** By least squares; 0 for fewer than two points. */
export function slopeOf(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean(([at]) => at), mean(([, value]) => value)]
  const spread = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0)
  return spread === 0 ? 0 : points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / spread
}

/** The first third is for settling. */
export function settled(points: readonly Point[]): readonly Point[] {
  const end = points.at(-1)?.[0] ?? 0
  return points.filter(([at]) => at >= end / 3)
}

/** How long its main thread was ready to run and had no processor, since it began: Linux' sched-stats. */
export async function waitedSecondsOf(pid: number): Promise<number> {
  const [, waited] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')
  return Number(waited) / 1e9
}
