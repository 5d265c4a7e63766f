// The composition root. A result's way is three lines in `accept`: into the store, onto the page for the scrape, and to
// the diagnosis of the hosts that it concerns. Construction starts nothing.
import type { Config } from './config/schema.ts'
import {
  estateOf,
  hostNamed,
  type Client,
  type Estate,
  type Host,
  type MachineFacts,
} from './config/targets.ts'
import { createAssessor } from './engine/assess.ts'
import { createTicker, type Ticker } from './engine/cron.ts'
import { createDiscovery, saysWhoIsThere } from './engine/discovery.ts'
import { examine, type Examination } from './engine/examine.ts'
import { createHistory, observe } from './engine/history.ts'
import { plan, type Task } from './engine/plan.ts'
import { run } from './engine/run.ts'
import { createScheduler } from './engine/schedule.ts'
import { ownedBy, toldBy, type Shard } from './engine/shard.ts'
import { createStore } from './engine/store.ts'
import type { Cause } from './diagnosis/causes.ts'
import type { Diagnosis } from './diagnosis/diagnose.ts'
import { giveTime, renewed, weighsTheSame } from './diagnosis/renew.ts'
import { asksHost } from './diagnosis/evidence.ts'
import { createDeadline, createEnd, heldTo } from './io/deadline.ts'
import type { Io } from './io/io.ts'
import { recordSet } from './kms/srv.ts'
import type { Log } from './model/log.ts'
import type { Result } from './model/result.ts'
import type { Schedule } from './model/target.ts'
import { probes, type ProbeName, type ResultOf } from './probes/index.ts'
import { createBook } from './views/book.ts'
import { FAMILIES } from './views/catalogue.ts'
import type { Format } from './views/lines.ts'
import {
  tellClient,
  tellConstants,
  tellDiagnosis,
  tellDomain,
  tellHost,
  tellResult,
} from './views/subjects.ts'
import { nothingFound } from './views/nothing-found.ts'
import { createSelfMetrics, type BuildInfo } from './views/prometheus.ts'
import type { Snapshot } from './views/snapshot.ts'

export interface DaemonOptions {
  readonly config: Config
  readonly machine: MachineFacts
  readonly io: Io
  readonly log: Log
  readonly build: BuildInfo
  readonly shard?: Shard | undefined
  readonly ticker?: Ticker
}

/** What is in flight when the exporter stops may go on for so long. */
const GRACE_SECONDS = 2

export type Daemon = ReturnType<typeof createDaemon>

function namedCauses(diagnosis: Diagnosis | undefined): readonly Cause[] {
  return diagnosis?.findings.filter(({ verdict }) => verdict === 'named').map(({ cause }) => cause) ?? []
}

function longestInterval(schedules: readonly Schedule[], ticker: Ticker): number {
  const every = schedules.map((each) => (each.kind === 'every' ? each.seconds : 0))
  const expressions = new Set(schedules.flatMap((each) => (each.kind === 'cron' ? [each.expression] : [])))
  const gaps = [...expressions].map((each) => ticker.longestGapSeconds(each))
  return [...every, ...gaps].reduce((longest, each) => Math.max(longest, each), 0)
}

