// What file systems other than ours make of names, and what Windows does to those who replace a file.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, win32 } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fileName, moveOver } from '../../src/io/state-file.ts'

/** Naming Files, Paths, and Namespaces (learn.microsoft.com). */
const RESERVED = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)/i
const FORBIDDEN = /[<>:"/\\|?*\u{0}-\u{1f}]|[. ]$/u

describe('the name of a file', () => {
  it.each([
    ['con', '%63on.json'],
    ['nul.corp.example', '%6Eul.corp.example.json'],
    ['com1', '%63om1.json'],
    ['lpt9.x', '%6Cpt9.x.json'],
    ['console', 'console.json'],
    ['activity-aux.corp.example', 'activity-aux.corp.example.json'],
    ['2001:db8::1', '2001%3Adb8%3A%3A1.json'],
    [String.raw`..\secret`, '%2E.%5Csecret.json'],
    ['KMS01', '%4B%4D%5301.json'],
  ])('%s is %s', (name, file) => {
    expect(fileName(name)).toBe(file)
  })

  it('is one to Windows as well, in the same directory, and another for every name', () => {
    const name = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 300 }),
      fc.constantFrom('con', 'nul.', 'AUX', 'com¹', 'prn.x', 'a ', 'a.', 'c:', String.raw`\\host\share`),
    )
    const check = fc.property(name, name, (one, other) => {
      const file = fileName(one)
      expect(file).not.toMatch(RESERVED)
      expect(file).not.toMatch(FORBIDDEN)
      expect(win32.dirname(win32.join(String.raw`C:\data`, file))).toBe(String.raw`C:\data`)
      // With what a temporary file has besides.
      expect(file.length).toBeLessThanOrEqual(220)
      if (one !== other) expect(file.toLowerCase()).not.toBe(fileName(other).toLowerCase())
    })
    fc.assert(check, { numRuns: 2_000 })
  })
})

describe('a file in the place of another', () => {
  const refusal = (code: string): Error => Object.assign(new Error(code), { code })
  /** Refuses so many times. */
  function held(times: number, code = 'EPERM') {
    const moves: string[] = []
    const move = async (from: unknown, to: unknown): Promise<void> => {
      moves.push(`${String(from)} ${String(to)}`)
      if (moves.length <= times) throw refusal(code)
    }
    return { moves, move }
  }

  it.each(['EPERM', 'EACCES', 'EBUSY'])('is put there on Windows once nobody holds it: %s', async (code) => {
    const { moves, move } = held(3, code)
    await moveOver('a.tmp', 'a', { platform: 'win32', move })
    expect(moves).toEqual(Array(4).fill('a.tmp a'))
  })

  it('is not waited for longer than a second or so', async () => {
    const { moves, move } = held(99)
    const begin = performance.now()
    await expect(moveOver('a.tmp', 'a', { platform: 'win32', move })).rejects.toThrow('EPERM')
    expect(moves).toHaveLength(5)
    expect(performance.now() - begin).toBeGreaterThan(700)
  })

  it('is not tried again for another reason, nor on another system', async () => {
    const full = held(1, 'ENOSPC')
    await expect(moveOver('a', 'b', { platform: 'win32', move: full.move })).rejects.toThrow('ENOSPC')
    const refused = held(1)
    await expect(moveOver('a', 'b', { platform: 'linux', move: refused.move })).rejects.toThrow('EPERM')
    expect([full.moves, refused.moves].map(({ length }) => length)).toEqual([1, 1])
  })

  it('is there', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'winkms-move-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const [from, to] = [join(folder, 'a.tmp'), join(folder, 'a')]
    writeFileSync(to, 'before')
    writeFileSync(from, 'after')
    await moveOver(from, to, { platform: 'win32' })
    expect(readFileSync(to, 'utf8')).toBe('after')
  })
})
