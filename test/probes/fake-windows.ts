// A Windows made of tables, in place of the network: for each class its rows (or why there are none), whatever the
// condition. It keeps what was asked, and knows only the columns that a class is documented to have.
import { schema } from '../../src/config/schema.ts'
import { estateOf, type Estate } from '../../src/config/targets.ts'
import { createDeadline } from '../../src/io/deadline.ts'
import type { Io } from '../../src/io/io.ts'
import type { RegistryValue, Rows, WindowsReader } from '../../src/io/windows/windows.ts'
import { silentLog } from '../../src/model/log.ts'
import type { Metric } from '../../src/model/metric.ts'
import type { CimRow, CimValue } from '../../src/protocol/cim.ts'
import { selectText, type Select } from '../../src/protocol/wql.ts'
import type { Visit } from '../../src/probes/probe.ts'
import { onTestFinished } from 'vitest'

export type Row = Readonly<Record<string, CimValue>>

export interface FakeWindows {
  /** Rows by class; an Error is thrown, a function is given the question. A class that is not here has no rows. */
  readonly classes: Readonly<
    Record<string, readonly Row[] | Error | ((select: Select) => readonly Row[] | Error)>
  >
  /** Values by name; without any, the registry may not be read. */
  readonly registry?: Readonly<Record<string, string | number | readonly string[] | Error | undefined>>
  /** By how much our own clock is set while the answer is on its way. */
  readonly stepSeconds?: number
}

function project(row: Row, columns: readonly string[]): CimRow {
  const byName = new Map(Object.entries(row).map(([name, value]) => [name.toLowerCase(), value]))
  return new Map(columns.map((name) => [name.toLowerCase(), byName.get(name.toLowerCase()) ?? null]))
}

interface Asked {
  readonly visit: Visit
  /** WQL, in order; `registry NAME` for a value. */
  readonly asked: string[]
}

/** One question takes 0.2 s on a clock of the test's own. */
export function visitTo(windows: FakeWindows, { wallSeconds = 1_800_000_000 } = {}): Asked {
  const asked: string[] = []
  let elapsed = 0
  let stepped = 0
  const clock = {
    wallSeconds: () => wallSeconds + elapsed + stepped,
    monotonicSeconds: () => 1000 + elapsed,
  }
  const moment = () => ({ wallSeconds: clock.wallSeconds(), monotonicSeconds: clock.monotonicSeconds() })
  const reader: WindowsReader = {
    via: 'winrm',
    async query(select, { mostRows = 10_000 } = {}): Promise<Rows> {
      asked.push(selectText(select))
      const table = windows.classes[select.from] ?? []
      const rows = typeof table === 'function' ? table(select) : table
      if (rows instanceof Error) throw rows
      const sent = moment()
      elapsed += 0.2
      stepped += windows.stepSeconds ?? 0
      return {
        rows: rows.slice(0, mostRows).map((row) => project(row, select.columns)),
        complete: rows.length <= mostRows,
        sent,
        received: moment(),
        roundTrips: rows.length > 1 ? 2 : 1,
      }
    },
    async readRegistry({ name }: RegistryValue) {
      asked.push(`registry ${name}`)
      const value = windows.registry?.[name]
      if (value instanceof Error) throw value
      return value
    },
  }
  const deadline = createDeadline(10)
  onTestFinished(() => deadline.close())
  const open = async (): Promise<WindowsReader> => reader
  // Nothing else of the network is there: a probe that asked for it would fail.
  const io = { clock, winrm: { open, close() {} } } as Partial<Io> as Io
  return { visit: { io, deadline, log: silentLog, enter() {} }, asked }
}

/** From a configuration after YAML; a credential `reader` is there. */
export function estate(document: object): Estate {
  const reader = { auth: 'ntlm', username: String.raw`CORP\winkms`, password_env: 'NOT_USED' }
  const config = schema.parse({ credentials: { reader }, ...document })
  return estateOf(config, { resolvers: [], searchDomains: [] }, [])
}

export const WINRM = { via: 'winrm', credentials: 'reader' }

/** The lines that metrics make of a reading, without the target's own label: `name{label="value"} 1`. */
export function linesOf<T, R>(metrics: readonly Metric<T, R>[], reading: R, target: T): readonly string[] {
  return metrics.flatMap(({ name, labels, samples }) => {
    const lines: string[] = []
    samples(
      reading,
      (value, ...values) => {
        const pairs = labels.slice(1).map((label, index) => `${label}="${values[index] ?? ''}"`)
        if (value !== undefined)
          lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${Number(value)}`)
      },
      target,
    )
    return lines
  })
}
