// The Debian package: what is in it, that it is the same whoever makes it, and its whole life on a machine, by the real dpkg.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { MAIN, until } from '../e2e/built.ts'
import { program, realFiles, realServer } from '../real/servers/need.ts'
import { SYSTEMD, type Machine } from './machine.ts'
import { discard, machineWith, makePackage, packageFolder } from './package.ts'

const SOON_SECONDS = 30
const ROOT = dirname(dirname(MAIN))
const METRICS = 'http://127.0.0.1:11688/metrics'
const run = promisify(execFile)

let folder: string
let one: string
let two: string

beforeAll(async () => {
  folder = await packageFolder()
  one = await makePackage(folder)
  two = await makePackage(folder, { revision: 2 })
}, 120_000)
afterAll(() => discard(folder))

beforeEach((context) =>
  realServer(context, ['dpkg-deb', 'lintian', 'root', 'namespaces', 'unshare', 'nsenter', 'ip']),
)

const dpkgDeb = async (...args: readonly string[]): Promise<string> =>
  (await run(program('dpkg-deb'), args, { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 })).stdout

/** Mode, owner and name of all that is in it: `-rwxr-xr-x root/root ./usr/...`. */
async function contents(): Promise<readonly string[]> {
  const lines = (await dpkgDeb('--contents', one)).trim().split('\n')
  return lines.map((line) => line.replace(/^(\S+ \S+)\s+\d+ \S+ \S+ /, '$1 '))
}

async function answers(machine: Machine): Promise<string> {
  const { body } = await until(SOON_SECONDS, 'it answers', async () => {
    const answer = await machine.get(METRICS)
    return answer?.status === 200 ? answer : undefined
  })
  return body
}

const shown = (machine: Machine, property: string): Promise<string> =>
  machine.sh(`systemctl show --value --property=${property} winkms-exporter.service`)

describe('the package', () => {
  it('is the same, byte by byte, whoever makes it and when', async () => {
    const again = await packageFolder()
    try {
      const env = { TZ: 'Asia/Tokyo', LC_ALL: 'C.UTF-8', NODE_OPTIONS: '--stack-trace-limit=5' }
      const file = await makePackage(again, { umask: '077', env })
      expect(basename(file)).toBe(basename(one))
      const digests = [one, file].map((each) => createHash('sha256').update(readFileSync(each)).digest('hex'))
      expect(digests[1]).toBe(digests[0])
    } finally {
      await discard(again)
    }
  }, 60_000)

  it('is what lintian wants it to be', async () => {
    const args = ['--allow-root', '--fail-on', 'none', '--tag-display-limit', '0', one]
    const { stdout } = await run(program('lintian'), args, { encoding: 'utf8' })
    expect(stdout.split('\n').filter(Boolean)).toEqual([])
  }, 60_000)

  it('says what it takes, and which files are the administrator’s', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    const control = await dpkgDeb('--field', one)
    expect(control).toContain(`Version: ${version}-1\n`)
    expect(control).toMatch(/^Depends: .*\bnodejs \(>= 20\)/m)
    expect(control).not.toContain('@VERSION@')
    const files = await dpkgDeb('--ctrl-tarfile', one).then(() => dpkgDeb('--info', one, 'conffiles'))
    expect(files.trim().split('\n')).toEqual([
      '/etc/default/winkms-exporter',
      '/etc/winkms-exporter/winkms.yml',
    ])
  })

  it('has what is promised, owned by root', async () => {
    const all = await contents()
    expect(all.filter((line) => !line.includes(' root/root '))).toEqual([])
    for (const line of [
      'lrwxrwxrwx root/root ./usr/bin/winkms-exporter -> ../lib/winkms-exporter/main.js',
      '-rwxr-xr-x root/root ./usr/lib/winkms-exporter/main.js',
      '-rw-r--r-- root/root ./lib/systemd/system/winkms-exporter.service',
      '-rw-r--r-- root/root ./lib/systemd/system/winkms-exporter.socket',
      '-rw-r--r-- root/root ./usr/share/winkms-exporter/prometheus/winkms.rules.yml',
      '-rw-r--r-- root/root ./usr/share/winkms-exporter/grafana/dashboards/winkms-estate.json',
      '-rw-r--r-- root/root ./usr/share/winkms-exporter/runbooks/service_stopped.md',
      '-rw-r--r-- root/root ./usr/share/doc/winkms-exporter/copyright',
      '-rw-r--r-- root/root ./usr/share/doc/winkms-exporter/packages.LEGAL.txt.gz',
      '-rw-r--r-- root/root ./usr/share/man/man1/winkms-exporter.1.gz',
      '-rw-r--r-- root/root ./usr/share/bash-completion/completions/winkms-exporter',
      '-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_winkms-exporter',
      '-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/winkms-exporter.fish',
      'drwxr-x--- root/root ./etc/winkms-exporter/credentials/',
      'drwxr-x--- root/root ./var/lib/winkms-exporter/',
    ])
      expect(all).toContain(line)
  })

  it('brings a configuration that is correct', () => {
    const text = readFileSync(join(ROOT, 'deploy/debian/winkms.yml'), 'utf8')
    expect(parseConfig(text, { file: 'winkms.yml', checkCron: () => undefined }).problems).toEqual([])
  })
})

