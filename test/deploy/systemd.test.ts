// The unit as it is shipped, in the package, under a real systemd: what it lets the exporter do, and what it does not.
import { execFile } from 'node:child_process'
import { cp, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { causesByHost, MAIN, samplesOf, until } from '../e2e/built.ts'
import { program, realFiles, realServer } from '../real/servers/need.ts'
import { SYSTEMD, type Machine } from './machine.ts'
import { discard, machineWith, makePackage, packageFolder } from './package.ts'

const SOON_SECONDS = 30
const UNIT = 'winkms-exporter.service'
const ROOT = dirname(dirname(MAIN))
const UNITS = join(ROOT, 'deploy/systemd')
const URL = 'http://127.0.0.1:11688'

let folder: string
let file: string

beforeAll(async () => {
  folder = await packageFolder()
  file = await makePackage(folder)
}, 90_000)
afterAll(() => discard(folder))
beforeEach((context) => {
  realFiles(context, { [SYSTEMD]: 'systemd' })
  realServer(context, ['dpkg-deb', 'root', 'namespaces', 'unshare', 'nsenter', 'ip', 'systemd-analyze'])
})

interface Before {
  /** More lines for [Service], as an administrator would add them. */
  readonly lines?: readonly string[]
  readonly flags?: string
  readonly yaml?: string
}

const write = (machine: Machine, path: string, text: string): Promise<string> =>
  machine.sh(`mkdir -p "$(dirname ${path})"; cat > ${path} <<'END'\n${text}\nEND`)

const dropIn = (machine: Machine, lines: readonly string[]): Promise<string> =>
  write(
    machine,
    `/etc/systemd/system/${UNIT}.d/test.conf`,
    ['[Service]', 'StandardError=append:/srv/shared/log', ...lines].join('\n'),
  )

const flagsAre = (machine: Machine, flags: string): Promise<string> =>
  write(
    machine,
    '/etc/default/winkms-exporter',
    `ARGS="--config.file=/etc/winkms-exporter/winkms.yml ${flags}"`,
  )

/** Installed and started: dpkg returns when systemd has heard that it is ready. */
async function installed({ lines = [], flags = '', yaml = 'domains: []' }: Before = {}): Promise<Machine> {
  const machine = await machineWith('systemd', [file])
  await dropIn(machine, lines)
  await flagsAre(machine, flags)
  await write(machine, '/etc/winkms-exporter/winkms.yml', yaml)
  await machine.install(basename(file), '--force-confold')
  return machine
}

type Shown = Readonly<Record<string, string>>

async function shown(machine: Machine, ...properties: readonly string[]): Promise<Shown> {
  const said = await machine.sh(`systemctl show --property=${properties.join()} ${UNIT}`)
  return Object.fromEntries(said.split('\n').map((line) => /^(\w+)=(.*)$/.exec(line)?.slice(1) ?? [line, '']))
}

const value = async (machine: Machine, property: string): Promise<string | undefined> =>
  (await shown(machine, property))[property]

const log = (machine: Machine): Promise<string> =>
  readFile(join(machine.shared, 'log'), 'utf8').catch(() => '')

async function becomes(machine: Machine, property: string, wanted: string): Promise<void> {
  let seen: string | undefined
  await until(
    SOON_SECONDS,
    () => `${property} is ${wanted}, not ${seen}`,
    async () => ((seen = await value(machine, property)) === wanted ? true : undefined),
  )
}

describe('the unit', () => {
  it('is exposed at 2.0 of 10 at most, in the eyes of systemd-analyze', async () => {
    const args = ['security', '--offline=true', '--no-pager', join(UNITS, UNIT)]
    const { stdout } = await promisify(execFile)(program('systemd-analyze'), args)
    const [, level] = /Overall exposure level for \S+: (\d+\.\d)/.exec(stdout) ?? []
    expect(Number(level)).toBeLessThanOrEqual(2)
  })

  it('is understood by systemd, with the socket and the user', async () => {
    const machine = await installed()
    const units = '/lib/systemd/system/winkms-exporter'
    // The page comes with another part of the package.
    const said = await machine.run(
      'systemd-analyze',
      'verify',
      '--man=no',
      `${units}.service`,
      `${units}.socket`,
    )
    expect(said).toEqual({ code: 0, said: '' })
    const promised = {
      Type: 'notify',
      NotifyAccess: 'main',
      WatchdogUSec: '1min',
      TimeoutStopUSec: '30s',
      Restart: 'on-failure',
    }
    expect(await shown(machine, ...Object.keys(promised))).toEqual(promised)
  }, 60_000)

  it('is installed by hand as docs/install/systemd.md has it', async () => {
    const page = await readFile(join(ROOT, 'docs/install/systemd.md'), 'utf8')
    const [, block = ''] = /```sh\n([^`]*)```/.exec(page) ?? []
    const machine = await machineWith('systemd', [])
    const project = join(machine.shared, 'project')
    // What npm ci and npm run build leave, of which this takes a part.
    for (const path of [
      'dist',
      'package.json',
      'deploy/systemd',
      'node_modules/koffi',
      'node_modules/@koromix',
    ])
      await cp(join(ROOT, path), join(project, path), { recursive: true })
    const commands = block.replaceAll('sudo ', '').split('\n').slice(1).join('\n')
    expect(commands).toContain('systemctl enable --now winkms-exporter')
    await machine.sh(`cd /srv/shared/project\n${commands}`)
    expect(await shown(machine, 'ActiveState', 'StatusText')).toEqual({
      ActiveState: 'active',
      StatusText: 'watching 2 hosts in 1 domains',
    })
    expect(await machine.sh('getent passwd winkms-exporter')).toMatch(
      /^winkms-exporter:x:\d+:\d+:Windows KMS exporter:\/var\/lib\/winkms-exporter:\/usr\/sbin\/nologin$/,
    )
  }, 60_000)
})

describe('the service', () => {
  it('says that it is ready, reloads, and stops at once', async () => {
    const machine = await installed()
    expect(await shown(machine, 'ActiveState', 'StatusText')).toEqual({
      ActiveState: 'active',
      StatusText: 'watching 0 hosts in 0 domains',
    })
    const pid = await value(machine, 'MainPID')
    await write(machine, '/etc/winkms-exporter/winkms.yml', 'hosts: [{ name: a.example }]\ndomains: []')
    await machine.sh(`systemctl reload ${UNIT}`)
    await becomes(machine, 'StatusText', 'watching 1 hosts in 0 domains')
    expect(await value(machine, 'MainPID')).toBe(pid)
    const begin = performance.now()
    await machine.sh(`systemctl stop ${UNIT}`)
    expect((performance.now() - begin) / 1000).toBeLessThan(15)
    expect(await shown(machine, 'ActiveState', 'Result')).toEqual({
      ActiveState: 'inactive',
      Result: 'success',
    })
    expect(await log(machine)).toMatch(/msg=stopped\n$/)
  }, 60_000)

  it('that hangs is ended by the watchdog, and started again', async () => {
    const machine = await installed({ lines: ['WatchdogSec=3', 'LimitCORE=0', 'RestartSec=0'] })
    // Longer than the watchdog waits: from within the sandbox it hears that all is well.
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    expect(await value(machine, 'NRestarts')).toBe('0')
    await machine.sh(`kill -STOP ${await value(machine, 'MainPID')}`)
    await becomes(machine, 'NRestarts', '1')
    await becomes(machine, 'ActiveState', 'active')
  }, 60_000)

  it('with a flag that is wrong is not started again and again', async () => {
    const machine = await installed({ flags: '--nonsense' })
    await becomes(machine, 'ActiveState', 'failed')
    expect(await shown(machine, 'NRestarts', 'ExecMainStatus')).toEqual({
      NRestarts: '0',
      ExecMainStatus: '64',
    })
  }, 60_000)

  it('without koffi is heard through systemd-notify, where NotifyAccess=all lets it', async () => {
    const machine = await installed({ lines: ['NotifyAccess=all'] })
    await machine.sh(
      `systemctl stop ${UNIT}; rm -r /usr/lib/winkms-exporter/node_modules; systemctl start ${UNIT}`,
    )
    expect(await value(machine, 'ActiveState')).toBe('active')
    await becomes(machine, 'StatusText', 'watching 0 hosts in 0 domains')
  }, 60_000)
})

/** What is tried in the very sandbox, with what a shell says to it. */
const TRIED = {
  'writes to /etc': 'touch /etc/x',
  'writes to /usr': 'touch /usr/x',
  'writes to its configuration': 'echo >> /etc/winkms-exporter/winkms.yml',
  'writes to /var': 'touch /var/lib/x',
  'writes to its state': 'touch "$STATE_DIRECTORY/x"',
  'writes to /tmp': 'touch /tmp/of-the-service',
  'sees /home': 'ls /home/somebody',
  'sees /root': 'ls /root/somebody',
  'sees processes of others': 'test -e /proc/1/stat',
  'sees disks': 'test -e /dev/vda || test -e /dev/sda || test -e /dev/full0',
  'sees kernel settings': 'test -e /proc/sys/kernel/hostname',
  'makes a user namespace': 'unshare --user true',
  'makes a mount': 'mount -t tmpfs tmpfs /tmp',
  'makes a raw socket': "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)'",
  'makes a socket of Bluetooth': "python3 -c 'import socket; socket.socket(31, socket.SOCK_RAW, 0)'",
  'makes a socket of netlink':
    "python3 -c 'import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)'",
  'finds the addresses of a name': 'getent ahosts localhost',
  'makes a socket of UDP': "python3 -c 'import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)'",
  'listens below 1024': 'python3 -c \'import socket; socket.socket().bind(("127.0.0.1", 80))\'',
  'sets the clock': 'date --set=@0',
  'names the machine': 'hostname other',
  'makes a file of another user’s rights':
    'cp /bin/true "$STATE_DIRECTORY/s" && chmod u+s "$STATE_DIRECTORY/s"',
  'gets more rights by sudo’s like': 'su -c true nobody',
} as const
const LET = [
  'writes to its state',
  'writes to /tmp',
  'finds the addresses of a name',
  'makes a socket of UDP',
]

describe('the sandbox', () => {
  it('lets through what the exporter needs, and nothing of the rest', async () => {
    const script = Object.entries(TRIED).map(
      ([what, command]) =>
        `if ( ${command} ) >/dev/null 2>&1; then echo "${what}" >> "$STATE_DIRECTORY/let"; fi`,
    )
    const machine = await installed()
    await dropIn(machine, ['ExecStartPost=/bin/sh /srv/tried.sh'])
    await machine.sh('mkdir -p /home/somebody /root/somebody; chmod 755 /root')
    await write(machine, '/srv/tried.sh', script.join('\n'))
    await machine.sh(
      `sysctl -q -w net.ipv4.ip_unprivileged_port_start=1024; systemctl daemon-reload; systemctl restart ${UNIT}`,
    )
    expect((await machine.sh('cat /var/lib/winkms-exporter/let')).split('\n')).toEqual(LET)
    expect((await machine.run('ls', '/tmp/of-the-service')).code).not.toBe(0)

    const status = await machine.sh(`cat /proc/${await value(machine, 'MainPID')}/status`)
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
    expect(['CapEff', 'CapPrm', 'CapBnd', 'CapAmb'].map(field)).toEqual(Array(4).fill('0'.repeat(16)))
    expect([field('NoNewPrivs'), field('Seccomp'), field('Umask')]).toEqual(['1', '2', '0077'])
  }, 60_000)

  it('cannot keep V8 from making machine code', async () => {
    const machine = await installed({ lines: ['MemoryDenyWriteExecute=yes', 'LimitCORE=0', 'Restart=no'] })
    expect(await shown(machine, 'ActiveState', 'Result')).toEqual({ ActiveState: 'failed', Result: 'signal' })
  }, 60_000)

  it('does not keep it from its work: every host of the demo, by a password that systemd hands over', async () => {
    const machine = await installed()
    const lab = 'winkms-exporter demo --web.listen-address=127.0.0.1:11700 --demo.write-config=/srv/demo.yml'
    await machine.sh(`setsid ${lab} >/srv/shared/demo 2>&1 &`)
    await until(SOON_SECONDS, 'the demo runs', async () =>
      (await machine.get('http://127.0.0.1:11700/-/ready'))?.status === 200 ? true : undefined,
    )
    const yaml = await machine.sh('cat /srv/demo.yml')
    const [, secret = ''] = /password_file: "([^"]+)"/.exec(yaml) ?? []
    // Nobody but root, who runs the demo, may read it.
    expect(await machine.sh(`stat -c '%a %U' ${secret}`)).toBe('600 root')
    await write(
      machine,
      '/etc/winkms-exporter/winkms.yml',
      yaml.replace(secret, '${CREDENTIALS_DIRECTORY}/reader.password'),
    )
    await dropIn(machine, [`LoadCredential=reader.password:${secret}`])
    await machine.sh(`systemctl daemon-reload; systemctl restart ${UNIT} || { cat /srv/shared/log; exit 1; }`)

    const expected = Object.fromEntries(
      RESIDENTS.map(({ label, domain, cause }) => [`${label}.${domain}`, cause === null ? [] : [cause]]),
    )
    let seen = ''
    await until(
      60,
      () => `every cause is told\n${JSON.stringify(causesByHost(seen))}`,
      async () => {
        seen = (await machine.get(`${URL}/metrics`))?.body ?? ''
        return JSON.stringify(sorted(causesByHost(seen))) === JSON.stringify(sorted(expected)) || undefined
      },
    )
    expect(samplesOf(seen, 'winkms_exporter_storage_problems_total').map((each) => each.value)).not.toContain(
      1,
    )
    expect(await machine.sh("stat -c '%a %U' /var/lib/winkms-exporter/activity-*.json | sort -u")).toBe(
      '600 winkms-exporter',
    )
    expect((await machine.get(`${URL}/config`))?.body).toContain(`/run/credentials/${UNIT}/reader.password`)
    expect(await log(machine)).not.toContain(await machine.sh(`cat ${secret}`))
  }, 120_000)

  it('has no password where none is handed over, and that is said', async () => {
    const yaml = `domains: []
credentials:
  reader:
    auth: ntlm
    username: CORP\\svc
    password_file: \${CREDENTIALS_DIRECTORY}/reader.password`
    const machine = await installed({ yaml })
    await becomes(machine, 'ExecMainStatus', '1')
    expect(await log(machine)).toContain(
      'names a file that does not exist (hint: LoadCredential= of its unit hands it to the service, and to no other process)',
    )
  }, 60_000)
})

const sorted = <T>(table: Readonly<Record<string, T>>): readonly (readonly [string, T])[] =>
  Object.entries(table).toSorted(([a], [b]) => (a < b ? -1 : 1))

/** Calls anew again and again, and says which answers there were. Whoever is in when it stops is answered; so it is the door that counts. */
const CALLS = `const seen = new Set()
const until = performance.now() + 4000
const again = () => fetch(process.argv[1], { headers: { connection: 'close' } }).then(({ status }) => status, String)
;(async () => {
  while (performance.now() < until) seen.add(await again())
  console.log([...seen].join())
})()`

describe('the socket', () => {
  it('is systemd’s: who calls while the exporter is started again is answered', async () => {
    const machine = await installed({ flags: '--web.systemd-socket' })
    // By itself it has no socket, and says so.
    expect(await log(machine)).toContain(
      'no socket was passed (LISTEN_FDS, LISTEN_PID): start the socket unit',
    )
    await machine.sh(`systemctl stop ${UNIT}; systemctl enable --now winkms-exporter.socket`)
    expect(await value(machine, 'ActiveState')).toBe('inactive')
    expect((await machine.get(`${URL}/-/ready`))?.status).toBe(200)
    expect(await value(machine, 'ActiveState')).toBe('active')
    const first = await value(machine, 'MainPID')
    const [statuses] = await Promise.all([
      machine.run('node', '--eval', CALLS, `${URL}/-/healthy`),
      machine.sh(`systemctl restart ${UNIT}`),
    ])
    expect(statuses).toEqual({ code: 0, said: '200' })
    expect(await value(machine, 'MainPID')).not.toBe(first)
  }, 90_000)

  it('may be several, and below 1024, which the exporter itself may not have', async () => {
    const machine = await installed({ flags: '--web.systemd-socket' })
    await write(
      machine,
      '/etc/systemd/system/winkms-exporter.socket.d/more.conf',
      '[Socket]\nListenStream=127.0.0.1:80\nListenStream=[::1]:8080',
    )
    await machine.sh(
      `systemctl stop ${UNIT}; systemctl daemon-reload; systemctl start winkms-exporter.socket`,
    )
    for (const url of ['http://127.0.0.1:80', 'http://[::1]:8080', URL])
      expect((await machine.get(`${url}/-/ready`))?.status, url).toBe(200)
  }, 60_000)
})
