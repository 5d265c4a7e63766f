// The Dockerfile, built by buildah over stand-ins for its base images (container-bases.ts says what they are), and what comes
// out of it run by podman and crun just as compose.yml says: another user, a root file system that cannot be written, no
// capabilities. Not run here: Docker itself, and the real base images.
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { causesByHost, until } from '../e2e/built.ts'
import { program, realServer } from '../real/servers/need.ts'
import { FOLDER, mountsOf, ROOT, serviceOf, type Service } from './compose.ts'
import { startEngine, type Done, type Engine } from './container-engine.ts'

const BUILD_MILLISECONDS = 300_000
const PATIENCE_SECONDS = 40
vi.setConfig({ testTimeout: 120_000 })
const REVISION = '0123456789abcdef0123456789abcdef01234567'
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

interface Config {
  readonly User: string
  readonly ExposedPorts: Readonly<Record<string, object>>
  readonly Env: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[] | null
  readonly Volumes: Readonly<Record<string, object>>
  readonly WorkingDir: string
  readonly Labels: Readonly<Record<string, string>>
  readonly StopSignal: string
}

let engine: Engine | undefined
let image = ''
beforeEach(async (context) => {
  const programs = ['buildah', 'podman', 'conmon', 'crun', 'catatonit', 'nsenter', 'unshare'] as const
  realServer(context, ['root', 'namespaces', ...programs])
  if (engine !== undefined) return
  engine = await startEngine()
  image = await engine.build(join(FOLDER, 'Dockerfile'), '--build-arg', `REVISION=${REVISION}`)
}, BUILD_MILLISECONDS)
afterAll(async () => engine?.stop())

const podman = async (...args: readonly string[]): Promise<Done> => {
  if (engine === undefined) throw new Error('there is no engine')
  return engine.podman(...args)
}

let count = 0

/** What compose.yml says of a service, as flags of podman. `files` takes the place of secrets. */
function flagsOf(service: Service, secrets: Readonly<Record<string, string>> = {}): readonly string[] {
  const folder = join(engine?.folder ?? '', `secrets-${(count += 1)}`)
  mkdirSync(folder)
  const secretMounts = (service.secrets ?? []).flatMap((name) => {
    const path = join(folder, name)
    writeFileSync(path, secrets[name] ?? '')
    chmodSync(path, 0o400)
    chownSync(path, 65_532, 65_532)
    return ['--volume', `${path}:/run/secrets/${name}:ro`]
  })
  return [
    ...(service.init === true ? ['--init', `--init-path=${program('catatonit')}`] : []),
    ...(service.read_only ? ['--read-only', '--read-only-tmpfs=false'] : []),
    ...service.cap_drop.map((name) => `--cap-drop=${name}`),
    ...service.security_opt.map((option) => `--security-opt=${option.replace(/:true$/, '')}`),
    ...mountsOf(service).flatMap(({ from, to, readOnly }) => [
      '--volume',
      `${from}:${to}${readOnly ? ':ro' : ''}`,
    ]),
    ...(service.tmpfs ?? []).flatMap((path) => ['--tmpfs', path]),
    ...secretMounts,
  ]
}

// No network but loopback, and no cgroups: what limits the processes is not tested here.
const HERE = [
  '--network=none',
  '--cgroups=disabled',
  '--pids-limit=-1',
  '--ulimit=nofile=1024:1024',
  '--ulimit=nproc=512:512',
]

interface Process {
  readonly pid: number
  /** Empty of a zombie. */
  readonly line: string
  /** As proc(5) has it. */
  readonly status: string
}

const OTHERS = `
  const { readdirSync, readFileSync } = require('node:fs')
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && name !== String(process.pid)).map(Number)
  const read = (pid, name) => readFileSync('/proc/' + pid + '/' + name, 'utf8')
  const told = (pid) => ({ pid, line: read(pid, 'cmdline').split(String.fromCharCode(0)).join(' '), status: read(pid, 'status') })
  console.log(JSON.stringify(pids.map(told)))`

