// Hosts of one domain, what somebody else has seen to, and what the population lets expect.
import {
  cause,
  DAY,
  DAY_MINUTES,
  finding,
  inDomain,
  known,
  publishing,
  says,
  serving,
  type Company,
} from './rule-company-words.ts'
import type { Said } from './rule-scenes.ts'

const stopped = 'WinkmsServiceStopped'
const hosts: readonly Company[] = [
  {
    what: 'another host of the domain serves',
    alert: stopped,
    one: [...known('a', 0), ...known('b', 1), cause('a', 'service_stopped')],
    expected: ['warning a'],
  },
  {
    what: 'no other host of the domain serves',
    alert: stopped,
    one: [...known('a', 0), ...known('b', 0), cause('a', 'service_stopped'), cause('b', 'service_stopped')],
    expected: ['critical a', 'critical b'],
  },
  {
    what: 'of two domains, one is served by nobody else',
    alert: stopped,
    one: [...known('a', 0), ...known('b', 1), inDomain('a', 'e.example'), cause('a', 'service_stopped')],
    expected: ['critical a'],
  },
  {
    what: 'a host of no domain has nobody beside it',
    alert: stopped,
    one: [serving('a', 0), ...known('b', 1), cause('a', 'service_stopped')],
    expected: ['critical a'],
  },
  {
    what: 'of the other it is not known whether it serves',
    alert: stopped,
    one: [...known('a', 0), inDomain('b'), cause('a', 'service_stopped')],
    expected: ['critical a'],
  },
  {
    what: 'the causes page already',
    alert: 'WinkmsDomainNotServed',
    one: [...known('a', 0), ...known('b', 0), cause('a', 'service_stopped')],
    expected: [],
  },
  {
    what: 'nobody serves, and nobody knows why',
    alert: 'WinkmsDomainNotServed',
    one: [...known('a', 0), ...known('b', 0), cause('a', 'version_mismatch')],
    expected: ['critical d.example'],
  },
  {
    what: 'one of them may serve',
    alert: 'WinkmsDomainNotServed',
    one: [...known('a', 0), inDomain('b')],
    expected: [],
  },
  {
    what: 'others may be in a shard that is missing',
    alert: 'WinkmsDomainNotServed',
    one: [...known('a', 0), says('winkms_exporter_shards{shard="0"}', 2)],
    expected: [],
  },
  {
    what: 'all shards are there',
    alert: 'WinkmsDomainNotServed',
    one: [...known('a', 0), says('winkms_exporter_shards{shard="0"}', 2)],
    two: [says('winkms_exporter_shards{shard="1"}', 2)],
    expected: ['critical d.example'],
  },
  {
    what: 'DNS answers, and names nobody',
    alert: 'WinkmsDomainNotServed',
    one: [says('winkms_srv_lookup_success{domain="e.example",resolver="r"}', 0)],
    expected: ['critical e.example'],
  },
  {
    what: 'one resolver names nobody, another does',
    alert: 'WinkmsDomainNotServed',
    one: [0, 1].map((found) =>
      says(`winkms_srv_lookup_success{domain="e.example",resolver="r${found}"}`, found),
    ),
    expected: [],
  },
  {
    what: 'no record, but hosts that are expected: of them it is told',
    alert: 'WinkmsDomainNotServed',
    one: [says('winkms_srv_lookup_success{domain="d.example",resolver="r"}', 0), ...known('a', 1)],
    expected: [],
  },
  {
    what: 'why it does not serve is said by its cause',
    alert: 'WinkmsHostNotServing',
    one: [...known('a', 0), cause('a', 'service_stopped')],
    expected: [],
  },
  {
    what: 'a cause for which it would serve does not say why it does not',
    alert: 'WinkmsHostNotServing',
    one: [...known('a', 0), cause('a', 'version_mismatch')],
    expected: ['critical a'],
  },
]

const answered = (result: string): Said =>
  says(`winkms_activation_requests_total{host="a",result="${result}",min_clients="25"}`, (minute) => minute)
const canary = (series: string, value = 1): Said => says(`winkms_client_${series}`, value)
const unlicensed = canary('license_status{client="pc",status="licensed"}', 0)
const asks = (host: string): Said => canary(`kms_info{client="pc",host="${host}",discovered_by="dns"}`)
const week = { at: 7 * DAY_MINUTES + 100, step: 5 }

