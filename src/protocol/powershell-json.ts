// What the scripts of local mode print: a JSON object a line, `row`s and then `end`, or a `failure`. PowerShell may put a
// byte order mark or a warning before; what does not begin like an object is passed over.
import { MalformedMessage } from '../model/failure.ts'
import type { CimRow, CimValue } from './cim.ts'

export interface ScriptFailure {
  /** The exception's type: `CimException`. */
  readonly kind: string
  /** Microsoft.Management.Infrastructure.NativeErrorCode by name, `AccessDenied`; empty for other exceptions. */
  readonly native: string
  /** As the script printed it: a signed 32-bit number. */
  readonly hresult: number
}

export type ScriptAnswer =
  | { readonly rows: readonly CimRow[]; readonly failure?: undefined }
  | { readonly failure: ScriptFailure; readonly rows?: undefined }

/** Throws MalformedMessage, also when the end is missing: then nobody knows what else is. */
export function decodeScriptOutput(text: string): ScriptAnswer {
  const rows: CimRow[] = []
  let offset = 0
  for (const line of text.split('\n')) {
    const content = line.replace(/^\uFEFF/, '').trim()
    if (content.startsWith('{')) {
      const message = objectOf(content, offset)
      if (isObject(message['failure'])) return { failure: failureOf(message['failure']) }
      if (isObject(message['row'])) rows.push(rowOf(message['row'], offset))
      else if (message['end'] === String(rows.length)) return { rows }
      else throw new MalformedMessage('a line that is neither row nor end', offset)
    }
    offset += line.length + 1
  }
  throw new MalformedMessage('the output of PowerShell has no end', offset)
}

type Json = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function objectOf(line: string, offset: number): Json {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new MalformedMessage('a line that is not JSON', offset)
  }
  if (isObject(value)) return value
  throw new MalformedMessage('a line that is no JSON object', offset)
}

function rowOf(row: Json, offset: number): CimRow {
  return new Map(Object.entries(row).map(([name, value]) => [name.toLowerCase(), valueOf(value, offset)]))
}

function valueOf(value: unknown, offset: number): CimValue {
  if (value === null || typeof value === 'string') return value
  if (Array.isArray(value) && value.every((each) => typeof each === 'string' || each === null))
    return value.map((each: string | null) => each ?? '')
  throw new MalformedMessage('a value that is neither text nor a list of texts', offset)
}

function failureOf({ kind, native, hresult }: Json): ScriptFailure {
  const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 64) : '')
  return { kind: text(kind), native: text(native), hresult: Number(text(hresult)) || 0 }
}
