// Which hosts have to be judged again, and the judgements: one new outcome may concern one host, or all. Many hosts are
// judged in small helpings, so that the event loop (and every latency measured meanwhile) is not held up.
import type { Host } from '../config/targets.ts'
import { diagnose, type Diagnosis } from '../diagnosis/diagnose.ts'
import { asksHost, type HostEvidence } from '../diagnosis/evidence.ts'
import type { Store } from './store.ts'

type Shared = Pick<HostEvidence, 'references' | 'clients'>

/** What all hosts are judged by: gathered once for as many as are judged in one go. `clients` are those of all hosts. */
export function sharedEvidence(store: Pick<Store, 'all'>): Shared {
  return { references: store.all('reference'), clients: store.all('client') }
}

export function evidenceOf(
  host: Host,
  store: Pick<Store, 'latest' | 'lastLicences' | 'naming' | 'answersOf'>,
  shared: Shared,
): HostEvidence {
  const licensing = store.latest('licensing', host.name)
  // What the host is told to publish counts too.
  const published = (licensing?.reading?.publishList ?? []).flatMap(({ domain }) => store.answersOf(domain))
  return {
    host,
    port: store.latest('port', host.name),
    clock: store.latest('clock', host.name),
    service: store.latest('service', host.name),
    licensing,
    lastLicences: store.lastLicences(host.name),
    activity: store.latest('activity', host.name),
    srv:
      published.length === 0
        ? store.naming(host.name)
        : [...new Set([...store.naming(host.name), ...published])],
    references: shared.references,
    clients: shared.clients.filter((result) => asksHost(result, host)),
  }
}

export interface Assessor {
  touch(host: Host): void
  forget(name: string): void
  /** Judges everything that is due, at once. */
  settle(): void
  stop(): void
}

const HELPING_MILLISECONDS = 5

export function createAssessor(store: Store, judged: (diagnosis: Diagnosis) => void): Assessor {
  const due = new Map<string, Host>()
  let scheduled: NodeJS.Immediate | undefined

  function work(until: number): void {
    scheduled = undefined
    const shared = sharedEvidence(store)
    for (const [name, host] of due) {
      due.delete(name)
      judged(diagnose(evidenceOf(host, store, shared)))
      if (performance.now() > until) break
    }
    if (due.size > 0) scheduled = setImmediate(() => work(performance.now() + HELPING_MILLISECONDS))
  }

  return {
    touch(host) {
      due.set(host.name, host)
      scheduled ??= setImmediate(() => work(performance.now() + HELPING_MILLISECONDS))
    },
    forget: (name) => void due.delete(name),
    settle: () => work(Infinity),
    stop: () => clearImmediate(scheduled),
  }
}
