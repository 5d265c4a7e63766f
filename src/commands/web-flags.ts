// The flags about the web server, and what they mean.
import type { Address } from '../server/listen.ts'
import type { Rate } from '../server/rate.ts'
import { UsageError, type Arguments, type Flag } from './options.ts'

export const WEB_FLAGS: Readonly<Record<string, Flag>> = {
  'web.listen-address': {
    value: 'ADDRESS',
    repeatable: true,
    fallback: ':11688',
    help: '[host]:port to listen on',
  },
  'web.systemd-socket': {
    help: 'listen on the sockets that systemd passes instead (Linux; see systemd.socket(5))',
  },
  'web.config.file': {
    value: 'FILE',
    kind: 'file',
    help: "TLS, passwords, headers and rate limit, in the format of Prometheus's exporter toolkit",
  },
  'web.max-requests': {
    value: 'NUMBER',
    fallback: '40',
    help: 'how many requests are answered at once; more get 503',
  },
  'web.max-connections': {
    value: 'NUMBER',
    fallback: '512',
    help: 'how many connections there may be; one more costs the address that has most its oldest',
  },
  'web.allow-host': {
    value: 'PATTERN',
    repeatable: true,
    help: "names by which browsers may call the exporter, beyond the machine's, its domains' and the external URL's",
  },
  'web.telemetry-path': { value: 'PATH', fallback: '/metrics', help: 'where the metrics are' },
  'web.external-url': { value: 'URL', help: 'the URL under which browsers reach the exporter' },
  'web.route-prefix': {
    value: 'PATH',
    help: 'what all paths begin with; by default the path of the external URL',
  },
  'web.enable-lifecycle': { help: 'let POST /-/reload reload the configuration' },
  'probe.allow': {
    value: 'PATTERN',
    repeatable: true,
    help: 'names beyond the watched hosts that /probe may ask; * stands for anything',
  },
  'probe.max-rate': {
    value: 'NUMBER',
    fallback: '1',
    help: 'how often a second /probe may ask the same of one host, after five times at once',
  },
  'probe.max-at-once': {
    value: 'NUMBER',
    fallback: '64',
    help: 'how many hosts /probe asks at once (a Prometheus that drives it: hosts x seconds a probe / interval); more get 503',
  },
  'probe.timeout-offset': {
    value: 'SECONDS',
    fallback: '0.5',
    help: "what /probe takes off Prometheus's scrape timeout",
  },
}

export function parseListenAddress(text: string): Address {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new UsageError(`--web.listen-address is host:port, [v6]:port or :port, not "${text}"`)
  }
  const host = match[1] ?? match[2] ?? ''
  return { host: host === '' ? undefined : host, port }
}

function parsePath(flag: string, text: string): string {
  const path = text.replace(/\/+$/, '')
  if (path !== '' && !/^(\/[\w.~-]+)+$/.test(path))
    throw new UsageError(`--${flag} is a path like /kms, not "${text}"`)
  return path
}

export interface WebSettings {
  /** Undefined where sockets are passed by systemd. */
  readonly addresses: readonly Address[] | undefined
  readonly telemetryPath: string
  readonly routePrefix: string
  readonly linkPrefix: string
  /** Without a slash at the end. */
  readonly externalUrl: string | undefined
  readonly enableLifecycle: boolean
  readonly probeAllow: readonly string[]
  readonly timeoutOffsetSeconds: number
  readonly probeRate: Rate
  readonly probesAtOnce: number
  readonly maxRequests: number
  readonly maxConnections: number
  readonly allowHosts: readonly string[]
}

function parseCount(args: Arguments, flag: string): number {
  const count = Number(args.text(flag))
  if (!Number.isSafeInteger(count) || count < 1)
    throw new UsageError(`--${flag} is a whole number from 1, not "${args.text(flag)}"`)
  return count
}

const BURST = 5

function parseRate(args: Arguments): Rate {
  const perSecond = Number(args.text('probe.max-rate'))
  if (!(perSecond > 0) || perSecond > 1000)
    throw new UsageError(`--probe.max-rate is a number above 0, not "${args.text('probe.max-rate')}"`)
  return { intervalSeconds: 1 / perSecond, burst: BURST }
}

export function parseWebFlags(args: Arguments): WebSettings {
  const external = args.text('web.external-url')
  if (external !== undefined && !(/^https?:\/\//.test(external) && URL.canParse(external))) {
    throw new UsageError(`--web.external-url is an http or https URL, not "${external}"`)
  }
  const linkPrefix = parsePath('web.external-url', external === undefined ? '' : new URL(external).pathname)
  const prefix = args.text('web.route-prefix')
  const routePrefix = prefix === undefined ? linkPrefix : parsePath('web.route-prefix', prefix)
  const offset = Number(args.text('probe.timeout-offset'))
  if (!Number.isFinite(offset) || offset < 0)
    throw new UsageError('--probe.timeout-offset is a number of seconds')
  const telemetryPath = parsePath('web.telemetry-path', args.text('web.telemetry-path') ?? '')
  if (telemetryPath === '')
    throw new UsageError('--web.telemetry-path cannot be the root: the status page is there')
  const passed = args.has('web.systemd-socket')
  if (passed && args.has('web.listen-address')) {
    throw new UsageError('--web.systemd-socket takes the place of --web.listen-address: give one of them')
  }
  return {
    addresses: passed ? undefined : args.texts('web.listen-address').map(parseListenAddress),
    telemetryPath,
    routePrefix,
    linkPrefix: external === undefined ? routePrefix : linkPrefix,
    externalUrl: external?.replace(/\/+$/, ''),
    enableLifecycle: args.has('web.enable-lifecycle'),
    probeAllow: args.texts('probe.allow'),
    timeoutOffsetSeconds: offset,
    probeRate: parseRate(args),
    probesAtOnce: parseCount(args, 'probe.max-at-once'),
    maxRequests: parseCount(args, 'web.max-requests'),
    maxConnections: parseCount(args, 'web.max-connections'),
    allowHosts: args.texts('web.allow-host'),
  }
}
