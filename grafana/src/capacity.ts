// Whether hosts have enough clients to activate any, what is coming, and for which clients they are able.
import { LEVELS } from '../../src/kms/levels.ts'
import { CLIENT_THRESHOLD, LEAST_THRESHOLD } from '../../src/kms/thresholds.ts'
import { dashboard } from './frame.ts'
import { EXPORTER_PAGES, toHost } from './links.ts'
import {
  BAD,
  below,
  COUNT_WORDS,
  EXPIRY_DAYS,
  from,
  GOOD,
  LICENSE_WORDS,
  UNKNOWN,
  words,
  YES_NO,
} from './look.ts'
import { bars, lines, shaded } from './panels.ts'
import { CHOSEN, countOrFull, here, least, rate, worst } from './query.ts'
import { matrix, table } from './table.ts'

const HOUR = 3_600
const DAY = 24 * HOUR
const HOST_PRODUCT = 'host, product'
const REQUIRED = worst(HOST_PRODUCT, 'winkms_required_clients', CHOSEN)
const FORECAST = here(least('host', 'winkms_forecast_clients', CHOSEN))

/** The part of `vector` whose products need so many clients. */
function needing(threshold: number, vector: string): string {
  return here(`${vector} and on (host, product) (${REQUIRED} == ${threshold})`)
}

const LAST_DAY = 'The count says no more than its limit: "full" is that many or any number above.'

const counts = [
  bars({
    id: 1,
    title: 'Counted, where 25 clients are needed',
    description: `Clients that the host counts for each product, against the 25 that it takes before one is activated. ${LAST_DAY}`,
    width: 12,
    height: 9,
    unit: 'none',
    most: 2 * CLIENT_THRESHOLD,
    mappings: COUNT_WORDS,
    thresholds: below(LEVELS.count.clients),
    links: [toHost('${__field.labels.host}')],
    queries: [
      { expr: needing(CLIENT_THRESHOLD, countOrFull(HOST_PRODUCT, CHOSEN)), legend: '{{host}} {{product}}' },
    ],
  }),
  bars({
    id: 2,
    title: 'Counted, where 5 are needed',
    description: `The same for servers and for Office, which take 5. ${LAST_DAY}`,
    width: 12,
    height: 9,
    unit: 'none',
    most: 2 * LEAST_THRESHOLD,
    mappings: COUNT_WORDS,
    thresholds: below(LEVELS.count.servers),
    links: [toHost('${__field.labels.host}')],
    queries: [
      { expr: needing(LEAST_THRESHOLD, countOrFull(HOST_PRODUCT, CHOSEN)), legend: '{{host}} {{product}}' },
    ],
  }),
  lines({
    id: 3,
    title: 'Count over time, where 25 clients are needed',
    description:
      'Below the upper line there is little to spare, below the lower no client is activated. At 50 the count is full.',
    width: 12,
    height: 8,
    unit: 'none',
    decimals: 0,
    min: 0,
    softMax: 2 * CLIENT_THRESHOLD,
    levels: true,
    thresholds: below(LEVELS.count.clients),
    queries: [
      {
        expr: needing(CLIENT_THRESHOLD, least(HOST_PRODUCT, 'winkms_current_clients', CHOSEN)),
        legend: '{{host}} {{product}}',
      },
    ],
  }),
  lines({
    id: 4,
    title: 'Count over time, where 5 are needed',
    description:
      'Below the upper line there is little to spare, below the lower none is activated. At 10 the count is full, unless a client system has asked.',
    width: 12,
    height: 8,
    unit: 'none',
    decimals: 0,
    min: 0,
    softMax: 2 * LEAST_THRESHOLD,
    levels: true,
    thresholds: below(LEVELS.count.servers),
    queries: [
      {
        expr: needing(LEAST_THRESHOLD, least(HOST_PRODUCT, 'winkms_current_clients', CHOSEN)),
        legend: '{{host}} {{product}}',
      },
    ],
  }),
]