describe('where no systemd runs', () => {
  it('it is installed twice, runs as its user, and goes', async () => {
    const machine = await machineWith('nothing', [one])
    await machine.install(basename(one))
    expect(await machine.sh('id -un winkms-exporter; getent passwd winkms-exporter | cut -d: -f6,7')).toBe(
      'winkms-exporter\n/var/lib/winkms-exporter:/usr/sbin/nologin',
    )
    await machine.install(basename(one))
    await machine.sh('sh /var/lib/dpkg/info/winkms-exporter.postinst configure 0.1.0-1')
    expect(await machine.sh('dpkg --verify winkms-exporter')).toBe('')
    const stat = (path: string): Promise<string> => machine.sh(`stat -c '%a %U:%G' ${path}`)
    expect(await stat('/etc/winkms-exporter/credentials')).toBe('2750 root:winkms-exporter')
    expect(await stat('/var/lib/winkms-exporter')).toBe('750 winkms-exporter:winkms-exporter')
    expect(await stat('/etc/winkms-exporter/winkms.yml')).toBe('644 root:root')

    // As README.Debian has it.
    const secret = '/etc/winkms-exporter/credentials/reader.password'
    await machine.sh(`echo hunter2 | install -m 0640 -g winkms-exporter /dev/stdin ${secret}`)
    const as = (user: string, script: string) => machine.run('runuser', '-u', user, '--', 'sh', '-c', script)
    expect(await as('winkms-exporter', `cat ${secret}`)).toEqual({ code: 0, said: 'hunter2' })
    expect((await as('winkms-exporter', `echo x > ${secret}`)).code).not.toBe(0)
    expect((await as('nobody', `cat ${secret}`)).code).not.toBe(0)

    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect((await as('winkms-exporter', 'winkms-exporter --version')).said).toContain(
      `winkms-exporter ${version}`,
    )
    await machine.sh(
      `setsid runuser -u winkms-exporter -- sh -c '. /etc/default/winkms-exporter
exec winkms-exporter $ARGS --storage.path=/var/lib/winkms-exporter' > /srv/shared/log 2>&1 &`,
    )
    expect(await answers(machine)).toContain(`winkms_exporter_build_info{version="${version}"`)
    await machine.sh('pkill -u winkms-exporter -f storage.path')
    await until(SOON_SECONDS, 'it is gone', async () =>
      (await machine.run('pgrep', '-u', 'winkms-exporter')).code === 1 ? true : undefined,
    )

    await machine.sh('dpkg -r winkms-exporter')
    await machine.sh('test -e /etc/winkms-exporter/winkms.yml; ! test -e /usr/bin/winkms-exporter')
    await machine.sh('dpkg -P winkms-exporter')
    await machine.sh(
      '! test -e /etc/winkms-exporter; ! test -e /etc/default/winkms-exporter; ! test -e /var/lib/winkms-exporter',
    )
  }, 90_000)
})

