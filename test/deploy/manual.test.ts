// The manual page: what mandoc has to say against it, and that all flags come out of it as they were put in.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { commands } from '../../src/commands/commands.ts'
import { flagsOf } from '../../src/commands/options.ts'
import { program, realServer } from '../real/servers/need.ts'

const FILE = fileURLToPath(new URL('../../deploy/man/winkms-exporter.1', import.meta.url))

function mandoc(input: string, ...args: readonly string[]): string {
  const { stdout, error } = spawnSync(program('mandoc'), args, { input, encoding: 'utf8', timeout: 10_000 })
  if (error !== undefined) throw error
  return stdout
}

/** What is wrong with a page. Other pages that it names may not be installed, which is no fault of its own. */
const faults = (page: string): readonly string[] =>
  mandoc(page, '-T', 'lint', '-W', 'all')
    .split('\n')
    .filter((line) => line !== '' && !/mandoc\.db|referenced manual not found/.test(line))

it('is faultless, by mandoc', (context) => {
  realServer(context, ['mandoc'])
  const page = readFileSync(FILE, 'utf8')
  expect(faults(page)).toEqual([])
  // It would have been told.
  expect(faults(page.replace('.El', ''))).not.toEqual([])
  expect(faults(page.replace('.Sh NAME', '.Sh NAMEN'))).not.toEqual([])
})

it('has every command and flag, with what they are for', (context) => {
  realServer(context, ['mandoc'])
  const page = mandoc(readFileSync(FILE, 'utf8'), '-T', 'utf8', '-O', 'width=1000')
  // Bold and underlined letters are written over each other.
  const shown = page
    .replaceAll(/.\u0008/gu, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(' ...', '...')
  for (const command of commands) {
    expect(shown).toContain(command.usage)
    expect(shown).toContain(command.summary)
    for (const [name, { value, fallback, help }] of Object.entries(flagsOf(command))) {
      expect(shown).toContain(`--${name}${value === undefined ? '' : `=${value}`} ${help}.`)
      if (fallback !== undefined) expect(shown).toContain(`Default: ${fallback}.`)
    }
  }
})

it('is installed by npm', () => {
  const { man } = JSON.parse(readFileSync(join(FILE, '../../../package.json'), 'utf8')) as { man: string }
  expect(join(FILE, '../../..', man)).toBe(FILE)
})
