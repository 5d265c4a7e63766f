// A throw-away machine: this one's root file system with a layer in memory above it, processes of its own, and no network
// but loopback. Nothing that is done in it stays. With systemd it has systemd's own targets, and what is installed there.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from '../real/servers/need.ts'
import { guard } from '../real/servers/guard.ts'
import { until } from '../e2e/built.ts'

const SOON_SECONDS = 30
export const SYSTEMD = '/lib/systemd/systemd'

export interface Ran {
  readonly code: number | null
  /** Of both. */
  readonly said: string
}

export interface Machine {
  /** /srv/shared of the machine. */
  readonly shared: string
  run(...command: readonly string[]): Promise<Ran>
  /** A shell's commands; rejects, with what was said, unless they succeed. */
  sh(script: string): Promise<string>
  /** Status and text that a URL of the machine answers with; undefined while nobody does. */
  get(url: string): Promise<{ readonly status: number; readonly body: string } | undefined>
  /** By dpkg, from the shared folder. Rejects, with what was said, when it cannot be installed. */
  install(file: string, ...flags: readonly string[]): Promise<string>
  stop(): Promise<void>
}

/** Arguments: the folder, this Node.js, and what the first process is. */
const BOOT = `set -e
folder=$1 node=$2
shift 2
mkdir "$folder/layer"
mount -t tmpfs -o mode=755 tmpfs "$folder/layer"
cd "$folder/layer"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
mkdir -p srv/shared old
mount --bind "$folder/shared" srv/shared
[ "$node" -ef usr/bin/node ] || mount --bind "$node" usr/bin/node
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
rm -rf etc/systemd/system/* lib/systemd/system/*.wants lib/systemd/system-generators usr/sbin/policy-rc.d
ip link set lo up
pivot_root . old
umount -l old
# As systemd has it, but in containers; credentials are mounted by a process with mounts of its own.
mount --make-rshared /
export container=other
exec "$@"`

const GET = `fetch(process.argv[1], { signal: AbortSignal.timeout(10000) })
  .then(async (answer) => console.log(JSON.stringify({ status: answer.status, body: await answer.text() })))
  .catch(() => { process.exitCode = 1 })`

/** To be ended with stop(). */
export async function startMachine(first: 'systemd' | 'nothing'): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-machine-'))
  const shared = join(folder, 'shared')
  await Promise.all([mkdir(shared), writeFile(join(folder, 'boot.sh'), BOOT)])
  const systemd = [SYSTEMD, '--system', '--unit=multi-user.target', '--log-target=null', '--show-status=0']
  const flags = '--pid --mount --cgroup --ipc --net --fork --kill-child --propagation private'.split(' ')
  const boot = ['bash', join(folder, 'boot.sh'), folder, process.execPath]
  const child = spawn(
    program('unshare'),
    [...flags, ...boot, ...(first === 'systemd' ? systemd : ['sleep', 'infinity'])],
    { stdio: ['ignore', 'inherit', 'inherit'], detached: true },
  )
  const watch = guard('kill -s KILL -- "-$1"; rm -rf -- "$2"', String(child.pid ?? 'none'), folder)
  let alive = true
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => {
      alive = false
      resolve()
    })
  })
  const inside = (): string | undefined => {
    if (!alive) throw new Error('the machine did not start')
    const file = `/proc/${child.pid}/task/${child.pid}/children`
    return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined
  }

  async function run(...command: readonly string[]): Promise<Ran> {
    const pid = await until(SOON_SECONDS, 'there is a first process', inside)
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C.UTF-8',
      DEBIAN_FRONTEND: 'noninteractive',
    }
    const enter = ['--target', pid, '--pid', '--mount', '--cgroup', '--ipc', '--net', ...command]
    const running = spawn(program('nsenter'), enter, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
      timeout: 60_000,
    })
    let said = ''
    for (const stream of [running.stdout, running.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (said += text))
    const code = await new Promise<number | null>((resolve) => running.on('close', resolve))
    return { code, said: said.trim() }
  }

  const machine: Machine = {
    shared,
    run,
    async sh(script) {
      const { code, said } = await run('sh', '-ec', script)
      if (code !== 0) throw new Error(`${script}\nended with ${code}: ${said}`)
      return said
    },
    async get(url) {
      const { code, said } = await run('node', '--eval', GET, url)
      return code === 0 ? (JSON.parse(said) as { status: number; body: string }) : undefined
    },
    // Node.js may have come to this machine without dpkg's knowing.
    install: (file, ...flags) =>
      machine.sh(`dpkg-query -W nodejs >/dev/null 2>&1 || known=--force-depends
dpkg $known ${flags.join(' ')} -i "/srv/shared/${file}"`),
    async stop() {
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
      watch.release()
    },
  }
  // Until then its first process still is the shell that makes it.
  const up =
    first === 'systemd'
      ? async () =>
          /^(running|degraded)$/.test((await run('systemctl', 'is-system-running')).said) ? true : undefined
      : async () => ((await run('test', '-d', '/srv/shared')).code === 0 ? true : undefined)
  try {
    await until(SOON_SECONDS, 'the machine is up', up)
  } catch (error) {
    await machine.stop()
    throw error
  }
  return machine
}
