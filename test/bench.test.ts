// That the benchmarks run and measure something; how fast, no test says: that is for a quiet machine, and for people.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { build } from './e2e/built.ts'
import { realServer } from './real/servers/need.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SECONDS = 120

/** What it prints. Rejects unless it ends well. */
async function bench(name: string, ...args: readonly string[]): Promise<string> {
  const options = { cwd: ROOT, timeout: SECONDS * 1000 }
  const { stdout } = await promisify(execFile)(process.execPath, ['bench/run.js', name, ...args], options)
  return stdout
}

/** The cells of the row that begins so. */
function row(table: string, first: string): readonly string[] {
  const line = table.split('\n').find((each) => each.startsWith(`| ${first}`)) ?? ''
  return line.split('|').map((cell) => cell.trim())
}

beforeAll(build)

describe('the benchmark of', () => {
  it(
    'checks sets ours beside blackbox_exporter and a loop in C',
    async (context) => {
      realServer(context, ['cc', 'prometheus-blackbox-exporter'])
      const table = await bench('checks', '40', '1')
      for (const check of ['port', 'srv', 'host, saturated', 'host, 667']) {
        const [, , ours, blackbox, limit] = row(table, check).map(Number.parseFloat)
        expect(ours).toBeGreaterThan(0)
        expect(limit).toBeGreaterThan(0)
        // Counted in hundredths of a second: so few may take none.
        expect(blackbox).toBeGreaterThanOrEqual(0)
      }
    },
    SECONDS * 1000,
  )

  it(
    'size starts the service, and sets a scrape beside one of prom-client',
    async () => {
      const table = await bench('size', '3', '4')
      expect(
        row(table, '3 ')
          .slice(2, 7)
          .map(Number)
          .every((figure) => figure > 0),
      ).toBe(true)
      expect(row(table, 'ours ')).toHaveLength(6)
      expect(Number.parseFloat(row(table, 'prom-client')[2] ?? '')).toBeGreaterThanOrEqual(0)
      expect(/(\d+) series/.exec(table)?.[1]).toMatch(/^\d{2,}$/)
    },
    SECONDS * 1000,
  )

  it(
    'load runs an estate, part of it sick',
    async () => {
      const said = await bench('load', '20', '0.1')
      expect(said).toMatch(
        /^runs: [1-9]\d*, of which more than 1 s late: \d+; skipped: \d+ \(\d+ while all was asked.*\)$/m,
      )
      expect(said).toMatch(/^series: [1-9]\d* at first, [1-9]\d* at last; .* of \d\.\d MB$/m)
      expect(said).toMatch(/^connect time of hosts that answer: median \d+\.\d+ ms/m)
    },
    SECONDS * 1000,
  )
})
