// What the demo rightly has nothing of, shown over a written history: forecasts, gaps in event logs, skipped runs, KMS
// that failed to start; and what becomes of a panel when replicas disagree, or when nothing is known.
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { realServer } from '../real/servers/need.ts'
import { ask, askRange, startOnHistory, type History, type Series, type Written } from './ask.ts'
import { ALL, BOARDS, substitute } from './committed.ts'
import { EMPTY_IN_THE_DEMO, MAY_BE_EMPTY } from './empty.ts'

const MINUTE = 60
const HOUR = 60 * MINUTE
const END = Math.floor(Date.now() / 1000 / MINUTE) * MINUTE - MINUTE
const SPAN = { start: END - HOUR, end: END, step: 15 }
const MIDDLE = END - HOUR / 2

/** Both replicas say so. */
function both(name: string, labels: Readonly<Record<string, string>>, at: Written['at']): readonly Written[] {
  return ['one:11688', 'two:11688'].map((instance) => ({
    name,
    at,
    labels: { job: 'winkms', instance, ...labels },
  }))
}

function only(instance: 'one' | 'two', name: string, host: string, value: number): Written {
  return { name, labels: { job: 'winkms', instance: `${instance}:11688`, host }, at: () => value }
}

const ONE = { host: 'kms-one' }
const LOG = { ...ONE, log: 'key_management_service' }

const HISTORY: readonly Written[] = [
  ...['kms-one', 'kms-disputed', 'kms-silent'].flatMap((host) =>
    both('winkms_host_info', { host, port: '1688', discovered: '0', site: 'hq' }, () => 1),
  ),
  ...both('winkms_host_serving', ONE, () => 1),
  only('one', 'winkms_host_serving', 'kms-disputed', 1),
  only('two', 'winkms_host_serving', 'kms-disputed', 0),
  only('one', 'winkms_clock_drift_seconds', 'kms-disputed', 10),
  only('one', 'winkms_clock_drift_uncertainty_seconds', 'kms-disputed', 1),
  only('two', 'winkms_clock_drift_seconds', 'kms-disputed', 14),
  only('two', 'winkms_clock_drift_uncertainty_seconds', 'kms-disputed', 2),
  ...both('winkms_diagnosis', { ...ONE, cause: 'clock_skew' }, () => 0),
  ...both('winkms_diagnosis', { ...ONE, cause: 'version_mismatch' }, () => 1),
  ...both('winkms_diagnosis', { ...ONE, cause: 'from_a_newer_exporter' }, () => 1),
  ...['exporter_clock_wrong', 'clock_skew', 'srv_missing'].flatMap((cause) =>
    both('winkms_diagnosis', { host: 'kms-disputed', cause }, () => 1),
  ),
  // A domain of which nobody can tell, one that nobody serves, and two that have neither hosts nor records.
  ...['kms-disputed', 'kms-silent'].flatMap((host) =>
    both('winkms_host_domain_info', { host, domain: 'untold.example' }, () => 1),
  ),
  ...both('winkms_host_domain_info', { host: 'kms-disputed', domain: 'down.example' }, () => 1),
  ...both('winkms_host_domain_info', { ...ONE, domain: 'up.example' }, () => 1),
  ...['empty.example', 'new.example'].flatMap((domain) =>
    both('winkms_srv_lookup_success', { domain, resolver: 'a' }, () => 0),
  ),
  ...both('winkms_probe_success', { client: 'pc9', probe: 'client' }, () => 0),
  {
    name: 'winkms_exporter_storage_problems_total',
    labels: { job: 'winkms', instance: 'one:11688', kind: 'unusable' },
    at: (time) => (time < MIDDLE ? undefined : 1),
  },
  {
    name: 'winkms_exporter_storage_problems_total',
    labels: { job: 'winkms', instance: 'two:11688', kind: 'not_written' },
    at: (time) => (time < MIDDLE ? 3 : 5),
  },
  ...both('winkms_exporter_build_info', {}, () => 1),
  ...both('winkms_forecast_clients', ONE, () => 22),
  ...both('winkms_required_clients', { ...ONE, product: 'ws2022' }, () => 25),
  ...both('winkms_event_log_gap_total', { ...LOG, why: 'cleared' }, (time) => (time < MIDDLE ? 0 : 1)),
  ...both('winkms_event_log_lost_records_total', LOG, (time) => (time < MIDDLE ? 0 : 120)),
  ...both('winkms_kms_init_failure_timestamp_seconds', ONE, () => END - 600),
  ...both('winkms_kms_timer_init_failure_timestamp_seconds', ONE, () => END - 600),
  ...both('winkms_exporter_probes_skipped_total', { probe: 'port', why: 'overlap' }, (time) =>
    Math.max(0, (time - MIDDLE) / 30),
  ),
  ...both('winkms_exporter_http_refused_total', { why: 'password' }, (time) => Math.max(0, time - MIDDLE)),
  ...both('winkms_exporter_dns_tcp_queries_total', { why: 'cut_off' }, (time) => Math.max(0, time - MIDDLE)),
]

let history: History | undefined

beforeEach(async (context) => {
  realServer(context, ['prometheus', 'promtool'])
  history ??= await startOnHistory(HISTORY, SPAN)
}, 120_000)

afterAll(async () => history?.stop())

