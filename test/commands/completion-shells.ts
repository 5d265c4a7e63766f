// Real shells that complete: one that a person would type to, at a terminal of its own, and what it then offers and writes.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { guard } from '../real/servers/guard.ts'
import { program } from '../real/servers/need.ts'
import { until } from '../e2e/built.ts'

const PROMPT = 'READY> '
const TAB = '\t'
/** Ctrl-T, by which the shells below write down what stands at their prompt, and clear it. */
const WRITE_DOWN = '\u0014'
const SOON_SECONDS = 30

export interface Completed {
  /** Whole words, or what is left of them after the last "=". */
  readonly offered: readonly string[]
  readonly line: string
}

export interface Shell {
  /** Types `line` and a tab. */
  complete(line: string): Promise<Completed>
  stop(): Promise<void>
}

const BASH = `PS1='${PROMPT}'
source ./script
spy() {
  _winkms_exporter "$@"
  printf '%s\\n' "\${COMPREPLY[@]}" > offered
}
complete -F spy winkms-exporter
write_down() {
  printf '%s' "$READLINE_LINE" > line.new
  mv line.new line
  READLINE_LINE=
}
bind -x '"\\C-t": write_down'
bind 'set bell-style none'
`

const ZSH = `PROMPT='${PROMPT}' LISTMAX=10000
autoload -Uz compinit && compinit -D -u
compadd() {
  local -a matched
  # With these, nothing is offered: an array is filled, or loses what does not match.
  if [[ " $*" != *' '-[OAD]\\ * ]]; then
    builtin compadd -A matched "$@"
    print -rl -- $matched >> offered
  fi
  builtin compadd "$@"
}
source ./script
write_down() {
  print -rn -- "$BUFFER" > line.new
  command mv line.new line
  BUFFER=
}
zle -N write_down
bindkey '^T' write_down
setopt no_beep
`

/** `folder` is made, and where the shell stands. */
export async function startShell(
  name: 'bash' | 'zsh',
  folder: string,
  script: string,
  setting = '',
): Promise<Shell> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'script'), script)
  writeFileSync(join(folder, '.zshrc'), ZSH)
  writeFileSync(join(folder, 'bashrc'), setting + BASH)
  const command =
    name === 'zsh' ? `${program('zsh')} -d -i` : `${program('bash')} --noprofile --rcfile ./bashrc -i`
  // A terminal of its own comes from script(1).
  const child = spawn(program('script'), ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: folder,
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      ZDOTDIR: folder,
      HOSTFILE: join(folder, 'hosts'),
      TERM: 'vt100',
      LC_ALL: 'C.UTF-8',
    },
  })
  const watch = guard('kill -s KILL -- "-$1"', String(child.pid ?? 'none'))
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text))
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  await until(
    SOON_SECONDS,
    () => `${name} has a prompt: ${shown}`,
    () => shown.includes(PROMPT) || undefined,
  )
  const [offered, written] = [join(folder, 'offered'), join(folder, 'line')]
  return {
    async complete(line) {
      for (const file of [offered, written]) rmSync(file, { force: true })
      child.stdin.write(line + TAB + WRITE_DOWN)
      await until(
        SOON_SECONDS,
        () => `${name} has completed "${line}": ${shown}`,
        () => existsSync(written) || undefined,
      )
      const words = existsSync(offered) ? readFileSync(offered, 'utf8').split('\n') : []
      return { offered: words.filter((word) => word !== ''), line: readFileSync(written, 'utf8') }
    },
    async stop() {
      child.stdin.end('exit\n')
      await ended
      watch.release()
    },
  }
}

/** fish says by itself what it would offer. */
export function completedByFish(folder: string, script: string, line: string): readonly string[] {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'script'), script)
  const out = execFileSync(
    program('fish'),
    ['--no-config', '--private', '--command', 'source ./script; complete -C $argv[1]', '--', line],
    { cwd: folder, encoding: 'utf8', timeout: 20_000, env: { PATH: process.env['PATH'], HOME: folder } },
  )
  return out
    .split('\n')
    .filter((each) => each !== '')
    .map((each) => each.split('\t')[0] ?? '')
}