describe('where systemd runs', () => {
  beforeEach((context) => realFiles(context, { [SYSTEMD]: 'systemd' }))

  it('it is installed, edited, upgraded, removed and purged', async () => {
    const machine = await machineWith('systemd', [one, two])
    await machine.install(basename(one))
    // By the time that dpkg returns: it starts at once, and says when it is ready.
    expect(await shown(machine, 'ActiveState')).toBe('active')
    expect(await machine.sh('systemctl is-enabled winkms-exporter.service')).toBe('enabled')
    expect((await machine.run('systemctl', 'is-enabled', 'winkms-exporter.socket')).said).toBe('disabled')
    expect(await answers(machine)).toContain('winkms_exporter_build_info{')
    const first = await shown(machine, 'MainPID')
    expect(await machine.sh(`ps -o user:20= -p ${first}`)).toBe('winkms-exporter')

    const edited = 'hosts: [{ name: kms01.corp.example, connect_to: 127.0.0.1 }]\ndomains: []\n'
    await machine.sh(`printf '${edited.replaceAll('\n', '\\n')}' > /etc/winkms-exporter/winkms.yml`)
    await machine.sh('systemctl reload winkms-exporter')
    await until(SOON_SECONDS, 'it has reloaded', async () =>
      (await shown(machine, 'StatusText')) === 'watching 1 hosts in 0 domains' ? true : undefined,
    )
    expect(await shown(machine, 'MainPID')).toBe(first)

    // Asks nobody: the package's own configuration file is the same in both.
    await machine.install(basename(two))
    expect(await machine.sh("dpkg-query -W -f='${Version}' winkms-exporter")).toMatch(/-2$/)
    expect(await machine.sh('cat /etc/winkms-exporter/winkms.yml')).toBe(edited.trim())
    expect(await shown(machine, 'ActiveState')).toBe('active')
    expect(await shown(machine, 'MainPID')).not.toBe(first)
    expect(await shown(machine, 'StatusText')).toBe('watching 1 hosts in 0 domains')

    // Who switched it off finds it off after the next upgrade.
    await machine.sh('systemctl disable --now winkms-exporter.service')
    await machine.install(basename(one), '--force-downgrade')
    expect((await machine.run('systemctl', 'is-enabled', 'winkms-exporter.service')).said).toBe('disabled')
    await machine.sh('systemctl enable --now winkms-exporter.service')

    const state = '/var/lib/winkms-exporter/activity-kms01.corp.example.json'
    await machine.sh(`echo '{}' > ${state}; dpkg -r winkms-exporter`)
    expect(await machine.get(METRICS)).toBeUndefined()
    expect(await shown(machine, 'LoadState')).not.toBe('loaded')
    expect(await machine.sh('cat /etc/winkms-exporter/winkms.yml')).toBe(edited.trim())
    await machine.sh(`test -e ${state}`)
    await machine.install(basename(two))
    expect(await shown(machine, 'StatusText')).toBe('watching 1 hosts in 0 domains')

    await machine.sh('dpkg -P winkms-exporter')
    expect(
      await machine.sh(
        'find /etc /lib/systemd /usr /var/lib -name "winkms-exporter*" -not -path "*/node_modules/*"',
      ),
    ).toBe('')
    expect(await machine.sh('id -un winkms-exporter')).toBe('winkms-exporter')
    await machine.sh('dpkg -P winkms-exporter || true')
  }, 120_000)

  it('is not started where its configuration is wrong, and says so; dpkg goes on', async () => {
    const machine = await machineWith('systemd', [one])
    await machine.sh(
      'mkdir -p /etc/winkms-exporter; echo "hosts: nonsense" > /etc/winkms-exporter/winkms.yml',
    )
    await machine.install(basename(one), '--force-confold')
    expect(await machine.sh("dpkg-query -W -f='${Status}' winkms-exporter")).toBe('install ok installed')
    expect(await shown(machine, 'ActiveState')).not.toBe('active')
    expect(
      (await machine.run('winkms-exporter', 'config', 'check', '/etc/winkms-exporter/winkms.yml')).code,
    ).toBe(1)
  }, 60_000)
})
