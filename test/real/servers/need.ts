// Which real programs are here. Where one is missing, a test says so aloud and is skipped; under CI=true, where a skip
// would go unread, it fails instead.
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'vitest'

const EXTRA_FOLDERS = [
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/libexec/samba',
  '/usr/lib/x86_64-linux-gnu/samba',
]

/** Programs and the Debian packages that bring them. */
const PACKAGES = {
  amtool: 'prometheus-alertmanager',
  bash: 'bash',
  buildah: 'buildah',
  catatonit: 'catatonit',
  cc: 'gcc',
  chronyd: 'chrony',
  chroot: 'coreutils',
  conmon: 'conmon',
  crun: 'crun',
  curl: 'curl',
  dig: 'bind9-dnsutils',
  'dpkg-deb': 'dpkg',
  fish: 'fish',
  ip: 'iproute2',
  knotd: 'knot',
  ldd: 'libc-bin',
  lintian: 'lintian',
  mandoc: 'mandoc',
  mkfifo: 'coreutils',
  named: 'bind9',
  nft: 'nftables',
  nginx: 'nginx',
  nsenter: 'util-linux',
  openssl: 'openssl',
  podman: 'podman',
  prlimit: 'util-linux',
  prometheus: 'prometheus',
  'prometheus-alertmanager': 'prometheus-alertmanager',
  'prometheus-blackbox-exporter': 'prometheus-blackbox-exporter',
  promtool: 'prometheus',
  htpasswd: 'apache2-utils',
  'samba-dcerpcd': 'samba',
  script: 'bsdutils',
  setpriv: 'util-linux',
  smbd: 'samba',
  'systemd-analyze': 'systemd',
  'systemd-socket-activate': 'systemd',
  unshare: 'util-linux',
  yamllint: 'yamllint',
  zsh: 'zsh',
} as const

export type Program = keyof typeof PACKAGES

/** `faketime`: its library. `namespaces`: this user may make network namespaces. `root`: this user may give files away. */
export type Requirement = Program | 'faketime' | 'namespaces' | 'root'

function isThere(path: string, mode = constants.R_OK): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

function findProgram(command: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...EXTRA_FOLDERS].filter(Boolean)
  return folders.map((folder) => join(folder, command)).find((path) => isThere(path, constants.X_OK))
}

function findFaketime(): string | undefined {
  const folders = ['/usr/lib', ...readdirSync('/usr/lib').map((name) => `/usr/lib/${name}`)]
  return folders.map((folder) => join(folder, 'faketime/libfaketime.so.1')).find((path) => isThere(path))
}

const CAP_NET_ADMIN = 12n
const CAP_SYS_ADMIN = 21n

/** Making a namespace takes CAP_NET_ADMIN, and naming it, which mounts it under /run/netns, CAP_SYS_ADMIN. */
function mayMakeNamespaces(): boolean {
  const hex = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  const effective = BigInt(`0x${hex ?? '0'}`)
  return [CAP_NET_ADMIN, CAP_SYS_ADMIN].every((bit) => ((effective >> bit) & 1n) === 1n)
}

function shout(complaint: string): void {
  if (process.env['CI'] === 'true') throw new Error(`CI=true, and ${complaint}`)
  process.stderr.write(`SKIPPED (${complaint.replace(': ', '): ')}\n`)
}

/** The path of `command`, or undefined, said aloud, when it is not installed. Throws instead under CI=true. */
export function need(command: string, debianPackage: string): string | undefined {
  const path = findProgram(command)
  if (path === undefined) shout(`not installed: ${debianPackage}, which has ${command}`)
  return path
}

/** The path of `name`. Throws when it is not installed: ask realServer() first. */
export function program(name: Program): string {
  const path = findProgram(name)
  if (path === undefined) throw new Error(`not installed: ${PACKAGES[name]}, which has ${name}`)
  return path
}

/** The path of libfaketime's library. Throws when it is not installed. */
export function faketimeLibrary(): string {
  const path = findFaketime()
  if (path === undefined) throw new Error('not installed: libfaketime')
  return path
}

/** Why `requirement` is not met, or undefined. */
function shortfall(requirement: Requirement): string | undefined {
  if (requirement === 'namespaces') {
    return mayMakeNamespaces()
      ? undefined
      : 'not permitted: network namespaces (needs CAP_NET_ADMIN, CAP_SYS_ADMIN)'
  }
  if (requirement === 'root')
    return process.getuid?.() === 0 ? undefined : 'not permitted: files of other users (needs root)'
  if (requirement === 'faketime') return findFaketime() ? undefined : 'not installed: libfaketime'
  return findProgram(requirement)
    ? undefined
    : `not installed: ${PACKAGES[requirement]}, which has ${requirement}`
}

/** Skips the test, aloud, unless all requirements are met. Throws, failing the test, instead under CI=true. */
export function realServer(context: Pick<TestContext, 'skip'>, requirements: readonly Requirement[]): void {
  skipWith(
    context,
    requirements.map(shortfall).find((text) => text !== undefined),
  )
}

/** The same of files, each with the Debian package that brings it. */
export function realFiles(
  context: Pick<TestContext, 'skip'>,
  needed: Readonly<Record<string, string>>,
): void {
  const missing = Object.entries(needed).find(([path]) => !isThere(path))
  skipWith(context, missing && `not installed: ${missing[1]}, which has ${missing[0]}`)
}

function skipWith(context: Pick<TestContext, 'skip'>, complaint: string | undefined): void {
  if (complaint === undefined) return
  shout(complaint)
  context.skip(complaint)
}
