// A rendered pod as a process: its arguments, environment and files, as the kubelet would lay them out, over a read-only root,
// as its user, without capabilities, in a network of its own. What it stands in for: the image (the build and this machine's
// Node.js and libraries), and the container runtime. No kubelet is imitated beyond its files and its probes.
import { execFile } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { start, until, type Running } from '../../e2e/built.ts'
import { program } from '../../real/servers/need.ts'
import type { Container, StatefulSet } from './objects.ts'
import type { KubernetesObject } from './render.ts'

type Files = Readonly<Record<string, string>>
/** By name, as they would be in the cluster. */
export interface Cluster {
  readonly configMaps: Readonly<Record<string, Files>>
  readonly secrets: Readonly<Record<string, Files>>
}

export function clusterOf(objects: readonly KubernetesObject[], secrets: Cluster['secrets'] = {}): Cluster {
  const maps = objects.filter(({ kind }) => kind === 'ConfigMap')
  return {
    secrets,
    configMaps: Object.fromEntries(maps.map((map) => [map.metadata.name, map['data'] as Files])),
  }
}

// $1: the scratch folder, $2 Node.js, $3 the bundle, then the arguments. What has to be there is bound in, and the rest is
// empty; `mounts` has a line for each volume: its folder below $1, and its path.
const CONTAINER = `set -e
scratch=$1 node=$2 bundle=$3; shift 3
root=$scratch/root
mount -t tmpfs -o mode=755 none "$root"
cd "$root"
mkdir usr proc dev app etc
for each in lib lib64 bin; do cp -a "/$each" "$each" 2>/dev/null || true; done
mount --bind -o ro /usr usr
mount --bind /proc proc
mount --bind /dev dev
cp -r "\${bundle%/*}/." app
cp "$node" node
printf 'search monitoring.svc.cluster.local svc.cluster.local cluster.local\\nnameserver 127.0.0.10\\n' > etc/resolv.conf
while read -r folder path options; do
  if [ -d "$scratch/$folder" ]; then mkdir -p ".$path"; else mkdir -p ".\${path%/*}"; : > ".$path"; fi
  mount --bind "$scratch/$folder" ".$path"
  mount -o "remount,bind,$options" ".$path"
done < "$scratch/mounts"
ip link set lo up
mount -o remount,ro "$root"
exec chroot . /usr/bin/setpriv --reuid=65532 --regid=65532 --groups=65532 --no-new-privs --bounding-set=-all \\
  --inh-caps=-all -- /node /app/main.js "$@"`

/** As the kubelet does: each key a link through `..data`, which is exchanged whole. */
function layOut(folder: string, files: Files): void {
  const data = `..${Math.random().toString(36).slice(2)}`
  mkdirSync(join(folder, data), { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, data, name)
    writeFileSync(file, content)
    // A Secret's mode in the chart, and the group of fsGroup.
    chmodSync(file, 0o440)
    chownSync(file, 0, 65_532)
  }
  symlinkSync(data, join(folder, '..new'))
  renameSync(join(folder, '..new'), join(folder, '..data'))
}

function firstLayOut(folder: string, files: Files): void {
  layOut(folder, files)
  for (const name of Object.keys(files)) symlinkSync(`..data/${name}`, join(folder, name))
}

function environmentOf({ env = [] }: Container, { secrets }: Cluster): Record<string, string> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => {
      const { secretKeyRef } = valueFrom ?? {}
      const secret = secretKeyRef === undefined ? value : secrets[secretKeyRef.name]?.[secretKeyRef.key]
      if (secret === undefined) throw new Error(`${name} has no value`)
      return [name, secret]
    }),
  )
}

export interface Answer {
  readonly status: number
  readonly body: string
}

const ASK = `
  const { request } = await import(new URL(process.argv[1]).protocol.slice(0, -1))
  const asked = request(process.argv[1], { rejectUnauthorized: false, auth: process.argv[2], timeout: 5000 }, async (answer) => {
    let body = ''
    for await (const part of answer) body += part
    process.stdout.write(JSON.stringify({ status: answer.statusCode, body }))
  })
  asked.on('timeout', () => asked.destroy(new Error('timeout'))).end()`

export interface Pod {
  readonly running: Running
  /** From within its network, on the port of the container. `auth`: as NAME:PASSWORD. Rejects when nobody answers. */
  get(path: string, auth?: string): Promise<Answer>
  /** Resolves when all three of its probes have succeeded. */
  ready(): Promise<void>
  /** What the kubelet does when a Secret has changed. */
  renew(volume: string, files: Files): void
  stop(): Promise<void>
}

export function startPod({ spec }: StatefulSet, cluster: Cluster): Pod {
  const { containers, volumes } = spec.template.spec
  const [container] = containers
  const scratch = mkdtempSync(join(tmpdir(), 'winkms-pod-'))
  // Through it the process comes to its files.
  chmodSync(scratch, 0o755)
  mkdirSync(join(scratch, 'root'))
  for (const { name, configMap, secret } of volumes) {
    const folder = join(scratch, name)
    mkdirSync(folder)
    const files = configMap ? cluster.configMaps[configMap.name] : cluster.secrets[secret?.secretName ?? '']
    if (files !== undefined) firstLayOut(folder, files)
    else if (configMap !== undefined || secret !== undefined)
      throw new Error(`nothing for the volume ${name}`)
  }
  mkdirSync(join(scratch, 'storage'), { recursive: true })
  chownSync(join(scratch, 'storage'), 65_532, 65_532)
  const mounts = container.volumeMounts.map(
    ({ name, mountPath, readOnly }) => `${name} ${mountPath} ${readOnly === true ? 'ro' : 'rw'}\n`,
  )
  writeFileSync(join(scratch, 'mounts'), mounts.join(''))
  const before = [
    program('unshare'),
    '--mount',
    '--net',
    '--propagation',
    'private',
    'sh',
    '-c',
    CONTAINER,
    'pod',
    scratch,
  ]
  const running = start(container.args, { before, env: environmentOf(container, cluster) })

  const [probe] = [container.readinessProbe.httpGet]
  const port = container.ports.find(({ name }) => name === (probe?.port ?? 'metrics'))?.containerPort
  const scheme = (probe?.scheme ?? 'HTTP').toLowerCase()
  async function get(path: string, auth = ''): Promise<Answer> {
    const url = `${scheme}://127.0.0.1:${port}${path}`
    const args = [
      `--net=/proc/${running.pid}/ns/net`,
      process.execPath,
      '--input-type=module',
      '--eval',
      ASK,
      url,
      auth,
    ]
    const { stdout } = await promisify(execFile)(program('nsenter'), args, {
      maxBuffer: 64 << 20,
      timeout: 10_000,
    })
    return JSON.parse(stdout) as Answer
  }
  return {
    running,
    get,
    async ready() {
      for (const { httpGet } of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
        const what = (): string => `${httpGet?.path} succeeds\n${running.out()}${running.err()}`
        await until(30, what, async () => {
          if (running.ending() !== undefined) throw new Error(`the pod has ended\n${running.err()}`)
          const answer = await get(httpGet?.path ?? '').catch(() => undefined)
          return answer !== undefined && answer.status >= 200 && answer.status < 400 ? true : undefined
        })
      }
    },
    renew: (volume, files) => layOut(join(scratch, volume), files),
    async stop() {
      await running.stop()
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}
