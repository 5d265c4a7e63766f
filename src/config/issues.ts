// From zod's issues to faults that a person can act on: what is missing, what was meant, what belongs there instead.
import type { z } from 'zod'

import { didYouMean } from './nearest.ts'
import { got, showKey, type Fault, type Path } from './problem.ts'
import { withoutUnit } from './values.ts'

/** What would have been right at a path. */
export interface Expected {
  /** The keys of the mapping; none when it is not one, or takes any key. */
  readonly keys: readonly string[]
  /** In which unit a number was probably meant; undefined when it is not a duration. */
  readonly unit: 's' | 'd' | undefined
}

/** The file as it was written, and as it should be. */
export interface Written {
  valueAt(path: Path): unknown
  expectedAt(path: Path): Expected
}

/** `jsonSchema` is asked for only when there is something to say. */
export function writtenFor(value: unknown, jsonSchema: () => unknown): Written {
  let expected: unknown
  return {
    valueAt: (path) => {
      let at = value
      for (const part of path) {
        if (Array.isArray(at) && typeof part === 'number') at = at[part]
        else at = isRecord(at) && Object.hasOwn(at, part) ? at[part] : undefined
      }
      return at
    },
    expectedAt: (path) => expectedIn((expected ??= jsonSchema()), path),
  }
}

type Issue = z.core.$ZodIssue

const KINDS: Readonly<Record<string, string>> = {
  string: 'must be text',
  object: 'must be a mapping',
  record: 'must be a mapping',
  array: 'must be a list',
  boolean: 'must be true or false',
  int: 'must be a whole number',
  number: 'must be a whole number',
}

/** `above`: the path that the issue's own path continues. */
export function faultsOf(issue: Issue, written: Written, above: Path = []): readonly Fault[] {
  const path = [...above, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]
  const value = written.valueAt(path)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey([...path, key], key, written.expectedAt(path).keys))
    case 'invalid_key':
      return [{ path, at: 'key', message: issue.issues[0]?.message ?? issue.message }]
    case 'invalid_union': {
      // The alternative that is of the right kind has the telling issues.
      const right = issue.errors.find((issues) => !issues.some(isWrongKind))
      if (right === undefined) return [wrongKind(path, 'must be text or a mapping', value, written)]
      return right.flatMap((inner) => faultsOf(inner, written, path))
    }
    case 'invalid_type':
      return [wrongKind(path, KINDS[issue.expected] ?? 'is of the wrong kind', value, written)]
    case 'invalid_value':
      return [wrongChoice(path, issue.values.map(String), value, written)]
    case 'custom': {
      const message = issue.message + unlessSaid(issue.message, path, value)
      return [withHint({ path, message }, hintOf(issue.params))]
    }
    case 'too_small':
    case 'too_big':
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_element':
      break
  }
  return [{ path, message: issue.message + (Array.isArray(value) || value === '' ? '' : got(path, value)) }]
}

function isWrongKind({ code, path }: Issue): boolean {
  return code === 'invalid_type' && path.length === 0
}

function withHint(fault: Fault, hint: string | undefined): Fault {
  return hint === undefined ? fault : { ...fault, hint }
}

function hintOf(params: Readonly<Record<string, unknown>> | undefined): string | undefined {
  return typeof params?.['hint'] === 'string' ? params['hint'] : undefined
}

// `5 has no unit` names the value already.
function unlessSaid(message: string, path: Path, value: unknown): string {
  return typeof value === 'string' && message.startsWith(`${value} `) ? '' : got(path, value)
}

function unknownKey(path: Path, key: string, valid: readonly string[]): Fault {
  const fault: Fault = { path, at: 'key', message: 'is not a known key' }
  if (/^(pass(word|wd|phrase)?|pw|secret)(?![\w-])/i.test(key)) {
    return withHint(fault, 'a password is read from password_file or password_env, never from this file')
  }
  if (key === '<<') return withHint(fault, 'merge keys are not supported; an alias stands for a whole value')
  return withHint(
    fault,
    didYouMean(key, valid) ?? (valid.length > 0 ? `known here: ${valid.join(', ')}` : undefined),
  )
}

/** Missing, empty, or not of the kind that belongs there. */
function wrongKind(path: Path, wanted: string, value: unknown, written: Written): Fault {
  const key = path.at(-1)
  if (value === undefined && key !== undefined) {
    return { path: path.slice(0, -1), message: `has no ${showKey(String(key))}, which it needs` }
  }
  if (value === null) {
    const remove = typeof key === 'number' ? 'remove the entry' : 'remove the key'
    return { path, at: 'key', message: 'has no value', hint: `give it one or ${remove}` }
  }
  const { unit } = written.expectedAt(path)
  if (unit !== undefined) {
    const bare = typeof value === 'number' ? withoutUnit(String(value), unit) : undefined
    if (bare !== undefined) return { path, message: bare.problem, hint: bare.hint }
    return { path, message: `must be a duration like ${unit === 'd' ? '30d' : '15s'}${got(path, value)}` }
  }
  const fault = { path, message: `${wanted}${got(path, value)}` }
  const isPlain = typeof value === 'number' || typeof value === 'boolean'
  return withHint(fault, isPlain && wanted.includes('text') ? 'put it in quotes' : undefined)
}

function wrongChoice(path: Path, choices: readonly string[], value: unknown, written: Written): Fault {
  if (value === undefined || value === null) return wrongKind(path, '', value, written)
  const meant = typeof value === 'string' ? didYouMean(value, choices) : undefined
  return withHint({ path, message: `must be one of ${choices.join(', ')}${got(path, value)}` }, meant)
}

/** The nodes of a JSON Schema that describe `path`; several where alternatives do. */
function expectedIn(root: unknown, path: Path): Expected {
  let nodes = alternatives(root)
  for (const part of path) nodes = nodes.flatMap((node) => alternatives(childOf(node, part)))
  const titles = nodes.map(({ title }) => title)
  return {
    keys: nodes.flatMap((node) => (isRecord(node['properties']) ? Object.keys(node['properties']) : [])),
    unit: unitOf(titles),
  }
}

function unitOf(titles: readonly unknown[]): 's' | 'd' | undefined {
  if (titles.includes('period')) return 'd'
  return titles.includes('duration') || titles.includes('schedule') ? 's' : undefined
}

function childOf(node: Readonly<Record<string, unknown>>, part: string | number): unknown {
  if (typeof part === 'number') return node['items']
  const properties = node['properties']
  return isRecord(properties) && Object.hasOwn(properties, part)
    ? properties[part]
    : node['additionalProperties']
}

function alternatives(node: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!isRecord(node)) return []
  return Array.isArray(node['anyOf']) ? node['anyOf'].flatMap(alternatives) : [node]
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
