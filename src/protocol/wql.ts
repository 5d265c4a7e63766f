// WQL, the little that is asked: a SELECT of named columns from one class. There is no other statement to write, and no
// way to write one; values go in through `quote`, so that nothing configured or read can change what is asked.
import { MalformedMessage } from '../model/failure.ts'

export interface Select {
  readonly from: string
  /** Named, never `*`: some properties cost Windows seconds to compute. */
  readonly columns: readonly string[]
  /** What follows WHERE, its values written by `quote`. */
  readonly where?: string | undefined
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Throws MalformedMessage for names that are none: a defect of the caller's. */
export function selectText({ from, columns, where }: Select): string {
  for (const name of [from, ...columns]) {
    if (!NAME.test(name)) throw new MalformedMessage(`"${name}" is not a CIM name`, 0)
  }
  if (columns.length === 0) throw new MalformedMessage('no column is named', 0)
  return `SELECT ${columns.join(', ')} FROM ${from}${where === undefined ? '' : ` WHERE ${where}`}`
}

/** A string literal: backslash and quote escaped (WQL reference, "WHERE Clause"). */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", String.raw`\'`)}'`
}

/** A DMTF date literal in UTC, for comparisons with datetime properties. */
export function quoteTime(unixSeconds: number): string {
  const iso = new Date(Math.floor(unixSeconds) * 1000).toISOString()
  return `'${iso.replaceAll(/[-T:]/g, '').slice(0, 14)}.000000+000'`
}