interface Container {
  readonly name: string
  exec(...command: readonly string[]): Promise<Done>
  /** What a script prints that runs in the container, in a process of its own. */
  node(script: string): Promise<string>
  /** All processes but the one that asks. */
  others(): Promise<readonly Process[]>
  /** As the image says: what its HEALTHCHECK ends with. */
  health(): Promise<number>
  state(): Promise<string>
}

async function runService(service: Service, command = service.command ?? []): Promise<Container> {
  const flags = flagsOf(service, { kms_reader_password: 'secret' })
  const name = `test-${(count += 1)}`
  const { code, err } = await podman('run', '--detach', '--name', name, ...HERE, ...flags, image, ...command)
  expect(code, err).toBe(0)
  onTestFinished(async () => void (await podman('rm', '--force', '--time', '0', '--volumes', name)))
  const exec = (...words: readonly string[]): Promise<Done> => podman('exec', name, ...words)
  const node = async (script: string): Promise<string> => {
    const done = await exec('/nodejs/bin/node', '-e', script)
    expect(done.code, done.err).toBe(0)
    return done.out.trim()
  }
  return {
    name,
    exec,
    node,
    others: async () => JSON.parse(await node(OTHERS)) as readonly Process[],
    health: async () => (await podman('healthcheck', 'run', name)).code,
    state: async () => {
      const { out } = await podman('inspect', name, '--format', '{{.State.Status}} {{.State.ExitCode}}')
      return out.trim()
    },
  }
}

const well = (container: Container): Promise<unknown> =>
  until(PATIENCE_SECONDS, 'it is healthy', async () => ((await container.health()) === 0 ? true : undefined))

const inspect = async (): Promise<Config> => {
  const { out } = await podman('image', 'inspect', image)
  const [told] = JSON.parse(out) as readonly { readonly Config: Config }[]
  if (told === undefined) throw new Error(out)
  return told.Config
}

describe('the image', () => {
  it('is what the documents say', async () => {
    expect(await inspect()).toMatchObject({
      User: '65532:65532',
      ExposedPorts: { '11688/tcp': {} },
      Entrypoint: ['/nodejs/bin/node', '/app/dist/main.js'],
      Volumes: { '/var/lib/winkms-exporter': {} },
      WorkingDir: '/var/lib/winkms-exporter',
      StopSignal: 'SIGTERM',
      Labels: {
        'org.opencontainers.image.title': 'winkms-exporter',
        'org.opencontainers.image.version': version,
        'org.opencontainers.image.revision': REVISION,
        'org.opencontainers.image.licenses': 'Apache-2.0',
      },
    })
    const { Env, Cmd } = await inspect()
    expect(Cmd ?? []).toEqual([])
    expect(Env.filter((line) => !line.startsWith('PATH='))).toEqual([])
  })

  it('has beyond its base the exporter, koffi and Kerberos, and no program, tool or source', async () => {
    const flags = ['--rm', ...HERE, '--entrypoint', '/nodejs/bin/node']
    const script = `
      const { readdirSync, statSync } = require('node:fs')
      for (const root of ['/app', '/usr', '/var', '/bin', '/sbin', '/build', '/out', '/root']) {
        try { for (const name of readdirSync(root, { recursive: true })) {
          const path = root + '/' + name, stat = statSync(path)
          if (stat.isFile()) console.log((stat.mode & 0o111 ? 'x ' : '- ') + stat.uid + ' ' + path)
        } } catch (error) { if (error.code !== 'ENOENT') throw error }
      }`
    const { out, err } = await podman('run', ...flags, image, '-e', script)
    const lines = out.trim().split('\n')
    expect(lines.length, err).toBeGreaterThan(20)
    const allowed =
      /^[x-] 0 (?:\/app\/(?:package\.json|LICENSE|dist\/.+|node_modules\/(?:koffi|@koromix\/koffi-linux-[^/]+)\/.+)|\/usr\/lib\/[\w-]+\/lib[\w-]+\.so\.\d+)$/
    expect(lines.filter((line) => !allowed.test(line))).toEqual([])
    // What can be run by name: nothing but the way in, which wants Node.js.
    expect(lines.filter((line) => line.startsWith('x ') && !/\.(?:so\.\d+|node)$/.test(line))).toEqual([])
    for (const name of ['main.js', 'winkms.cjs', 'winkms.LEGAL.txt', 'winkms.cdx.json'])
      expect(lines).toContain(`- 0 /app/dist/${name}`)
  })

  it('has compiled code for the very Node.js that is in it, and knows its revision', async () => {
    const flags = ['--rm', ...HERE]
    const { out } = await podman('run', ...flags, image, '--version')
    expect(out).toBe(
      `winkms-exporter ${version} (revision ${REVISION.slice(0, 12)}, node ${process.version})\n`,
    )
    const script =
      "console.log(require('node:fs').readdirSync('/app/dist').filter((name) => name.endsWith('.cache')).join())"
    const caches = await podman('run', ...flags, '--entrypoint', '/nodejs/bin/node', image, '-e', script)
    expect(caches.out.trim()).toBe(`winkms.${process.versions.v8}-${process.platform}-${process.arch}.cache`)
  })
})

