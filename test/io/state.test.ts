import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createStateStore, type StateProblem, type StateStore } from '../../src/io/state.ts'

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'winkms-state-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

interface Scene {
  readonly directory: string
  readonly problems: StateProblem[]
  open(): StateStore
}

/** The directory is not there yet. */
function scene(): Scene {
  const directory = join(temporary(), 'deep', 'state')
  const problems: StateProblem[] = []
  return { directory, problems, open: () => createStateStore(directory, (problem) => problems.push(problem)) }
}

const OLD = new Date(1_600_000_000_000)

describe('a value', () => {
  it('outlives the store that wrote it', async () => {
    const { open, problems, directory } = scene()
    expect(await open().read('kms01.corp.example')).toBeUndefined()
    await open().write('kms01.corp.example', { record: 7, list: [1, 'ä'] })
    expect(await open().read('kms01.corp.example')).toEqual({ record: 7, list: [1, 'ä'] })
    expect(readdirSync(directory)).toEqual(['kms01.corp.example.json'])
    expect(problems).toEqual([])
  })

  it('is for its owner only', async () => {
    const { open, directory } = scene()
    await open().write('a', {})
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'a.json')).mode & 0o777).toBe(0o600)
  })

  it('is not written again while it is the same', async () => {
    const { open, directory } = scene()
    const store = open()
    await store.write('a', { n: 1 })
    const path = join(directory, 'a.json')
    utimesSync(path, OLD, OLD)
    await store.write('a', { n: 1 })
    expect(statSync(path).mtimeMs).toBe(OLD.getTime())
    // Another process, too, knows it once it has read it.
    const second = open()
    await second.read('a')
    await second.write('a', { n: 1 })
    expect(statSync(path).mtimeMs).toBe(OLD.getTime())
    await second.write('a', { n: 2 })
    expect(await open().read('a')).toEqual({ n: 2 })
  })

  it('is written again once its file is gone, or its directory', async () => {
    const { open, directory, problems } = scene()
    const store = open()
    await store.write('a', { n: 1 })
    rmSync(join(directory, 'a.json'))
    expect(await store.read('a')).toBeUndefined()
    expect(problems).toMatchObject([{ kind: 'unusable', detail: 'it was there, and is gone' }])
    await store.write('a', { n: 1 })
    expect(await open().read('a')).toEqual({ n: 1 })
    rmSync(directory, { recursive: true })
    await store.write('a', { n: 2 })
    expect(await open().read('a')).toEqual({ n: 2 })
    expect(problems).toHaveLength(1)
  })

  it('is the last one, of many written at once', async () => {
    const { open } = scene()
    const store = open()
    const writes = Array.from({ length: 50 }, (_, n) => store.write('a', { n }))
    expect(await store.read('a')).toEqual({ n: 49 })
    await Promise.all(writes)
    expect(await open().read('a')).toEqual({ n: 49 })
  })

  it('can be read, but not changed, by a second reader', async () => {
    const { open } = scene()
    const store = open()
    await store.write('a', { n: 1 })
    const reader = store.readOnly()
    await reader.write('a', { n: 2 })
    await reader.readOnly().write('b', { n: 2 })
    expect([await reader.read('a'), await reader.read('b')]).toEqual([{ n: 1 }, undefined])
    await store.write('a', { n: 3 })
    expect(await reader.read('a')).toEqual({ n: 3 })
  })

  it('stays in memory without a directory', async () => {
    const store = createStateStore(undefined)
    await store.write('a', { n: 1 })
    expect(await store.read('a')).toEqual({ n: 1 })
    expect(await store.readOnly().read('a')).toEqual({ n: 1 })
    expect(await createStateStore(undefined).read('a')).toBeUndefined()
  })
})