/** By dashboard, panel and query, over the whole hour; the instant ones at its end. */
async function answerOf(where: string, host = '.+'): Promise<readonly Series[]> {
  const [uid, id, refId] = where.split(' ')
  const panel = BOARDS.find((board) => board.uid === uid)?.panels.find((each) => each.id === Number(id))
  const target = panel?.targets?.find((each) => each.refId === refId)
  if (target === undefined || history === undefined) throw new Error(`no such query: ${where}`)
  const query = substitute(target.expr, { ...ALL, host, __rate_interval: '2m' })
  return target.instant === true
    ? ask(history.url, query, END)
    : askRange(history.url, query, { start: SPAN.start, end: END, step: MINUTE })
}

async function lastOf(where: string, host?: string): Promise<number | undefined> {
  const [series, ...others] = await answerOf(where, host)
  expect(others).toEqual([])
  return series?.values.at(-1)?.[1]
}

describe('what the demo has nothing of', () => {
  it.each(Object.keys({ ...EMPTY_IN_THE_DEMO, ...MAY_BE_EMPTY }))(
    '%s is shown where there is some',
    async (where) => {
      const answer = await answerOf(where)
      expect(answer).toHaveLength(1)
      expect(answer[0]?.metric).not.toHaveProperty('instance')
    },
  )

  it('a forecast below the threshold leaves less than nothing to spare', async () => {
    expect(await lastOf('winkms-capacity 11 F')).toBe(22)
    expect(await lastOf('winkms-capacity 11 G')).toBe(-3)
  })

  it('a gap is counted once, though two exporters saw it, and only when it happened', async () => {
    const [gap] = await answerOf('winkms-activity 23 A')
    const times = gap?.values.map(([time]) => time) ?? []
    expect(times.length).toBeLessThan(5)
    expect(Math.abs((times[0] ?? 0) - MIDDLE)).toBeLessThan(3 * MINUTE)
    for (const [, value] of gap?.values ?? []) expect(value).toBeLessThan(2)
  })
})

describe('the tile of the storage', () => {
  it('counts a problem that was there from the start', async () => {
    const problems = await lastOf('winkms-exporter 3 A')
    expect(problems).toBeGreaterThan(2.9)
    expect(problems).toBeLessThan(3.3)
  })
})

describe('the tile of domains', () => {
  it('counts those that the alert is about, and none of which nobody can tell', async () => {
    expect(await lastOf('winkms-estate 4 A')).toBe(3)
  })
})

describe('a canary that does not answer', () => {
  it('has a row', async () => {
    const [row] = await answerOf('winkms-estate 41 A')
    expect([row?.metric, row?.values[0]?.[1]]).toEqual([{ client: 'pc9' }, 0])
  })
})

describe('replicas that disagree', () => {
  it('the worse word stands', async () => {
    const serving = await answerOf('winkms-estate 11 B')
    expect(serving.map(({ metric, values }) => [metric['host'], values[0]?.[1]])).toEqual([
      ['kms-disputed', 0],
      ['kms-one', 1],
    ])
  })

  it('the band of the drift holds what both say', async () => {
    expect(await lastOf('winkms-host 32 A', 'kms-disputed')).toBe(16)
    expect(await lastOf('winkms-host 32 B', 'kms-disputed')).toBe(9)
    expect(await lastOf('winkms-host 32 C', 'kms-disputed')).toBe(12)
  })
})

describe('what is unknown', () => {
  it('is counted as unknown, and neither as serving nor as not', async () => {
    expect(await lastOf('winkms-estate 1 A')).toBe(1)
    expect(await lastOf('winkms-estate 2 A')).toBe(1)
    expect(await lastOf('winkms-estate 3 A')).toBe(1)
  })

  it('of a host that nobody can tell about, the table has the row and no word', async () => {
    const rows = await answerOf('winkms-estate 11 A')
    expect(rows.map(({ metric }) => metric['host'])).toContain('kms-silent')
    const serving = await answerOf('winkms-estate 11 B')
    expect(serving.map(({ metric }) => metric['host'])).not.toContain('kms-silent')
  })

  it('stands in the decision tree as -1, from the first minute to the last', async () => {
    const tree = BOARDS.find(({ uid }) => uid === 'winkms-host')?.panels.find(({ id }) => id === 12)
    for (const { refId, expr } of tree?.targets ?? []) {
      const [row, ...others] = await answerOf(`winkms-host 12 ${refId}`, 'kms-one')
      const expected = expr.includes('"clock_skew"') ? 0 : expr.includes('"version_mismatch"') ? 1 : -1
      expect(others).toEqual([])
      expect(row?.values).toHaveLength(HOUR / MINUTE + 1)
      expect(new Set(row?.values.map(([, value]) => value))).toEqual(new Set([expected]))
    }
    expect(await lastOf('winkms-host 11 A', 'kms-silent')).toBe(-1)
    expect(await lastOf('winkms-host 21 A', 'kms-silent')).toBe(-1)
  })
})

describe('of several causes, the table shows', () => {
  it('the first that a client meets, of those that stop the service', async () => {
    const causes = await answerOf('winkms-estate 11 C')
    expect(causes.map(({ metric }) => metric)).toContainEqual({ host: 'kms-disputed', cause: 'srv_missing' })
    expect(causes).toHaveLength(2)
  })

  it('one that these dashboards do not know after those that they do', async () => {
    const causes = await answerOf('winkms-estate 11 C')
    expect(causes.map(({ metric }) => metric)).toContainEqual({ host: 'kms-one', cause: 'version_mismatch' })
    const named = await answerOf('winkms-estate 23 A')
    expect(named.map(({ metric }) => metric['cause'])).toContain('from_a_newer_exporter')
  })
})
