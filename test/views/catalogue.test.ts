// The declarations held against the naming rules of Prometheus and against what they really emit.
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES } from '../../src/diagnosis/causes.ts'
import { named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { plan } from '../../src/engine/plan.ts'
import { REASONS } from '../../src/model/failure.ts'
import type { Emit, Family, Metric } from '../../src/model/metric.ts'
import type { Result } from '../../src/model/result.ts'
import { probes, type ProbeName } from '../../src/probes/index.ts'
import {
  clientInfoFamily,
  constantMetrics,
  diagnosisMetrics,
  domainMetrics,
  FAMILIES,
  hostInfoFamily,
  runMetrics,
  runMetricsFor,
  SECTIONS,
} from '../../src/views/catalogue.ts'
import { bookText, createBook } from '../../src/views/book.ts'
import {
  tellClient,
  tellConstants,
  tellDiagnosis,
  tellDomain,
  tellHost,
  tellResult,
} from '../../src/views/subjects.ts'
import {
  activityReading,
  around,
  canaryReading,
  clockReading,
  kms,
  licensingReading,
  product,
  record,
  srvReading,
} from '../diagnosis/scene.ts'
import { realServer } from '../real/servers/need.ts'
import { promtoolCheckMetrics } from '../real/servers/prometheus.ts'
import { answered, AT, diagnosis, estate, evidence, EVERYTHING, failed, first, host } from './scenes.ts'
import { linesOf } from './lines-of.ts'
import { parseStrictly } from './strict.ts'

const everyDeclaration: readonly Family[] = [
  ...Object.values(probes).flatMap(({ metrics }): readonly Family[] => metrics),
  ...runMetrics,
  ...diagnosisMetrics,
  ...domainMetrics,
  ...constantMetrics,
  hostInfoFamily,
  clientInfoFamily,
]

describe('the families', () => {
  it('are each declared once, but for those that several speak of in the same words', () => {
    const names = [...new Set(everyDeclaration.map(({ name }) => name))]
    const shared = names
      .map((name) => [name, everyDeclaration.filter((family) => family.name === name)] as const)
      .filter(([, declared]) => declared.length > 1)
    expect(shared.map(([name]) => name).toSorted()).toEqual([
      'winkms_clock_offset_seconds',
      'winkms_clock_offset_uncertainty_seconds',
      'winkms_host_os_info',
      'winkms_service_state',
    ])
    for (const [, declared] of shared) {
      const same = declared.map(({ type, help, labels }) => ({ type, help, labels }))
      for (const other of same) expect(other).toEqual(same[0])
    }
  })

  it('are all in the catalogue, and each stands in one section or in sections that share it', () => {
    expect(new Set(FAMILIES.map(({ name }) => name))).toEqual(
      new Set(everyDeclaration.map(({ name }) => name)),
    )
    expect(FAMILIES).toHaveLength(new Set(FAMILIES.map(({ name }) => name)).size)
    expect(new Set(SECTIONS.map(({ title }) => title)).size).toBe(SECTIONS.length)
  })

  it.each(FAMILIES.map((family) => [family.name, family] as const))(
    '%s is named by the rules',
    (name, family) => {
      expect(name).toMatch(/^winkms_[a-z0-9]+(_[a-z0-9]+)*$/)
      expect(name).not.toMatch(/_(ms|millis|milliseconds|minutes|hours|percent|bucket|sum|count|created)$/)
      expect(name.endsWith('_total')).toBe(family.type === 'counter')
      if (/duration|offset|drift|uncertainty|ttl|timestamp/.test(name)) expect(name).toMatch(/_seconds$/)
      if (name.includes('timestamp')) expect(name).toMatch(/_timestamp_seconds$/)
      expect(family.help).toMatch(/^[A-Z0-9`][^\n]*\.$/)
      expect(new Set(family.labels).size).toBe(family.labels.length)
      for (const label of family.labels) {
        expect(label).toMatch(/^[a-z]+(_[a-z]+)*$/)
        // Prometheus' own, and those that every other system fills in a meaning of its own.
        expect('job instance le quantile type region env service cluster owner'.split(' ')).not.toContain(
          label,
        )
      }
    },
  )

  it('name their closed lists in full', () => {
    const helpOf = (name: string): string => FAMILIES.find((family) => family.name === name)?.help ?? ''
    for (const reason of REASONS) expect(helpOf('winkms_probe_failure_info')).toContain(reason)
    for (const cause of CAUSE_NAMES) expect(helpOf('winkms_diagnosis')).toContain(cause)
  })
})

/** Between them, these give every metric of every probe something to say. */
const READINGS: { readonly [Name in ProbeName]: readonly unknown[] } = {
  port: [
    {
      addresses: [
        { ...kms, expected: true },
        {
          address: '192.0.2.11',
          inDns: true,
          expected: false,
          connectFailure: 'connect_refused',
          says: 'no',
        },
      ],
    },
  ],
  srv: [
    srvReading([record('kms01.corp.example'), record('kms02.corp.example', { port: 1689 })]),
    srvReading([], { rcode: 'NXDOMAIN' }),
  ],
  service: [
    {
      state: 'running',
      source: 'windows_exporter',
      startMode: 'auto',
      os: { caption: 'Windows Server', build: 20_348, ubr: 1, ubrSource: 'registry' },
      clock: [{ source: 'windows_exporter', offset: around(1) }],
    },
    { state: 'stopped', source: 'winrm', exitCode: 5, processStartSeconds: AT, clock: [] },
  ],
  clock: [clockReading(around(1), around(-2))],
  reference: [{ address: '192.0.2.123', offset: around(0.5) }],
  licensing: [
    licensingReading(
      {
        products: [
          product(),
          product({
            product: 'office2021',
            licenseStatus: 'notification',
            licenseReason: '0xC004F009',
            graceSeconds: 60,
          }),
        ],
      },
      {
        publishList: [{ domain: 'corp.example', priority: 0, weight: 0 }],
        clock: [{ source: 'cim', offset: around(1) }],
      },
    ),
  ],
  activity: [
    activityReading({
      dnsPublishing: [{ domain: 'corp.example', success: true, atSeconds: AT, code: undefined }],
      lastMismatchSeconds: AT,
      lastWrongProductSeconds: AT,
      lastUnclearRefusalSeconds: AT,
      lastInitFailure: { atSeconds: AT, code: '0x80070005' },
      lastTimerFailure: { atSeconds: AT, code: '0x80070005' },
    }),
  ],
  client: [canaryReading()],
}

interface Emitted {
  readonly name: string
  readonly value: number | boolean
  readonly values: readonly string[]
}

function emitted<Subject, Reading>(
  metrics: readonly Metric<Subject, Reading>[],
  reading: Reading,
  subject: Subject,
): readonly Emitted[] {
  return metrics.flatMap(({ name, samples }) => {
    const all: Emitted[] = []
    const emit: Emit = (value, ...values) => void (value !== undefined && all.push({ name, value, values }))
    samples(reading, emit, subject)
    return all
  })
}

function checkEmitted(metrics: readonly Family[], identity: number, all: readonly Emitted[]): void {
  const familyOf = new Map(metrics.map((family) => [family.name, family]))
  for (const { name, value, values } of all) {
    const { type, labels = [] } = familyOf.get(name) ?? {}
    // A histogram has three kinds of samples, which test/views/lines.test.ts looks after.
    if (type === 'histogram') expect(['bucket', 'sum', 'count']).toContain(values[0])
    else expect([name, values.length]).toEqual([name, labels.length - identity])
    expect(values, `${name} has an empty label`).not.toContain('')
    expect(Number.isFinite(Number(value)), `${name} is ${value}`).toBe(true)
    if (name.endsWith('_info')) expect([name, Number(value)]).toEqual([name, 1])
  }
}

const all = estate(EVERYTHING)
const tasks = plan(all, Object.values(probes))

describe.each(Object.values(probes).map((probe) => [probe.name, probe] as const))(
  'probe %s',
  (name, probe) => {
    const own = tasks.filter((task) => task.probe.name === name)

    it('gives exactly the labels that it declares', () => {
      const said = new Set<string>()
      for (const { probe, target } of own) {
        expect(Object.keys(target.labels)).toEqual(probe.identity)
        for (const reading of READINGS[name]) {
          const samples = emitted(probe.metrics, reading, target)
          checkEmitted(probe.metrics, probe.identity.length, samples)
          for (const each of samples) said.add(each.name)
        }
      }
      expect(said).toEqual(new Set(probe.metrics.map((metric) => metric.name)))
    })

    it('declares its identity first, in order', () => {
      for (const { labels } of probe.metrics)
        expect(labels.slice(0, probe.identity.length)).toEqual(probe.identity)
    })

    it('has its runs told under its identity', () => {
      const metrics = runMetricsFor(probe.identity)
      for (const [index, metric] of metrics.entries()) {
        const { labels, ...rest } = runMetrics[index] ?? metric
        expect(metric).toEqual({ ...rest, labels: [...probe.identity, ...labels.slice(1)] })
        expect(labels[0]).toBe('host')
      }
      for (const { probe, target } of own) {
        const results: readonly Result[] = [answered(name, target, READINGS[name][0]), failed(name, target)]
        for (const result of results) {
          checkEmitted(metrics, probe.identity.length, emitted(metrics, result, result))
          const [success] = emitted(metrics, result, result)
          expect(success).toEqual({
            name: 'winkms_probe_success',
            value: result.failure === undefined,
            values: [name],
          })
        }
      }
    })
  },
)

describe('what diagnoses say', () => {
  const sick = diagnosis(
    {
      serving: false,
      drift: around(20_000),
      forecastClients: 18,
      clockSources: [
        { source: 'ntp', agrees: true },
        { source: 'http', agrees: undefined },
      ],
      clientErrors: [{ cause: 'service_stopped', code: '0xC004F074' }],
      service: { state: 'stopped', source: 'inferred' },
    },
    named('service_stopped', [evidence('refuses')]),
    ruledOut('port_blocked', [evidence('refuses')]),
  )

  it('has exactly the declared labels', () => {
    const samples = emitted(diagnosisMetrics, sick, sick)
    checkEmitted(diagnosisMetrics, 1, samples)
    expect(new Set(samples.map(({ name }) => name))).toEqual(
      new Set(diagnosisMetrics.map(({ name }) => name)),
    )
  })

  it('is silent about what cannot be told', () => {
    expect([...linesOf(tellDiagnosis(diagnosis({ domains: [] }))).keys()]).toEqual(['winkms_service_state'])
  })

  it('tells named from ruled out', () => {
    expect(linesOf(tellDiagnosis(sick)).get('winkms_diagnosis')).toBe(
      'winkms_diagnosis{host="kms01.corp.example",cause="port_blocked"} 0\n' +
        'winkms_diagnosis{host="kms01.corp.example",cause="service_stopped"} 1\n',
    )
  })

  it('leaves the state of the service to Windows where Windows told it', () => {
    const told = diagnosis({ service: { state: 'running', source: 'windows_exporter' } })
    expect(linesOf(tellDiagnosis(told)).has('winkms_service_state')).toBe(false)
  })

  it('becomes, with everything else, a page that parses strictly and that promtool has no remark on', async (context) => {
    const book = createBook(FAMILIES)
    for (const task of tasks) {
      const readings = READINGS[task.probe.name]
      const others = tasks.filter(({ probe }) => probe === task.probe)
      const result = answered(task.probe.name, task.target, readings[others.indexOf(task) % readings.length])
      book.set(task.key, tellResult(task, result))
    }
    book.set('diagnosis', tellDiagnosis({ ...sick, host: host({ name: 'kms03.corp.example' }) }))
    book.set('host', tellHost(host()))
    book.set('canary', tellClient(first(all.clients)))
    book.set('domain', tellDomain('corp.example', { consistent: true }))
    book.set('constant', tellConstants)
    const text = bookText(book, 'text')
    const families = parseStrictly(text, 'text')
    expect(new Set(families.map(({ name }) => name))).toEqual(
      new Set(
        FAMILIES.map(({ name }) => name).filter(
          (name) => !['winkms_probe_failure_info', 'winkms_srv_client_error_info'].includes(name),
        ),
      ),
    )
    expect(families.find(({ name }) => name === 'winkms_probe_timestamp_seconds')?.samples[0]?.value).toBe(AT)
    parseStrictly(`${bookText(book, 'openmetrics')}# EOF\n`, 'openmetrics')
    realServer(context, ['promtool'])
    expect(await promtoolCheckMetrics(text)).toEqual({ code: 0, output: '' })
  })
})

describe('the lines of a canary', () => {
  it("carry the configuration's labels", () => {
    expect(linesOf(tellClient(first(all.clients))).get('winkms_client_info')).toBe(
      'winkms_client_info{client="pc1.corp.example",site="berlin"} 1\n',
    )
  })
})

describe('the lines of a host', () => {
  it("carry the configuration's labels", () => {
    expect(linesOf(tellHost(host())).get('winkms_host_info')).toBe(
      'winkms_host_info{host="kms01.corp.example",port="1688",discovered="0",site="berlin"} 1\n',
    )
  })
})

describe('the lines of an unanswered run', () => {
  it('have no reading, but the reason', () => {
    const task = tasks.find(({ key }) => key === 'port/kms01.corp.example')
    if (task === undefined) throw new Error('no such task')
    const own = '{host="kms01.corp.example",probe="port"'
    expect([...linesOf(tellResult(task, failed('port', task.target)))].map(([, text]) => text).join('')).toBe(
      `winkms_probe_success${own}} 0
winkms_probe_failure_info${own},stage="connect",reason="connect_timeout"} 1
winkms_probe_duration_seconds${own}} 0.5
winkms_probe_stage_seconds${own},stage="connect"} 0.25
winkms_probe_timestamp_seconds${own}} ${AT}
`,
    )
  })
})