describe('a name', () => {
  it.each([
    '..',
    '../../etc/passwd',
    '/etc/passwd',
    'a\\..\\b',
    'C:\\x',
    '2001:db8::1',
    'KMS01',
    'ü.example',
    'a\u0000b',
    '',
    '~%41.tmp',
    'x'.repeat(5000),
    'ü'.repeat(200),
  ])('%j becomes one file of the directory', async (name) => {
    const { open, directory, problems } = scene()
    await open().write(name, { name })
    expect(await open().read(name)).toEqual({ name })
    const files = readdirSync(directory)
    expect(files).toHaveLength(1)
    expect(files[0]).toMatch(/^(?:[a-z0-9%~-][A-Za-z0-9.%~-]{0,190})?\.json$/)
    expect(problems).toEqual([])
  })

  it('is never another’s, also where capitals are not told apart', async () => {
    const { open, directory } = scene()
    const store = open()
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.string({ unit: 'binary' }), { maxLength: 5 }), async (names) => {
        for (const [index, name] of names.entries()) await store.write(name, { index })
        for (const [index, name] of names.entries()) expect(await store.read(name)).toEqual({ index })
      }),
      { numRuns: 30 },
    )
    await store.write('KMS01', {})
    await store.write('kms01', {})
    const files = readdirSync(directory).map((file) => file.toLowerCase())
    expect(new Set(files).size).toBe(files.length)
  })
})

describe('a file that is none of ours', () => {
  it('stays where it is for whoever only looks', async () => {
    const { open, directory, problems } = scene()
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'a.json'), '{')
    expect(await open().readOnly().read('a')).toBeUndefined()
    expect(problems).toMatchObject([{ kind: 'unusable' }])
    expect(readdirSync(directory)).toEqual(['a.json'])
  })

  it.each([
    ['cut off', '{"record": 7'],
    ['empty', ''],
    ['something else', '\u0000\u0001\u0002'],
    ['too large', ' '.repeat(17 * 2 ** 20)],
  ])('%s is put aside, said, and begun anew', async (_what, text) => {
    const { open, directory, problems } = scene()
    mkdirSync(directory, { recursive: true })
    const path = join(directory, 'a.json')
    writeFileSync(path, text)
    const store = open()
    expect(await store.read('a')).toBeUndefined()
    expect(problems).toMatchObject([{ kind: 'unusable', file: path, again: false }])
    expect(readFileSync(`${path}.corrupt`, 'utf8') === text).toBe(true)
    await store.write('a', { n: 1 })
    expect(await open().read('a')).toEqual({ n: 1 })
    expect(problems).toHaveLength(1)
  })

  it('is left alone while the system will not give it: the bookmark may well be in there', async () => {
    const { open, directory, problems } = scene()
    mkdirSync(directory, { recursive: true })
    // A file like any other, of which the kernel gives no byte (EIO).
    symlinkSync('/proc/self/mem', join(directory, 'a.json'))
    const read = open().read('a')
    await expect(read).rejects.toMatchObject({
      reason: 'not_configured',
      message: expect.stringContaining('EIO'),
    })
    expect(readdirSync(directory)).toEqual(['a.json'])
    expect(problems).toEqual([])
  })

  it('may be a directory or a socket', async () => {
    const { open, directory, problems } = scene()
    mkdirSync(join(directory, 'a.json'), { recursive: true })
    const server = createServer().listen(join(directory, 'b.json'))
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const store = open()
    expect(await store.read('a')).toBeUndefined()
    expect(await store.read('b')).toBeUndefined()
    expect(problems.map(({ detail }) => detail)).toEqual(['is not a file', 'is not a file'])
    await store.write('a', { n: 1 })
    await store.write('b', { n: 2 })
    expect([await open().read('a'), await open().read('b')]).toEqual([{ n: 1 }, { n: 2 }])
  })
})

describe('a directory that cannot be written', () => {
  it('is said once, and what was written is kept in memory until it can', async () => {
    const parent = temporary()
    const problems: StateProblem[] = []
    const directory = join(parent, 'state')
    writeFileSync(directory, 'in the way')
    const store = createStateStore(directory, (problem) => problems.push(problem))
    await store.write('a', { n: 1 })
    await store.write('a', { n: 1 })
    await store.write('a', { n: 2 })
    expect(await store.read('a')).toEqual({ n: 2 })
    expect(problems.map(({ kind, again }) => [kind, again])).toEqual([
      ['not_written', false],
      ['not_written', true],
      ['not_written', true],
      ['not_written', true],
    ])
    expect(await store.readOnly().read('a')).toEqual({ n: 2 })
    rmSync(directory)
    // There may be nothing new to write for hours: who reads it has it written.
    expect(await store.read('a')).toEqual({ n: 2 })
    expect(await createStateStore(directory).read('a')).toEqual({ n: 2 })
    expect(problems).toHaveLength(4)
    rmSync(directory, { recursive: true })
    writeFileSync(directory, 'in the way again')
    await store.write('a', { n: 3 })
    expect(problems.at(-1)).toMatchObject({ kind: 'not_written', again: false })
  })

  it('leaves nothing half written behind', async () => {
    const { open, directory, problems } = scene()
    mkdirSync(join(directory, 'a.json', 'not empty'), { recursive: true })
    await open().write('a', { n: 1 })
    expect(problems).toMatchObject([{ kind: 'not_written' }])
    expect(readdirSync(directory)).toEqual(['a.json'])
  })
})