export function createDaemon({ machine, io, log, build, shard, ...options }: DaemonOptions) {
  let config = options.config
  let estate: Estate = estateOf(config, machine, [])
  let tasks = new Map<string, Task>()
  /** Those that are ours: all of the estate's, or this shard's. Domains and canaries are asked whoever's they are. */
  let hosts = new Map<string, Host>()
  let clients: readonly Client[] = []
  let phase: 'new' | 'running' | 'stopping' = 'new'
  let saidMissing = ''
  const loaded = { config: true, web: true }
  const store = createStore()
  let configured: ReadonlySet<string> = new Set()
  const discovery = createDiscovery((name) => configured.has(name))
  const book = createBook(FAMILIES)
  const history = createHistory(io.clock)
  const diagnoses = new Map<string, { diagnosis: Diagnosis; sinceSeconds: number }>()
  const running = new Set<Promise<void>>()
  const end = createEnd()
  const assessor = createAssessor(store, judge)
  const ticker = options.ticker ?? createTicker(log)
  const scheduler = createScheduler(io.clock, ticker, {
    async run(task) {
      const work = run(task, { io, log, end }).then((result) => accept(task, result))
      running.add(work)
      await work.finally(() => running.delete(work))
    },
    started: (task, lagSeconds) => self.lag.observe({ probe: task.probe.name }, lagSeconds),
    skipped(task, why) {
      self.skipped.inc({ probe: task.probe.name, why })
      log.debug({ probe: task.probe.name, target: task.target.key, why }, 'a run was skipped')
    },
  })
  const self = createSelfMetrics(build, () => scheduler.inFlight, { dns: io.dns.counts })
  book.set('constant', tellConstants)
  if (shard !== undefined) self.shards.set({ shard: String(shard.index) }, shard.count)

  function accept(task: Task, result: Result): void {
    if (end.ended) return
    self.probeDuration.observe({ probe: result.probe }, result.durationSeconds)
    self.probes.inc({ probe: result.probe, outcome: result.failure?.reason ?? 'answered' })
    countDefects([result])
    // The target may have gone, or changed its question, while it was being asked.
    if (tasks.get(task.key)?.fingerprint !== task.fingerprint) return
    const before = store.latest(task.probe.name, task.target.key)
    logResult(task, result, before)
    store.put(result)
    if (toldBy(shard, task.target)) book.set(task.key, tellResult(task, result))
    concern(result, before)
  }

  function countDefects(results: readonly Result[]): void {
    for (const { failure } of results)
      if (failure?.reason === 'internal_error') self.internalErrors.inc({ where: 'probe' })
  }

  function logResult({ probe, target }: Task, result: Result, before: Result | undefined): void {
    const fields = {
      probe: probe.name,
      target: target.key,
      durationSeconds: result.durationSeconds,
      stage: result.failure?.stage,
      reason: result.failure?.reason,
      detail: result.failure?.detail,
    }
    if (result.failure?.reason === before?.failure?.reason && before !== undefined) log.debug(fields, 'asked')
    else if (result.failure !== undefined) log.warn(fields, 'no answer')
    else if (before !== undefined) log.info(fields, 'answers again')
    else log.debug(fields, 'first answer')
  }

  /** Has the hosts judged again that this outcome is about. `before` is the outcome that it replaces. */
  function concern(result: Result, before: Result | undefined): void {
    switch (result.probe as ProbeName) {
      case 'port':
        return concernPort(result as ResultOf<'port'>, before as ResultOf<'port'> | undefined)
      case 'clock':
      case 'service':
      case 'licensing':
      case 'activity':
        return touch([result.target.key])
      case 'reference':
        return touch(hosts.keys())
      case 'client': {
        const canary = store.latest('client', result.target.key)
        // The host that it asked before has to hear of it too.
        for (const each of [canary, before as typeof canary]) {
          if (each === undefined) continue
          for (const host of hosts.values()) if (asksHost(each, host)) assessor.touch(host)
        }
        return
      }
      case 'srv': {
        const answer = store.latest('srv', result.target.key)
        if (answer === undefined) return
        const { domain } = answer.target
        summariseDomain(domain.name)
        if (config.discovery.from_srv && discovery.learn(answer)) replan()
        touch(domain.expect.map(({ target }) => target))
        touch(answer.reading?.targets.keys() ?? [])
        // What is no longer named has to hear of it too.
        touch((before as typeof answer | undefined)?.reading?.targets.keys() ?? [])
        sayWhatIsMissing()
      }
    }
  }

  function concernPort(result: ResultOf<'port'>, before: ResultOf<'port'> | undefined): void {
    const known = diagnoses.get(result.target.key)
    if (known === undefined || before === undefined || !weighsTheSame(before, result))
      return touch([result.target.key])
    giveTime(known.diagnosis, result)
    noteHistory(known.diagnosis)
  }

  /** Once everything has been asked and nobody is found, somebody who only sees the log has to be told too. */
  function sayWhatIsMissing(): void {
    if (estate.hosts.length > 0) {
      saidMissing = ''
      return
    }
    const asked =
      store.all('srv').length === estate.domains.reduce((sum, { resolvers }) => sum + resolvers.length, 0)
    const text = asked ? nothingFound(estate, store.all('srv')) : ''
    const lines = text.split('\n').map((line) => line.trim())
    if (text !== '' && text !== saidMissing) log.warn({ asked: lines.slice(1, -1) }, 'no KMS host is known')
    saidMissing = text
  }

  function touch(names: Iterable<string>): void {
    for (const name of names) {
      const host = hosts.get(name)
      if (host !== undefined) assessor.touch(host)
    }
  }

  function answersOf(domain: string): readonly ResultOf<'srv'>[] {
    return store.answersOf(domain).toSorted((a, b) => (a.target.key < b.target.key ? -1 : 1))
  }

  function isConsistent(domain: string): boolean | undefined {
    const sets = answersOf(domain)
      .filter(saysWhoIsThere)
      .flatMap(({ reading }) => (reading ? [recordSet(reading.records)] : []))
    return sets.length < 2 ? undefined : new Set(sets).size === 1
  }

  function summariseDomain(domain: string): void {
    if (!ownedBy(shard, domain)) return
    book.set(`domain/${domain}`, tellDomain(domain, { consistent: isConsistent(domain) }))
  }

  function judge(fresh: Diagnosis): void {
    const { name } = fresh.host
    if (!hosts.has(name)) return
    const before = diagnoses.get(name)
    const diagnosis = renewed(before?.diagnosis, fresh)
    const same = before?.diagnosis.serving === diagnosis.serving
    if (before?.diagnosis !== diagnosis)
      diagnoses.set(name, {
        diagnosis,
        sinceSeconds: same && before ? before.sinceSeconds : io.clock.wallSeconds(),
      })
    book.set(`diagnosis/${name}`, tellDiagnosis(diagnosis))
    noteHistory(diagnosis)
    const causes = namedCauses(diagnosis)
    if (same && causes.join() === namedCauses(before?.diagnosis).join()) return
    if (diagnosis.serving === false) log.warn({ host: name, causes }, 'the host does not serve')
    else if (diagnosis.serving === true)
      log.info({ host: name, ...(causes.length > 0 && { causes }) }, 'the host serves')
  }

  function noteHistory(diagnosis: Diagnosis): void {
    const { name } = diagnosis.host
    history.note(name, observe(diagnosis, store.latest('port', name), store.latest('licensing', name)))
  }

  function replan(): void {
    const before = { hosts, clients, tasks, domains: estate.domains }
    estate = estateOf(config, machine, config.discovery.from_srv ? discovery.hosts() : [])
    hosts = new Map(estate.hosts.flatMap((host) => (ownedBy(shard, host.name) ? [[host.name, host]] : [])))
    clients = estate.clients.filter(({ name }) => ownedBy(shard, name))
    // All canaries: which host one asks, it has to be asked.
    const all = plan({ ...estate, hosts: [...hosts.values()] }, Object.values(probes))
    tasks = new Map(all.map((task) => [task.key, task]))
    for (const [key, task] of before.tasks) {
      if (tasks.get(key)?.fingerprint === task.fingerprint) continue
      book.delete(key)
      store.delete(task.probe.name, task.target.key)
    }
    for (const name of before.hosts.keys()) {
      if (hosts.has(name)) continue
      for (const owner of [`diagnosis/${name}`, `host/${name}`]) book.delete(owner)
      diagnoses.delete(name)
      history.forget(name)
      assessor.forget(name)
    }
    for (const { name } of before.clients) book.delete(`canary/${name}`)
    for (const client of clients) book.set(`canary/${client.name}`, tellClient(client))
    for (const { name } of before.domains) book.delete(`domain/${name}`)
    // A resolver that is no longer asked has no say in whether they agree.
    for (const { name } of estate.domains) summariseDomain(name)
    for (const host of hosts.values()) {
      book.set(`host/${host.name}`, tellHost(host))
      assessor.touch(host)
    }
    for (const name of Object.keys(probes) as ProbeName[]) {
      const own = all.filter(({ probe }) => probe.name === name).map(({ target }) => target.schedule)
      self.targets.set({ probe: name }, own.length)
      if (own.length === 0) self.interval.remove({ probe: name })
      else self.interval.set({ probe: name }, longestInterval(own, ticker))
    }
    const limits = { concurrency: config.limits.concurrency, perGroup: config.limits.per_host }
    scheduler.set(all, limits)
  }

  function use(next: Config): void {
    config = next
    configured = new Set(config.hosts.map(({ name }) => name))
    // Resolvers that are no longer asked must not keep hosts alive.
    const keys = new Set(probes.srv.targets(estateOf(config, machine, [])).map(({ key }) => key))
    discovery.keep(keys)
    sayLoaded('config', true)
    self.reloadTimestamp.set(io.clock.wallSeconds())
    replan()
  }

  function sayLoaded(which: keyof typeof loaded, successful: boolean): void {
    loaded[which] = successful
    self.reloadSuccessful.set(Number(loaded.config && loaded.web))
  }

  return {
    self,
    get config() {
      return config
    },
    /** Whom this exporter watches: of the hosts and clients, its shard's. */
    get estate(): Estate {
      return { ...estate, hosts: [...hosts.values()], clients }
    },
    get phase() {
      return phase
    },
    start() {
      phase = 'running'
      use(config)
    },
    /** Results of targets that ask the same as before are kept; series of the others are gone at once. */
    reload(next: Config) {
      use(next)
    },
    reloadFailed: () => sayLoaded('config', false),
    webConfigRead: (successful: boolean) => sayLoaded('web', successful),
    /** Pieces that hold until the next one is asked for. */
    async *metrics(format: Format): AsyncGenerator<Uint8Array> {
      yield* book.render(format)
      yield Buffer.from(await self.render(format))
      if (format === 'openmetrics') yield Buffer.from('# EOF\n')
    },
    snapshot(): Snapshot {
      assessor.settle()
      return {
        atSeconds: io.clock.wallSeconds(),
        hosts: [...diagnoses.values()].map((view) => ({
          ...view,
          results: resultsOf(view.diagnosis.host.name),
          trail: () => history.trail(view.diagnosis.host.name),
        })),
        domains: estate.domains.map(({ name }) => ({
          name,
          consistent: isConsistent(name),
          results: answersOf(name),
        })),
        clients: clients.map(({ name }) => ({ name, result: store.latest('client', name) })),
        failures: store.failures(),
        nothingFound: estate.hosts.length > 0 ? undefined : nothingFound(estate, store.all('srv')),
        shard: shard && `${shard.index}/${shard.count}`,
      }
    },
    /** A host that is not watched, as if an SRV record had named it. */
    adHocHost: (name: string): Host => hostNamed(config, machine, name),
    /** One run of everything about one host, now. */
    async examine(host: Host, only?: readonly ProbeName[], mostSeconds?: number): Promise<Examination> {
      const clients = store.all('client')
      const examination = await examine(host, estate, { io, log, only, mostSeconds, end, clients })
      countDefects(examination.results)
      return examination
    },
    /** What is wrong when the schedule has come to a standstill; undefined while it goes on. */
    standstill: (): string | undefined => scheduler.standstill(),
    /**
     * Begins nothing more. What is in flight may end for a while; then it is called off, but not before `asked` has
     * settled: whoever waits for an examination hears nothing rather than that a host does not answer.
     */
    async stop(asked?: Promise<unknown>) {
      phase = 'stopping'
      scheduler.stop()
      assessor.stop()
      const late = createDeadline(GRACE_SECONDS)
      await heldTo(late, Promise.allSettled(running), () => new Error('late')).catch(() => {})
      late.close()
      await asked
      end.close()
      await Promise.allSettled(running)
    },
  }

  function resultsOf(host: string): readonly Result[] {
    const own = (['port', 'clock', 'service', 'licensing', 'activity'] as const).map((probe) =>
      store.latest(probe, host),
    )
    return own.filter((result) => result !== undefined)
  }
}
