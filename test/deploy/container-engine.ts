// buildah and podman with a store of their own in a temporary folder, in a mount namespace of their own: this machine's
// containers and cgroups are not touched, and nothing is left.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guard } from '../real/servers/guard.ts'
import { program } from '../real/servers/need.ts'
import { until } from '../e2e/built.ts'
import { BASES, npmMounts } from './container-bases.ts'

const ROOT = join(import.meta.dirname, '../..')
const BUILD_SECONDS = 280
const SECONDS = 60

export interface Done {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Engine {
  readonly folder: string
  /** Builds the Dockerfile as it is; what it answers is the image's id. */
  build(file: string, ...args: readonly string[]): Promise<string>
  podman(...args: readonly string[]): Promise<Done>
  stop(): Promise<void>
}

// crun does not take cgroups of both kinds side by side, which some machines have.
const ALONE = 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && touch "$1/alone" && exec sleep infinity'

async function makeNamespace(folder: string): Promise<ChildProcess> {
  const flags = ['--mount', '--propagation', 'private', 'sh', '-ec', ALONE, 'sh', folder]
  const child = spawn(program('unshare'), flags, { stdio: ['ignore', 'ignore', 'inherit'] })
  await until(SECONDS, 'there is a mount namespace', () => existsSync(join(folder, 'alone')) || undefined)
  return child
}

export async function startEngine(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'winkms-engine-'))
  const namespace = await makeNamespace(folder)
  const pid = String(namespace.pid)
  const store = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
  const within = ['--target', pid, '--mount', `--wd=${ROOT}`]
  const podman = [program('podman'), ...store, '--tmpdir', join(folder, 'tmp'), '--runtime', program('crun')]
  podman.push('--cgroup-manager', 'cgroupfs', '--events-backend', 'none')
  const cleanUp =
    'pid=$1; folder=$2; shift 2; nsenter --target "$pid" --mount "$@" rm --all --force; kill "$pid"'
  const watch = guard(`${cleanUp}; rm -rf "$folder"`, pid, folder, ...podman)

  const call = (command: readonly string[], seconds: number): Promise<Done> =>
    new Promise((resolve) => {
      const options = { timeout: seconds * 1000, maxBuffer: 64 * 1024 * 1024 }
      execFile(program('nsenter'), [...within, ...command], options, (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err })
      })
    })
  const must = async (command: readonly string[], seconds = SECONDS): Promise<string> => {
    const { code, out, err } = await call(command, seconds)
    if (code !== 0) throw new Error(`${command.join(' ')}: ${code}\n${out}\n${err}`)
    return out.trim()
  }
  const buildah = [program('buildah'), ...store]

  return {
    folder,
    async build(file, ...args) {
      for (const [index, [name, make]] of Object.entries(BASES).entries()) {
        const root = join(folder, `base-${index}`)
        mkdirSync(root)
        make(root)
        const container = await must([...buildah, 'from', 'scratch'])
        await must([...buildah, 'add', '--quiet', container, root, '/'])
        const full = name.includes('/') ? name : `docker.io/library/${name}`
        await must([...buildah, 'commit', '--rm', '--quiet', container, full])
        rmSync(root, { recursive: true })
      }
      // No image format but Docker's has a health check.
      const how = ['--isolation', 'chroot', '--pull-never', '--format', 'docker', '--quiet']
      const printed = await must(
        [...buildah, 'bud', ...how, ...npmMounts(folder), ...args, '--file', file, ROOT],
        BUILD_SECONDS,
      )
      return printed.split('\n').at(-1) ?? ''
    },
    podman: (...args) => call([...podman, ...args], SECONDS),
    async stop() {
      await call([...podman, 'rm', '--all', '--force', '--time', '0'], SECONDS)
      namespace.kill('SIGKILL')
      if (namespace.exitCode === null && namespace.signalCode === null) await once(namespace, 'exit')
      rmSync(folder, { recursive: true, force: true })
      watch.release()
    },
  }
}