describe('as compose.yml runs the demo', () => {
  it('answers, is well, is nobody, writes nothing, has no shell, and ends at SIGTERM', async () => {
    const container = await runService(serviceOf('demo'))
    await well(container)
    const named = RESIDENTS.filter(({ cause }) => cause !== null).length
    await until(PATIENCE_SECONDS, 'every cause is named', async () => {
      const text = await container.node(
        "fetch('http://127.0.0.1:11688/metrics').then((answer) => answer.text()).then(console.log)",
      )
      return Object.values(causesByHost(text)).flat().length === named ? true : undefined
    })

    for (const { line, status } of await container.others()) {
      expect(line).toMatch(/^(?:\/nodejs\/bin\/node \/app\/dist\/main\.js demo|\/run\/podman-init --) /)
      for (const expected of [/^Uid:(?:\t65532){4}$/m, /^Gid:(?:\t65532){4}$/m, /^NoNewPrivs:\t1$/m])
        expect(status).toMatch(expected)
      expect(status.match(/^Cap(?:Inh|Prm|Eff|Bnd|Amb):\t0+$/gm)).toHaveLength(5)
    }

    const write = (path: string): Promise<string> =>
      container.node(
        `try { require('node:fs').writeFileSync('${path}', ''); console.log('written') } catch (error) { console.log(error.code) }`,
      )
    for (const path of ['/x', '/app/dist/main.js', '/app/x', '/usr/lib/x'])
      expect(await write(path), path).toBe('EROFS')

    for (const shell of ['sh', '/bin/sh', '/bin/bash', '/busybox/sh'])
      expect((await container.exec(shell, '-c', 'true')).err).toContain('not found')

    expect((await container.others()).map(({ pid }) => pid)).toEqual([1, 2])

    const began = performance.now()
    expect((await podman('stop', '--time', '30', container.name)).code).toBe(0)
    expect(performance.now() - began).toBeLessThan(15_000)
    expect(await container.state()).toBe('exited 0')
  })
})

