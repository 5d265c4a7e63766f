// What this machine knows of its network: its resolvers, and the domains that it searches. That is enough to find
// KMS hosts without a word of configuration, as a client does.
import { execFile } from 'node:child_process'
import { getServers } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { isIP } from 'node:net'
import { win32 } from 'node:path'
import { promisify } from 'node:util'
import type { Endpoint } from '../model/target.ts'

export interface Machine {
  readonly resolvers: readonly Endpoint[]
  /** In the machine's order, lower case, no trailing dot. */
  readonly searchDomains: readonly string[]
}

function parseServer(text: string): Endpoint | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(text)
  if (bracketed?.[1] !== undefined) return { address: bracketed[1], port: Number(bracketed[2] ?? 53) }
  if (isIP(text) !== 0) return { address: text, port: 53 }
  const [address = '', port] = text.split(':')
  return isIP(address) === 4 ? { address, port: Number(port ?? 53) } : undefined
}

/** The last `search` or `domain` line wins, as in resolv.conf(5). */
export function parseResolvConf(text: string): readonly string[] {
  let domains: readonly string[] = []
  for (const line of text.split('\n')) {
    const [keyword, ...rest] = line.trim().split(/\s+/)
    if (keyword === 'search') domains = rest
    else if (keyword === 'domain') domains = rest.slice(0, 1)
  }
  return domains
}

/** `reg query` prints `    Name    REG_SZ    value`; lists are separated by commas or blanks. */
export function parseRegistry(text: string): readonly string[] {
  const found = new Map<string, readonly string[]>()
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s+(SearchList|NV Domain|Domain|DhcpDomain)\s+REG_\w+\s+(\S.*)$/.exec(line)
    if (match?.[1] !== undefined && match[2] !== undefined)
      found.set(match[1], match[2].trim().split(/[,\s]+/))
  }
  return ['SearchList', 'Domain', 'NV Domain', 'DhcpDomain'].flatMap((name) => found.get(name) ?? [])
}

/** The machine's own settings; then those of group policy, which go before. */
const KEYS = [
  String.raw`HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters`,
  String.raw`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient`,
]

type Ask = (program: string, args: readonly string[]) => Promise<string>

const askProgram: Ask = async (program, args) => {
  const { stdout } = await promisify(execFile)(program, args, { timeout: 5_000, windowsHide: true })
  return stdout
}

/** What is not there, or does not answer, adds nothing. */
export async function registryDomains(
  environment: Readonly<Record<string, string | undefined>>,
  ask: Ask = askProgram,
): Promise<readonly string[]> {
  // By its full path: a program of that name in the working directory is not asked.
  const program = win32.join(environment['SystemRoot'] ?? String.raw`C:\Windows`, 'System32', 'reg.exe')
  const answers = await Promise.all(KEYS.map((key) => ask(program, ['query', key]).catch(() => '')))
  return [...parseRegistry(answers.join('\n')), environment['USERDNSDOMAIN'] ?? '']
}

async function rawSearchDomains(): Promise<readonly string[]> {
  if (process.platform === 'win32') return registryDomains(process.env)
  return parseResolvConf(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''))
}

export async function readMachine(): Promise<Machine> {
  const own = hostname().split('.').slice(1).join('.')
  const domains = [...(await rawSearchDomains()), own]
    .map((domain) => domain.toLowerCase().replace(/\.$/, ''))
    // A single label (`lan`, `local`) is nobody's Active Directory, yet it may be searched; only emptiness is dropped.
    .filter((domain) => domain !== '' && domain !== '.')
  return {
    resolvers: getServers().flatMap((server) => parseServer(server) ?? []),
    searchDomains: [...new Set(domains)].slice(0, 16),
  }
}
