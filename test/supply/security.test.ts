// SECURITY.md names the test behind each of its claims: they are there.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from './copy.ts'

const text = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8')

it('names tests that there are, and links to what there is', () => {
  const tests = [...text.matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path)
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path)
  expect(tests.length).toBeGreaterThan(20)
  expect([...tests, ...links].filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
})

it('leaves no claim about an attacker without one', () => {
  const rows = text.split('\n').filter((line) => /^\| (?:can|cannot) \|/.test(line))
  expect(rows.length).toBeGreaterThan(15)
  const cannot = rows.filter((row) => row.startsWith('| cannot') && !row.includes('<!-- doors -->'))
  expect(cannot.filter((row) => !/`test\//.test(row))).toEqual([])
})
