// The built exporter as a service of a real systemd: the first process of a PID namespace of its own, with cgroups and a
// /run of its own, on this machine's network. It has that one unit, and nothing of this machine's.
import { program } from '../real/servers/need.ts'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { MAIN, until } from '../e2e/built.ts'
import { guard } from '../real/servers/guard.ts'
import { freePort } from '../real/servers/ports.ts'
import { folderOf, SOON_SECONDS } from './exporter.ts'

export const SYSTEMD = '/lib/systemd/systemd'

export interface Service {
  readonly url: string
  /** Since the start of the machine: with another start of the exporter it goes on. */
  log(): string
  /** How each life of the exporter ended, in systemd's words: `watchdog killed ABRT`. */
  endings(): readonly string[]
  systemctl(...args: readonly string[]): Promise<string>
}

interface Unit {
  readonly yaml: string
  readonly planted?: string
  /** More lines for [Service]. */
  readonly lines?: readonly string[]
}

const BOOT = `set -e
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/systemd/system
cp "$1"/*.service "$1"/*.target /run/systemd/system
export container=other
exec "$2" --system --unit=alone.target --log-target=null --show-status=0`

/** Not waited for. Ended, with all that it has started, with the test. */
export async function asService({ yaml, planted = '', lines = [] }: Unit): Promise<Service> {
  const folder = await folderOf()
  const port = await freePort()
  const at = (name: string): string => join(folder, name)
  const exec = [process.execPath, '--require', at('plant.cjs'), MAIN, `--config.file=${at('winkms.yml')}`]
  const unit = `[Unit]
DefaultDependencies=no
[Service]
Type=notify
WorkingDirectory=${folder}
ExecStart=${exec.join(' ')} --web.listen-address=127.0.0.1:${port}
ExecReload=/bin/kill -HUP $MAINPID
ExecStopPost=/bin/sh -c 'echo $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS >> ${at('endings')}'
StandardOutput=append:${at('log')}
StandardError=append:${at('log')}
${lines.join('\n')}
`
  const target = `[Unit]
DefaultDependencies=no
AllowIsolate=yes
Wants=exporter.service
`
  await Promise.all([
    writeFile(at('winkms.yml'), yaml),
    writeFile(at('plant.cjs'), planted),
    writeFile(at('boot.sh'), BOOT),
    writeFile(at('exporter.service'), unit),
    writeFile(at('alone.target'), target),
  ])
  const flags = [
    '--pid',
    '--mount',
    '--cgroup',
    '--fork',
    '--kill-child',
    '--mount-proc',
    '--propagation',
    'private',
  ]
  const child = spawn(program('unshare'), [...flags, 'bash', at('boot.sh'), folder, SYSTEMD], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
  const watch = guard('kill -s KILL -- "-$1"', String(child.pid ?? 'none'))
  const ended = new Promise((resolve) => child.on('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
    watch.release()
  })
  const read = (name: string): string => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : '')
  const first = (): string => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()
  return {
    url: `http://127.0.0.1:${port}`,
    log: () => read('log'),
    endings: () => read('endings').split('\n').filter(Boolean),
    async systemctl(...args) {
      const pid = await until(SOON_SECONDS, 'systemd runs', () => first() || undefined)
      const inside = ['--target', pid, '--pid', '--mount', '--cgroup', 'systemctl', ...args]
      const command = spawn(program('nsenter'), inside, { stdio: ['ignore', 'pipe', 'pipe'] })
      let said = ''
      for (const stream of [command.stdout, command.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (said += text))
      await new Promise((resolve) => command.on('close', resolve))
      return said.trim()
    },
  }
}