const seenTo: readonly Company[] = [
  {
    what: 'a stale host is not also a rogue one',
    alert: 'WinkmsSrvUnexpectedTarget',
    one: [...known('old', 0), cause('old', 'srv_stale'), finding(1)],
    expected: [],
  },
  {
    what: 'a stale host hides no rogue one',
    alert: 'WinkmsSrvUnexpectedTarget',
    one: [...known('old', 0), cause('old', 'srv_stale'), finding(2)],
    expected: ['warning d.example'],
  },
  {
    what: 'that one resolver lacks a host is the cause of that host',
    alert: 'WinkmsSrvInconsistent',
    one: [says('winkms_srv_consistent{domain="d.example"}', 0), ...known('a', 0), cause('a', 'srv_missing')],
    expected: [],
  },
  {
    what: 'a drift that is the cause is no warning besides',
    alert: 'WinkmsDriftHigh',
    one: [
      says('winkms_clock_drift_seconds{host="a"}', 18_000),
      says('winkms_clock_drift_uncertainty_seconds{host="a"}', 1),
      cause('a', 'clock_skew'),
    ],
    expected: [],
  },
  {
    what: 'a count that is too low is not also about to be',
    alert: 'WinkmsCountForecastLow',
    one: [
      says('winkms_forecast_clients{host="a"}', 20),
      says('winkms_required_clients{host="a",product="ws2022"}', 25),
      cause('a', 'count_below_threshold'),
    ],
    expected: [],
  },
  {
    what: 'a forecast has to do for the product that takes most',
    alert: 'WinkmsCountForecastLow',
    one: [
      says('winkms_forecast_clients{host="a"}', 20),
      says('winkms_required_clients{host="a",product="office"}', 5),
      says('winkms_required_clients{host="a",product="ws2022"}', 25),
    ],
    expected: ['warning a'],
  },
  {
    what: 'one client is not renewed, others are',
    alert: 'WinkmsClientExpiry',
    one: [
      says('winkms_earliest_client_expiry_seconds{host="a"}', DAY),
      answered('0x00000000'),
      answered('0xC004F042'),
    ],
    ...week,
    expected: ['warning a'],
  },
  {
    what: 'no client is renewed',
    alert: 'WinkmsClientExpiry',
    one: [says('winkms_earliest_client_expiry_seconds{host="a"}', DAY), answered('0xC004F042')],
    ...week,
    expected: ['critical a', 'warning a'],
  },
  {
    what: 'nobody has published where that is switched off',
    alert: 'WinkmsDnsPublishingFailed',
    one: [publishing(0), says('winkms_dns_publishing_enabled{host="a"}', 0)],
    at: 3_000,
    step: 5,
    expected: [],
  },
  {
    what: 'publishing fails for two days, and its log could not be read at times',
    alert: 'WinkmsDnsPublishingFailed',
    one: [
      publishing((minute) => (minute % 300 < 20 ? undefined : 0)),
      says('winkms_dns_publishing_enabled{host="a"}', 1),
    ],
    at: 3_000,
    step: 5,
    expected: ['critical a', 'warning a'],
  },
  {
    what: 'a client is refused by its host',
    alert: 'WinkmsCanaryFailing',
    one: [asks('a'), canary('last_activation_result_info{client="pc",code="0xC004F038"}')],
    expected: ['warning a'],
  },
  {
    what: 'a client is not licensed, and asks nobody',
    alert: 'WinkmsCanaryFailing',
    one: [unlicensed],
    expected: ['warning pc'],
  },
  {
    what: 'a client that changes its host is told of neither',
    alert: 'WinkmsCanaryFailing',
    one: [unlicensed, asks('a')],
    two: [unlicensed, asks('b')],
    expected: ['warning pc'],
  },
]

const perHour = (result: string, count: number): Said =>
  says(
    `winkms_activation_requests_total{host="a",result="${result}",min_clients="25"}`,
    (minute) => (minute * count) / 60,
  )
const failing: readonly Company[] = [
  { what: 'two requests an hour fail, which is all of them', one: [perHour('0xC004F042', 2)], expected: [] },
  { what: 'four an hour do', one: [perHour('0xC004F042', 4)], expected: ['warning a'] },
].map((each) => ({ ...each, alert: 'WinkmsRequestsFailing' }))

const lastRequest = (days: number): Said =>
  says('winkms_last_request_timestamp_seconds{host="a"}', -days * DAY)
const caughtUp = (value = 1): Said => says('winkms_event_log_caught_up{host="a"}', value)
const clients = (count: number): Said => says('winkms_distinct_clients{host="a",window="30d"}', count)
const population = clients(200)

const idle: readonly Company[] = [
  { what: 'nobody knows how many clients it has', one: [lastRequest(40), caughtUp()], expected: [] },
  { what: 'its log is still being read', one: [lastRequest(5), caughtUp(0), population], expected: [] },
  {
    what: 'its clock is ahead, so the last request is older than it says',
    one: [lastRequest(2.5), caughtUp(), population, says('winkms_clock_drift_seconds{host="a"}', 0.6 * DAY)],
    expected: ['warning a'],
  },
  {
    what: 'its clock is behind, so the last request is younger',
    one: [lastRequest(3.3), caughtUp(), population, says('winkms_clock_drift_seconds{host="a"}', -0.6 * DAY)],
    expected: [],
  },
  {
    what: 'ten clients, one of whom is due every 17 hours: ten times that has gone by',
    one: [lastRequest(8), caughtUp(), clients(10)],
    expected: ['warning a'],
  },
  {
    what: 'ten clients, and ten times that has not gone by',
    one: [lastRequest(6.5), caughtUp(), clients(10)],
    expected: [],
  },
  {
    what: 'one of a pair is still reading the log',
    one: [lastRequest(5), caughtUp(), population],
    two: [lastRequest(5), caughtUp(0), population],
    expected: [],
  },
].map((each) => ({ ...each, alert: 'WinkmsHostIdle' }))

export const HOSTS: readonly Company[] = [...hosts, ...seenTo, ...failing, ...idle]