describe('as compose.yml runs the exporter', () => {
  it('reads the shipped configuration and the secret, may write where its state goes, and reads again at SIGHUP', async () => {
    const container = await runService(serviceOf('exporter'))
    await well(container)
    const config = await container.node(
      "fetch('http://127.0.0.1:11688/config').then((answer) => answer.text()).then(console.log)",
    )
    expect(config).toContain('kms01.corp.example')
    expect(config).toContain('/run/secrets/kms_reader_password')
    // Where --storage.path is by default.
    expect(
      await container.node(
        "const fs = require('node:fs'); fs.mkdirSync('data', { recursive: true }); fs.writeFileSync('data/x', ''); console.log(process.cwd())",
      ),
    ).toBe('/var/lib/winkms-exporter')
    expect((await podman('kill', '--signal', 'HUP', container.name)).code).toBe(0)
    await until(PATIENCE_SECONDS, 'it has read it again', async () => {
      const { out, err } = await podman('logs', container.name)
      return (out + err).includes('the configuration was reloaded') ? true : undefined
    })
    expect(await container.state()).toBe('running 0')
  })

  it('may be the first process, without an init: it ends with 0 at SIGTERM, and health checks leave no zombie', async () => {
    const container = await runService({ ...serviceOf('exporter'), init: false })
    await well(container)
    for (let each = 0; each < 3; each += 1) expect(await container.health()).toBe(0)
    const others = await container.others()
    expect(others.map(({ pid, line }) => [pid, line.split(' ')[1]])).toEqual([[1, '/app/dist/main.js']])
    expect((await podman('stop', '--time', '30', container.name)).code).toBe(0)
    expect(await container.state()).toBe('exited 0')
  })

  it('does not have to be killed when it is stopped while it starts', async () => {
    const container = await runService(serviceOf('exporter'))
    expect((await podman('stop', '--time', '30', container.name)).code).toBe(0)
    // By the signal, or, where it was quicker, by itself.
    expect(['exited 143', 'exited 0']).toContain(await container.state())
  })

  it('is not well when it listens elsewhere, and when it hangs', async () => {
    const elsewhere = await runService(serviceOf('demo'), ['demo', '--web.listen-address=:11689'])
    const url = '--url=http://127.0.0.1:11689/-/healthy'
    await until(PATIENCE_SECONDS, 'it answers there', async () => {
      const { code } = await elsewhere.exec('/nodejs/bin/node', '/app/dist/main.js', 'health', url)
      return code === 0 ? true : undefined
    })
    expect(await elsewhere.health()).toBe(1)

    // An init would take the signal.
    const hanging = await runService({ ...serviceOf('demo'), init: false })
    await well(hanging)
    await podman('kill', '--signal', 'STOP', hanging.name)
    expect(await hanging.health()).toBe(1)
    await podman('kill', '--signal', 'CONT', hanging.name)
    await well(hanging)
  })

  it('has what Kerberos takes: a ticket is missing then, and no library', async () => {
    const folder = join(engine?.folder ?? '', 'kerberos')
    mkdirSync(folder)
    writeFileSync(
      join(folder, 'winkms.yml'),
      `domains: []
hosts:
  - name: kms01.corp.example
    connect_to: 127.0.0.1
    windows: { via: winrm, credentials: reader, url: 'http://kms01.corp.example:5985/wsman' }
credentials: { reader: { auth: kerberos, username: svc@CORP.EXAMPLE } }
`,
    )
    // Somebody has to listen before a logon is tried.
    const script = `
      const server = require('node:http').createServer((_asked, answer) => answer.writeHead(401).end())
      const args = ['/app/dist/main.js', 'diagnose', 'kms01.corp.example', '--config.file=/etc/winkms-exporter/winkms.yml', '--json']
      server.listen(5985, '127.0.0.1', () => {
        require('node:child_process').execFile(process.execPath, args, (_error, out, err) => {
          console.log(out + err)
          server.close()
        })
      })`
    const flags = [...HERE, ...flagsOf({ ...serviceOf('exporter'), volumes: [] })]
    const entry = ['--entrypoint', '/nodejs/bin/node']
    const mount = ['--volume', `${folder}:/etc/winkms-exporter:ro`]
    const { code, out, err } = await podman('run', '--rm', ...flags, ...mount, ...entry, image, '-e', script)
    expect(code, err).toBe(0)
    expect(out).toContain('there is no ticket')
    expect(out).not.toContain('koffi')
  })
})
