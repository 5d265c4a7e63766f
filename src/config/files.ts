// Small files that the configuration is made of or names: the file itself, passwords, certificates, keys. Regular files
// only, since reading a pipe or a terminal may never end.
import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

export interface Unreadable {
  /** In words that continue "this file ...". */
  readonly problem: string
  readonly hint?: string
}

export type FileText = { readonly text: string; readonly problem?: undefined } | Unreadable

type FileBytes = { readonly bytes: Uint8Array; readonly problem?: undefined } | Unreadable

const CREDENTIALS = '${CREDENTIALS_DIRECTORY}/'

/** Whether a name is one of what systemd hands to a service (LoadCredential= of systemd.exec(5)). */
export const isCredential = (name: string): boolean => name.startsWith(CREDENTIALS)

/** Where a file is that the configuration names: relative names begin at the configuration's directory. */
export function located(directory: string, name: string): string {
  const handed = process.env['CREDENTIALS_DIRECTORY']
  // Without it the name stays as it is, and does not exist.
  if (!isCredential(name) || handed === undefined) return resolve(directory, name)
  return join(handed, name.slice(CREDENTIALS.length))
}

/** Never throws for what the file system may answer. */
export function readSmallBytes(path: string, maxBytes: number): FileBytes {
  try {
    const stat = statSync(path)
    if (stat.isDirectory()) return { problem: 'is a directory' }
    if (!stat.isFile()) return { problem: 'is not a regular file' }
    const tooLarge = { problem: `is larger than ${maxBytes / 1024} KiB` }
    if (stat.size > maxBytes) return tooLarge
    const bytes = readFileSync(path)
    // It may have grown since, or be one of those whose size is not told.
    if (bytes.length > maxBytes) return tooLarge
    return { bytes }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return { problem: ERRNO[code] ?? `cannot be read (${code})` }
  }
}

/** UTF-8 text without its byte order mark. */
export function readSmallFile(path: string, maxBytes: number): FileText {
  const read = readSmallBytes(path, maxBytes)
  if (read.problem !== undefined) return read
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(read.bytes) }
  } catch {
    if (isUtf16(read.bytes)) return { problem: 'is UTF-16 text', hint: UTF16_HINT }
    return { problem: 'is not UTF-8 text', hint: 'save it as UTF-8' }
  }
}

/** By the mark that Windows PowerShell 5.1 writes first, at `>` and by Out-File. */
function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
}

const UTF16_HINT = 'save it as UTF-8; in Windows PowerShell by Set-Content -Encoding utf8, not by >'

/** Changes when the file does; undefined while there is none to look at. */
export function fileVersion(path: string): string | undefined {
  try {
    const { ino, mtimeNs, size } = statSync(path, { bigint: true })
    return `${ino}:${mtimeNs}:${size}`
  } catch {
    return undefined
  }
}

/** By name, as they were before they were read: what changes meanwhile has changed. */
export type FileVersions = ReadonlyMap<string, string | undefined>

export function haveChanged(files: FileVersions): boolean {
  return [...files].some(([file, version]) => fileVersion(file) !== version)
}

const ERRNO: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this process',
  EPERM: 'may not be read by this process',
}