const coming = [
  table({
    id: 11,
    title: 'Population and forecast',
    description:
      'Clients by when they asked last. The forecast is what the count comes to in 23 days unless clients come back that have not asked for 7; to spare is what it leaves above the largest need of a product.',
    width: 14,
    height: 9,
    sort: ['To spare', 'Host'],
    queries: [
      ...['1h', '24h', '7d', '30d'].map((window) => ({
        expr: here(worst('host', 'winkms_distinct_clients', CHOSEN, `window="${window}"`)),
      })),
      { expr: here(worst('host', 'winkms_distinct_clients_sampled_one_in', CHOSEN)) },
      { expr: FORECAST },
      { expr: `(${FORECAST}) - on (host) ${worst('host', 'winkms_required_clients', CHOSEN)}` },
    ],
    columns: [
      { title: 'Host', of: 'host', links: [toHost('${__value.raw}')] },
      { title: 'Last hour', of: 0, width: 85 },
      { title: '24 hours', of: 1, width: 80 },
      { title: '7 days', of: 2, width: 75 },
      { title: '30 days', of: 3, width: 80 },
      { title: 'Counted', of: 4, width: 100, mappings: words({ 1: ['exactly', GOOD] }) },
      { title: 'Forecast', of: 5, width: 85, paint: 'text' },
      { title: 'To spare', of: 6, width: 85, paint: 'text', thresholds: from(0, GOOD, BAD) },
    ],
  }),
  bars({
    id: 12,
    title: 'Days until the first client loses its licence',
    description:
      'By what clients of the last 30 days said. Negative once a licence has ended. Windows warns its user from 30 days on.',
    width: 10,
    height: 9,
    unit: 'suffix:d',
    decimals: 0,
    most: 180,
    thresholds: below(EXPIRY_DAYS),
    links: [toHost('${__field.labels.host}')],
    queries: [
      {
        expr: here(`${least('host', 'winkms_earliest_client_expiry_seconds', CHOSEN)} / ${DAY}`),
        legend: '{{host}}',
      },
    ],
  }),
  lines({
    id: 13,
    title: 'Forecast over time',
    description:
      'What the count comes to in 23 days unless clients come back; the lines are those for products that need 25.',
    width: 12,
    height: 8,
    unit: 'none',
    decimals: 0,
    min: 0,
    levels: true,
    thresholds: below(LEVELS.count.clients),
    nothing: 'unknown: an event log has to be read over more than 7 days first',
    queries: [{ expr: FORECAST, legend: '{{host}}' }],
  }),
  lines({
    id: 14,
    title: 'Distinct clients of 30 days',
    description: 'Clients that have sent a request within the window, whatever its result.',
    width: 12,
    height: 8,
    unit: 'none',
    decimals: 0,
    min: 0,
    queries: [
      {
        expr: here(worst('host', 'winkms_distinct_clients', CHOSEN, 'window="30d"')),
        legend: '{{host}}',
      },
    ],
  }),
]

const asked = [
  lines({
    id: 21,
    title: "Requests by the client's licence status",
    description:
      'Per hour, as the host counts them. Many unlicensed: new machines; notification: clients whose licence has ended.',
    width: 16,
    height: 8,
    unit: 'suffix:/h',
    min: 0,
    step: '15m',
    drawn: 'bars',
    stacked: true,
    queries: [
      {
        expr: `${HOUR} * sum by (license_status) (${here(rate('host, product, license_status', 'winkms_requests_total', CHOSEN))})`,
        legend: '{{license_status}}',
      },
    ],
  }),
  lines({
    id: 22,
    title: 'Requests that failed',
    description: 'Per hour and host, as the host counts them.',
    width: 8,
    height: 8,
    unit: 'suffix:/h',
    min: 0,
    step: '15m',
    queries: [
      {
        expr: `${HOUR} * sum by (host) (${here(rate(HOST_PRODUCT, 'winkms_requests_failed_total', CHOSEN))})`,
        legend: '{{host}}',
        properties: [shaded(BAD)],
      },
    ],
  }),
]

const able = [
  matrix({
    id: 31,
    title: 'Which clients can be activated where',
    description:
      'By the host keys and the update revision of each host. Grey: cannot be told, for instance while the update revision is not known.',
    width: 24,
    height: 11,
    rows: 'host',
    across: 'client_os',
    called: [
      ['windows_server_(.*)', 'Server $1'],
      ['windows_(.*)', 'Windows $1'],
    ],
    mappings: YES_NO,
    queries: [{ expr: here(least('host, client_os', 'winkms_client_os_supported', CHOSEN)) }],
  }),
  table({
    id: 32,
    title: "The hosts' own licences",
    description: 'Licence of each host key. Any but licensed means that the host has to be activated again.',
    width: 24,
    height: 9,
    sort: ['Grace left', 'Host'],
    queries: [
      {
        expr: here(
          `topk by (host, product) (1, ${worst('host, product, status', 'winkms_host_license_status', CHOSEN)} == 1)`,
        ),
      },
      { expr: here(least(HOST_PRODUCT, 'winkms_host_license_grace_seconds', CHOSEN)) },
      {
        expr: here(
          `topk by (host, product) (1, ${worst('host, product, reason', 'winkms_host_license_reason_info', CHOSEN)})`,
        ),
      },
      { expr: here(REQUIRED) },
    ],
    columns: [
      { title: 'Host', of: 'host', links: [toHost('${__value.raw}')] },
      { title: 'Product', of: 'product', width: 160 },
      { title: 'Licence', of: 'status', width: 180, paint: 'cell', mappings: LICENSE_WORDS },
      { title: 'Grace left', of: 1, width: 140, unit: 's', mappings: words({}, ['no end', UNKNOWN]) },
      { title: 'Reason', of: 'reason', width: 180 },
      { title: 'Clients needed', of: 3, width: 140 },
    ],
  }),
]

export const capacity = dashboard({
  uid: 'winkms-capacity',
  title: 'KMS capacity',
  description: 'Counts against 5 and 25, what is coming, and which clients each host can activate.',
  choices: ['site', 'hosts'],
  since: 'now-24h',
  pages: [EXPORTER_PAGES.status, EXPORTER_PAGES.runbooks],
  sections: [
    { id: 101, title: 'Counts', panels: counts },
    { id: 102, title: 'What is coming', panels: coming },
    { id: 103, title: 'Requests', panels: asked },
    { id: 104, title: 'Licences and support', panels: able },
  ],
})
