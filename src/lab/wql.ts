// WQL as far as the simulated Windows understands it: SELECT of columns or * from one class, with a condition. After the
// WQL reference ("SELECT Statement for Data Queries", "WHERE Clause", "LIKE Operator", "WQL Operators"). Pure.
import type { Condition, Literal, Operator } from './wql-text.ts'
import { parse } from './wql-text.ts'

/** Dates are points in time; strings in arrays are all the arrays there are here. */
export type CimValue = string | number | boolean | Date | readonly string[] | null

/** Property names as the class writes them. One that is missing is null. */
export type Instance = Readonly<Record<string, CimValue>>

export interface CimClass {
  readonly properties: readonly string[]
  instances(): readonly Instance[]
}

/** By the name of the class as it is written. */
export type CimClasses = Readonly<Record<string, CimClass>>

export interface Selection {
  /** As the class writes it, whatever the query wrote. */
  readonly className: string
  /** Undefined for `*`. */
  readonly columns: readonly string[] | undefined
  /** Exactly the columns, in the order of the class. */
  readonly rows: readonly Instance[]
}

/** WBEM_E_INVALID_QUERY and WBEM_E_INVALID_CLASS. */
export type WqlRefusal = 0x8004_1017 | 0x8004_1010

const INVALID_QUERY = 0x8004_1017
const INVALID_CLASS = 0x8004_1010

/** What the query selects, or the HRESULT with which WMI refuses it. */
export function select(text: string, classes: CimClasses): Selection | WqlRefusal {
  const query = parse(text)
  if (query === undefined) return INVALID_QUERY
  const className = find(Object.keys(classes), query.from)
  const from = className === undefined ? undefined : classes[className]
  if (className === undefined || from === undefined) return INVALID_CLASS
  const { properties } = from
  const wanted: readonly (string | undefined)[] =
    query.columns?.map((name) => find(properties, name)) ?? properties
  if (wanted.includes(undefined)) return INVALID_QUERY
  const columns = properties.filter((name) => wanted.includes(name))
  const matches = query.where && compile(query.where, properties)
  if (query.where !== undefined && matches === undefined) return INVALID_QUERY
  const instances = from.instances()
  const rows: Instance[] = []
  for (const instance of instances) {
    const match = matches?.(instance) ?? true
    // A comparison that makes no sense, such as of a date with a name.
    if (match === 'senseless') return INVALID_QUERY
    if (match) rows.push(Object.fromEntries(columns.map((name) => [name, instance[name] ?? null])))
  }
  return { className, columns: query.columns && columns, rows }
}

function find(names: readonly string[], wanted: string): string | undefined {
  return names.find((name) => name.toLowerCase() === wanted.toLowerCase())
}

type Matcher = (instance: Instance) => boolean | 'senseless'

/** Undefined when a property is not one of the class. */
function compile(condition: Condition, properties: readonly string[]): Matcher | undefined {
  if (condition.kind === 'compare') {
    const { operator, value } = condition
    const property = find(properties, condition.property)
    return property === undefined
      ? undefined
      : (instance) => compare(instance[property] ?? null, operator, value)
  }
  if (condition.kind === 'not') {
    const part = compile(condition.part, properties)
    return (
      part &&
      ((instance) => {
        const match = part(instance)
        return match === 'senseless' ? match : !match
      })
    )
  }
  const parts = condition.parts.map((part) => compile(part, properties))
  const known = parts.filter((part) => part !== undefined)
  if (known.length < parts.length) return undefined
  return (instance) => {
    const matches = known.map((part) => part(instance))
    if (matches.includes('senseless')) return 'senseless'
    return condition.kind === 'and' ? !matches.includes(false) : matches.includes(true)
  }
}

function compare(actual: CimValue, operator: Operator, value: Literal): boolean | 'senseless' {
  if (value === null) return (actual === null) === (operator === '=')
  if (Array.isArray(actual)) return 'senseless'
  if (actual === null) return false
  if (operator === 'LIKE')
    return typeof actual === 'string' && typeof value === 'string'
      ? (patternOf(value)?.test(actual) ?? 'senseless')
      : 'senseless'
  const [left, right] = alike(actual as Exclude<CimValue, null | readonly string[]>, value)
  if (left === undefined || right === undefined) return 'senseless'
  switch (operator) {
    case '=':
      return left === right
    case '<>':
      return left !== right
    case '<':
      return left < right
    case '>':
      return left > right
    case '<=':
      return left <= right
    case '>=':
      return left >= right
  }
}

type Comparable = string | number | undefined

/** Both sides as what can be compared: strings without regard to case, dates and booleans as numbers. */
function alike(
  actual: string | number | boolean | Date,
  value: string | number | boolean,
): readonly [Comparable, Comparable] {
  if (actual instanceof Date) return [actual.getTime(), typeof value === 'string' ? timeOf(value) : undefined]
  if (typeof actual === 'boolean')
    return [Number(actual), typeof value === 'string' ? undefined : Number(value)]
  if (typeof actual === 'number') {
    const number = typeof value === 'string' && value.trim() === '' ? NaN : Number(value)
    return [actual, Number.isNaN(number) ? undefined : number]
  }
  return [actual.toLowerCase(), typeof value === 'string' ? value.toLowerCase() : undefined]
}

// CIM_DATETIME, DSP0004 5.2.4: the last part is minutes that the time is ahead of UTC.
const DMTF = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{3})\d{3}([+-]\d{3})$/

/** Unix milliseconds. */
function timeOf(text: string): number | undefined {
  const parts = DMTF.exec(text)?.slice(1).map(Number)
  if (parts === undefined) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, millisecond = 0, ahead = 0] = parts
  return Date.UTC(year, month - 1, day, hour, minute - ahead, second, millisecond)
}

/** Undefined for a set such as [z=a]. */
function patternOf(like: string): RegExp | undefined {
  const source = like.replaceAll(
    /\[([^\]]*)\]|[%_]|[.*+?^${}()|\\/[\]]/g,
    (found, set: string | undefined) => {
      if (found === '%') return '.*'
      if (found === '_') return '.'
      if (set === undefined) return `\\${found}`
      // [%] is a percent sign; [a=f] is WQL's way to write [a-f].
      return `[${set.replaceAll(/[\\\]^-]/g, String.raw`\$&`).replaceAll('=', '-')}]`
    },
  )
  try {
    return new RegExp(`^${source}$`, 'is')
  } catch {
    return undefined
  }
}
