// Where a page is followed as a person would: a folder that looks like a clone, the commands of the page run by a shell in
// it, and what the page shows compared with what they print. Only addresses are others, for many tests run at once.
import { spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { build, freeNetwork, until, type Ending } from '../e2e/built.ts'
import { guard } from '../real/servers/guard.ts'
import { freePort } from '../real/servers/ports.ts'
import { blocksOf, ROOT } from './pages.ts'

const COMMAND_SECONDS = 30
const END_SECONDS = 10

export interface Ran {
  readonly ending: Ending
  /** Both streams, as a terminal shows them. */
  readonly output: string
}

export interface Staying {
  readonly output: () => string
  readonly ending: () => Ending | undefined
  /** As Ctrl-C does; resolves when it has ended. */
  interrupt(): Promise<void>
}

export interface Stage {
  readonly folder: string
  /** First two numbers of the simulated hosts' addresses. */
  readonly network: string
  /** As the pages have it, in the words of this stage; and back. */
  here(text: string): string
  there(text: string): string
  write(name: string, text: string): Promise<void>
  run(command: string): Promise<Ran>
  /** For what runs until it is told to stop. */
  begin(command: string): Staying
  /** Ends all that has begun, and removes the folder. */
  leave(): Promise<void>
}

/**
 * Pages write the usual ports, and addresses of documentation (RFC 5737) for machines of their readers: the first resolver
 * of the simulated estate, and its two healthy hosts.
 */
async function addresses(network: string): Promise<readonly (readonly [page: string, stage: string])[]> {
  const ports = await Promise.all(
    ['11688', '11689', '9090', '9093', '9115'].map(async (port) => [port, await freePort()]),
  )
  return [
    ...ports.flatMap(([port, own]) => [
      [`127.0.0.1:${port}`, `127.0.0.1:${own}`] as const,
      [`localhost:${port}`, `localhost:${own}`] as const,
    ]),
    ['192.0.2.10', `${network}.1.1`],
    ['192.0.2.11', `${network}.1.2`],
    ['192.0.2.1:53', `${network}.0.53:10053`],
    ['192.0.2.1', `${network}.0.53:10053`],
    ['127.88', network],
  ]
}

/** All at once, so that nothing is replaced twice; a number is not torn apart. */
function replaceAll(text: string, pairs: readonly (readonly [from: string, to: string])[]): string {
  const known = new Map(pairs.toReversed())
  const anyOf = pairs.map(([from]) => from.replaceAll('.', '\\.')).join('|')
  return text.replaceAll(
    new RegExp(`(?<![\\d.])(?:${anyOf})(?!\\d)`, 'g'),
    (found) => known.get(found) ?? found,
  )
}

export async function makeStage(): Promise<Stage> {
  await build()
  const folder = await mkdtemp(join(tmpdir(), 'winkms-docs-'))
  await symlink(join(ROOT, 'dist'), join(folder, 'dist'))
  await cp(join(ROOT, 'deploy'), join(folder, 'deploy'), { recursive: true })
  const network = await freeNetwork()
  const pairs = await addresses(network)
  const staying: Staying[] = []

  function begin(command: string): Staying {
    // What the demo takes where it is told nothing.
    const defaults = [`--demo.network=${network}`, '--web.listen-address=127.0.0.1:11688']
    const untold = defaults.filter((flag) => !command.includes(flag.split('=')[0] ?? flag))
    const ours = command.replaceAll(/^node dist\/main\.js demo\b/gm, ['$&', ...untold].join(' '))
    const child = spawn('bash', ['-c', replaceAll(ours, pairs)], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter),
        HOME: folder,
        LC_ALL: 'C',
      },
    })
    const watch = guard('kill -s KILL -- "-$1"', String(child.pid ?? 'none'))
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    let ending: Ending | undefined
    child.on('error', (error) => (output += error.message))
    child.on('close', (code, signal) => {
      ending = code ?? signal ?? 'SIGKILL'
      watch.release()
    })
    // The whole group, as a terminal does: the shell waits for what it has started.
    const signal = (name: NodeJS.Signals): void => {
      if (ending === undefined && child.pid !== undefined) process.kill(-child.pid, name)
    }
    return {
      output: () => output,
      ending: () => ending,
      interrupt: async () => {
        signal('SIGINT')
        try {
          await until(END_SECONDS, `${command} ends`, () => ending)
        } catch (error) {
          signal('SIGKILL')
          throw error
        }
      },
    }
  }

  return {
    folder,
    network,
    here: (text) => replaceAll(text, pairs),
    there: (text) =>
      replaceAll(
        text,
        // Addresses of documentation stand for some of the network's, and are not guessed back.
        pairs.filter(([page]) => !page.startsWith('192.0.2.')).map(([page, own]) => [own, page]),
      ),
    write: async (name, text) => {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), replaceAll(text, pairs))
    },
    run: async (command) => {
      const running = begin(command)
      try {
        const ending = await until(
          COMMAND_SECONDS,
          () => `${command} ends\n${running.output()}`,
          running.ending,
        )
        return { ending, output: running.output() }
      } finally {
        if (running.ending() === undefined) await running.interrupt()
      }
    },
    begin: (command) => {
      const running = begin(command)
      staying.push(running)
      return running
    },
    leave: async () => {
      await Promise.all(staying.map((each) => each.interrupt()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What no two runs say alike. */
function settled(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/g, 'TIME')
    .replaceAll(/@\[[\d.]+\]/g, '@[TIME]')
    .replaceAll(/[+-]?\d+(?:\.\d+)? ms ± \d+(?:\.\d+)? ms/g, 'OFFSET')
}

/** The lines that a page shows and the output lacks, or has in another order; `...` stands for any lines. */
export function lacks(shown: string, output: string): readonly string[] {
  const lines = settled(output)
    .split('\n')
    .map((line) => line.trimEnd())
  const missing: string[] = []
  let from = 0
  for (const line of settled(shown)
    .split('\n')
    .map((each) => each.trimEnd())) {
    if (line === '' || line.trim() === '...') continue
    const found = lines.indexOf(line, from)
    if (found === -1) missing.push(line)
    else from = found + 1
  }
  return missing
}

export interface Step {
  readonly at: string
  /** A file to write, a command, or a command with what it prints. */
  readonly kind: 'file' | 'command' | 'shown'
  readonly name: string
  readonly text: string
}

/** The blocks of a page that are something to do, in order. A file's first line is a comment with its name. */
export function stepsOf(page: string): readonly Step[] {
  return blocksOf(page).flatMap(({ at, language, text }): readonly Step[] => {
    const [, file] = /^# ([\w./-]+\.ya?ml)$/m.exec(text.split('\n')[0] ?? '') ?? []
    if (language === 'yaml' && file !== undefined) return [{ at, kind: 'file', name: file, text }]
    if (language === 'sh') return [{ at, kind: 'command', name: text.trim(), text: '' }]
    if (language !== 'console') return []
    return text
      .split(/^\$ /m)
      .slice(1)
      .map((part): Step => {
        const [name = '', ...lines] = part.split('\n')
        return { at, kind: 'shown', name, text: lines.join('\n') }
      })
  })
}
