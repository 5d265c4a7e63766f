// What is wrong with a configuration, in words for the person who wrote it: from a fault at a path to a line of text.
// Values are quoted back only where no password can be: see `mayShow`. Which faults there are, others find out.

export interface Problem {
  /** As named by the caller. */
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 code units. */
  readonly column: number
  /** `hosts[1].port`; empty for the file as a whole. */
  readonly key: string
  readonly message: string
  readonly hint?: string
}

/** Keys and list indexes from the top of the file. */
export type Path = readonly (string | number)[]

/** A problem whose position is not known yet. */
export interface Fault {
  readonly path: Path
  /** Whether the key itself is wrong or missing its value, rather than the value. */
  readonly at?: 'key' | 'value'
  readonly message: string
  readonly hint?: string | undefined
  /** Where the other half of a contradiction is. */
  readonly first?: Path
}

/** A key whose value may be a password, whatever it ought to be. */
const SECRETIVE = /pass|secret/i

/** `winkms.yml:12:7: hosts[1].port: must be 1 to 65535, got 70000 (hint: ...)`, without a line break. */
export function formatProblem({ file, line, column, key, message, hint }: Problem): string {
  const subject = key === '' ? '' : `${key}: `
  return `${file}:${line}:${column}: ${subject}${message}${hint === undefined ? '' : ` (hint: ${hint})`}`
}

export function formatPath(path: Path): string {
  let text = ''
  for (const [index, part] of path.entries()) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[\w-]+$/.test(part)) text += text === '' ? part : `.${part}`
    // Not the name of a logon, then; what else stands there can only be guessed.
    else if (index === 1 && path[0] === 'credentials') text += '["<secret>"]'
    else text += `[${showKey(part)}]`
  }
  return text
}

export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)
}

/** A key in quotes, as far as it is one: to YAML `password:hunter2`, without the space, is all key. */
export function showKey(key: string): string {
  if (SECRETIVE.test(key) && !/^[\w-]+$/.test(key)) return '"<secret>"'
  return quote(key.replace(/:.*/s, ':...'))
}

/**
 * Not what stands under a password's key, nor in a URL, which may carry one, nor in a logon but for one word as its kind;
 * nor a text that is the whole file, which may be the password's own.
 */
function mayShow(path: Path, value: unknown): boolean {
  const last = path.at(-1)
  if (path.length === 0) return false
  if (path[0] === 'credentials' && !(last === 'auth' && /^[a-z]{1,12}$/i.test(String(value)))) return false
  if (path[0] === 'basic_auth_users' || last === 'key') return false
  if (last === 'url' || path.some((part) => SECRETIVE.test(String(part)))) return false
  return typeof value === 'string' ? !value.includes('@') : typeof value !== 'object'
}

/** `, got 70000`, or nothing where the value had better not be shown. */
export function got(path: Path, value: unknown): string {
  if (Array.isArray(value)) return ', got a list'
  if (typeof value === 'object') return ', got a mapping'
  if (!mayShow(path, value)) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return `, got ${value}`
  return typeof value === 'string' ? `, got ${quote(value)}` : ''
}