describe('a value of another version', () => {
  it('is put aside as it is, and the next one takes its place', async () => {
    const { open, directory, problems } = scene()
    await open().write('a', { version: 2 })
    const store = open()
    expect(await store.read('a')).toEqual({ version: 2 })
    await store.setAside('a', 'of another version')
    expect(problems).toMatchObject([{ kind: 'unusable', detail: 'of another version', again: false }])
    expect(await store.read('a')).toBeUndefined()
    await store.write('a', { version: 1 })
    expect(readdirSync(directory)).toEqual(['a.json', 'a.json.unknown'])
    expect(readFileSync(join(directory, 'a.json.unknown'), 'utf8')).toBe('{"version":2}')
    expect(problems).toHaveLength(1)
  })

  it('is never written over, and the next one kept in memory, while it cannot be put aside', async () => {
    const { open, directory, problems } = scene()
    await open().write('a', { version: 2 })
    const inTheWay = join(directory, 'a.json.unknown')
    mkdirSync(join(inTheWay, 'not empty'), { recursive: true })
    const store = open()
    await store.read('a')
    await store.setAside('a', 'of another version')
    await store.write('a', { version: 1 })
    expect(await store.read('a')).toEqual({ version: 1 })
    expect(await open().read('a')).toEqual({ version: 2 })
    expect(problems.map(({ kind, again }) => [kind, again])).toEqual([
      ['unusable', false],
      ['not_written', false],
      ['not_written', true],
    ])
    rmSync(inTheWay, { recursive: true })
    await store.write('a', { version: 1 })
    expect(await open().read('a')).toEqual({ version: 1 })
    expect(readFileSync(inTheWay, 'utf8')).toBe('{"version":2}')
  })

  it('stays where it is for whoever only looks, and in memory is gone', async () => {
    const { open, directory, problems } = scene()
    await open().write('a', { version: 2 })
    await open().readOnly().setAside('a', 'of another version')
    expect(problems).toMatchObject([{ kind: 'unusable' }])
    expect(readdirSync(directory)).toEqual(['a.json'])
    const store = createStateStore(undefined)
    await store.write('a', { version: 2 })
    await store.readOnly().setAside('a', 'of another version')
    expect(await store.read('a')).toEqual({ version: 2 })
    await store.setAside('a', 'of another version')
    expect(await store.read('a')).toBeUndefined()
  })
})

it('what a dead process left half written is cleared away, what a living one writes is not', async () => {
  const { open, directory } = scene()
  mkdirSync(directory, { recursive: true })
  const dead = 2 ** 22 + 1
  const [gone, ours, anothers, old, ourOld] = [
    `a.json.${dead}.00000000.tmp`,
    `b.json.${process.pid}.00000001.tmp`,
    `c.json.${process.ppid}.00000002.tmp`,
    `d.json.${process.ppid}.00000003.tmp`,
    // In a container, each process has the number of the one before.
    `e.json.${process.pid}.00000004.tmp`,
  ]
  for (const name of [gone, ours, anothers, old, ourOld, 'notes.tmp'])
    writeFileSync(join(directory, name), '{')
  for (const name of [old, ourOld]) utimesSync(join(directory, name), OLD, OLD)
  await open().write('z', {})
  expect(readdirSync(directory)).toEqual([ours, anothers, 'notes.tmp', 'z.json'])
})

it('two processes that write at once leave one whole value, even with the same number', async () => {
  const { open, directory, problems } = scene()
  const stores = [open(), open(), open()]
  const large = 'x'.repeat(200_000)
  for (let n = 0; n < 10; n++) {
    await Promise.all(stores.map((store, by) => store.write('a', { n, by, large: large.slice(by * 1000) })))
    expect(await open().read('a')).toMatchObject({ n })
  }
  expect(problems).toEqual([])
  expect(readdirSync(directory)).toEqual(['a.json'])
})
