// Looking into the file as it was written, where anything may stand anywhere: what is not there, or not of its kind, is
// passed over.
import { isRecord } from './issues.ts'

export type Mapping = Readonly<Record<string, unknown>>

export function mappingAt(value: unknown, key: string): Mapping {
  const found = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
  return isRecord(found) ? found : {}
}

export function listAt(value: unknown, key: string): readonly unknown[] {
  const found: unknown = isRecord(value) ? value[key] : undefined
  return Array.isArray(found) ? found : []
}

export function textAt(value: unknown, key: string): string | undefined {
  const found = isRecord(value) ? value[key] : undefined
  return typeof found === 'string' ? found : undefined
}

/** What the mapping itself has at `key`, not its prototype. */
export function entryOf<T>(entries: Readonly<Record<string, T>>, key: string | undefined): T | undefined {
  return key !== undefined && Object.hasOwn(entries, key) ? entries[key] : undefined
}
