// Estates of any size for the browser: hosts of every kind, with labels, domains, counts and six hours behind them.
import type { Trail } from '../../src/engine/history.ts'
import { probes } from '../../src/probes/index.ts'
import type { HostView, Snapshot } from '../../src/views/snapshot.ts'
import { canaryReading, kms, licensingReading, product, record, srvReading } from '../diagnosis/scene.ts'
import {
  answered,
  AT,
  diagnosis,
  estate,
  EVERYTHING,
  failed,
  first,
  HEALTHY,
  host,
  snapshot,
  STOPPED,
  UNKNOWN,
  view,
} from '../views/scenes.ts'
import { named } from '../../src/diagnosis/evidence.ts'

const all = estate(EVERYTHING)
const portTarget = first(probes.port.targets(all))
const licensingTarget = first(probes.licensing.targets(all))
const srvTarget = first(probes.srv.targets(all))
const clientTarget = first(probes.client.targets(all))

const BASE = host()

/** Six hours with a gap of ten minutes, and an hour in which the host did not serve. */
function trailOf(seed: number): Trail {
  const series = (valueOf: (minute: number) => number): Float32Array =>
    Float32Array.from({ length: 360 }, (_, minute) => (minute >= 100 && minute < 110 ? NaN : valueOf(minute)))
  const wave = (minute: number): number => 1 + Math.sin((minute + seed * 7) / 9) / 3
  return {
    fromSeconds: AT - 360 * 60,
    stepSeconds: 60,
    serving: Array.from({ length: 360 }, (_, minute) =>
      minute >= 100 && minute < 110 ? undefined : minute < 200 || minute >= 260,
    ),
    values: {
      connectSeconds: series((minute) => 0.0012 * wave(minute)),
      bindSeconds: series((minute) => 0.0021 * wave(minute + 3)),
      driftSeconds: series((minute) => 0.002 * wave(minute) - 0.001),
      driftUncertaintySeconds: series(() => 0.0007),
      clients: series((minute) => 50 - Math.floor(minute / 60)),
      requiredClients: series(() => 25),
    },
  }
}

const KINDS = [
  STOPPED,
  diagnosis(
    { serving: false, clientErrors: [{ cause: 'port_blocked', code: '0xC004F074' }] },
    named('port_blocked', []),
  ),
  UNKNOWN,
  {
    ...HEALTHY,
    findings: HEALTHY.findings.map((each) =>
      each.cause === 'version_mismatch' ? named(each.cause, []) : each,
    ),
  },
  HEALTHY,
]

/** One in `sick` does not serve or is unknown; 1 for all kinds in turn. */
export function hostsOf(count: number, sick = 1): readonly HostView[] {
  return Array.from({ length: count }, (_, index) => {
    const kind = index % sick === 0 ? (KINDS[(index / sick) % KINDS.length] ?? HEALTHY) : HEALTHY
    const name = `kms${String(index).padStart(4, '0')}.site${index % 20}.corp.example`
    const labels = { site: `site${index % 20}`, tier: String(index % 3) }
    const results = [
      answered('port', portTarget, { addresses: [{ ...kms, bindSeconds: 0.0019 }] }),
      answered('licensing', licensingTarget, licensingReading({ products: [product()] })),
    ]
    const own = { ...kind, host: { ...BASE, name, labels }, domains: [`site${index % 20}.corp.example`] }
    return { ...view(own, results), trail: () => trailOf(index) }
  })
}

/** With domains, canaries and failures around the hosts. */
export function estateOf(hosts: readonly HostView[], changes: Partial<Snapshot> = {}): Snapshot {
  const right = answered('srv', srvTarget, srvReading([record('kms01.corp.example')]))
  const wrong = answered('srv', srvTarget, srvReading([], { rcode: 'NXDOMAIN' }))
  return snapshot({
    hosts,
    domains: [
      { name: 'corp.example', consistent: true, results: [right, right] },
      { name: 'lab.example', consistent: false, results: [right, wrong, failed('srv', srvTarget)] },
    ],
    clients: [
      { name: 'pc1.corp.example', result: answered('client', clientTarget, canaryReading()) },
      { name: 'pc2.corp.example', result: undefined },
    ],
    failures: [failed('port', portTarget), failed('srv', srvTarget)],
    ...changes,
  })
}
