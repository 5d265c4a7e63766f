// What Windows itself says, for the pages: a host's licence, count and log, and how activation fares on the canaries.
import { LEVELS } from '../kms/levels.ts'
import type { Result } from '../model/result.ts'
import type { ActivityReading } from '../probes/activity.ts'
import type { ClientReading } from '../probes/client.ts'
import type { KmsFacts, KmsProduct } from '../probes/license-facts.ts'
import type { LicensingReading } from '../probes/licensing.ts'
import type { OsFacts } from '../probes/windows-facts.ts'
import { badge, cell, grouped, h, section, table, when } from './html-frame.ts'
import { escapeHtml } from './printable.ts'
import { resultOf, type ClientView } from './snapshot.ts'

type Row = readonly [what: string, html: string | undefined]

function facts(rows: readonly Row[]): string {
  const known = rows.filter(([, html]) => html !== undefined)
  const lines = known.map(([what, html]) => `<tr><th scope="row">${h(what)}</th><td>${html}</td></tr>`)
  return known.length === 0 ? '' : `<table class="facts"><tbody>${lines.join('\n')}</tbody></table>`
}

function osText({ caption, build, ubr, ubrSource }: OsFacts): string {
  if (build === undefined) return h(caption)
  const later = ubrSource === 'kernel_file' ? ' or later (by its kernel)' : ''
  return `${h(caption)} <small>${build}${ubr === undefined ? '' : `.${ubr}${later}`}</small>`
}

function statusText(status: string | undefined, reason: string | undefined): string {
  if (status === undefined) return badge('unknown', 'unknown')
  if (status === 'licensed') return badge('good', 'licensed')
  return `${badge('bad', h(status.replaceAll('_', ' ')))}${reason === undefined ? '' : ` <code>${h(reason)}</code>`}`
}

function countText({ currentClients, requiredClients, clientsLimit }: KmsProduct): string {
  if (currentClients === undefined) return 'no client counted yet'
  const full = currentClients === clientsLimit ? ' (full)' : ''
  const needed = requiredClients === undefined ? '' : `, ${requiredClients} required`
  return `${currentClients} clients${full}${needed}`
}

function productRows({ products }: KmsFacts): readonly Row[] {
  return products.map((product): Row => [
    `Key ${product.product}`,
    `${statusText(product.licenseStatus, product.licenseReason)}; ${countText(product)}`,
  ])
}

function publishingText(enabled: boolean, list: LicensingReading['publishList']): string {
  if (!enabled) return 'no'
  const domains = (list ?? []).map(
    ({ domain, priority, weight }) => `${h(domain)} (priority ${priority}, weight ${weight})`,
  )
  return domains.length === 0 ? 'yes' : `in ${domains.join(', ')}`
}

function serviceRows({ service }: KmsFacts, list: LicensingReading['publishList']): readonly Row[] {
  const { kmsEnabled, listeningPort, dnsPublishing } = service
  return [
    ['KMS', kmsEnabled === undefined ? undefined : kmsEnabled ? 'enabled' : badge('bad', 'not enabled')],
    ['Listens on', listeningPort === undefined ? undefined : `port ${listeningPort}`],
    [
      'Publishes itself in DNS',
      dnsPublishing === undefined ? undefined : publishingText(dnsPublishing, list),
    ],
  ]
}

function days(seconds: number): string {
  return `${(seconds / 86_400).toFixed(1)} days`
}

function expiryText(seconds: number): string {
  const { critical, warning } = LEVELS.clientExpirySeconds
  const text = seconds < 0 ? `${days(-seconds)} ago` : `in ${days(seconds)}`
  if (seconds < critical) return `<strong class="bad">${text}</strong>${seconds < 0 ? '' : ': soon'}`
  return seconds < warning ? `<strong class="warning">${text}</strong>` : text
}

function activityRows(reading: ActivityReading): readonly Row[] {
  const { lastRequestSeconds, distinctClients, sampledOneIn, duplicateClientIds, earliestExpirySeconds } =
    reading
  // What has not been read yet is not none.
  const about = sampledOneIn > 1 ? 'about ' : reading.caughtUp ? '' : 'at least '
  const none = reading.caughtUp ? 'none in the event log' : 'none so far in the event log'
  return [
    ['Last request', lastRequestSeconds === undefined ? none : when(lastRequestSeconds)],
    [
      'Different clients',
      `${about}${distinctClients['24h']} in 24 hours, ${distinctClients['7d']} in 7 days, ${distinctClients['30d']} in 30 days`,
    ],
    [
      'Ids that several clients share',
      duplicateClientIds === 0 ? undefined : `<strong class="bad">${about}${duplicateClientIds}</strong>`,
    ],
    [
      'First client to expire',
      earliestExpirySeconds === undefined ? undefined : expiryText(earliestExpirySeconds),
    ],
    ['The event log', reading.caughtUp ? undefined : '<span class="unknown">is still being read</span>'],
  ]
}

/** Empty where Windows has not told anything. */
export function windowsTable(results: readonly Result[]): string {
  const licensing = resultOf(results, 'licensing')?.reading
  const activity = resultOf(results, 'activity')?.reading
  const os = licensing?.os ?? resultOf(results, 'service')?.reading?.os
  const rows = facts([
    ['System', os && osText(os)],
    ...(licensing?.kms === undefined
      ? []
      : [...serviceRows(licensing.kms, licensing.publishList), ...productRows(licensing.kms)]),
    ...(activity === undefined ? [] : activityRows(activity)),
  ])
  return rows === '' ? '' : section('windows', 'What Windows says', rows)
}

function kmsText({ kms }: ClientReading): string {
  if (kms === undefined) return 'none'
  if (kms.discoveredBy === 'active_directory') return 'Active Directory'
  const port = kms.port === undefined ? '' : `:${kms.port}`
  return `${h(kms.host)}${port} <small>${kms.discoveredBy === 'dns' ? 'found in DNS' : 'configured'}</small>`
}

function wasAnswered({ lastActivation }: ClientReading): boolean | undefined {
  return lastActivation && lastActivation.answered && Number(lastActivation.code) === 0
}

function attemptText(reading: ClientReading): string {
  const { lastActivation, eventsReadable } = reading
  if (lastActivation === undefined) return eventsReadable ? 'none' : badge('unknown', 'cannot be read')
  const { code, answered, atSeconds } = lastActivation
  const said =
    wasAnswered(reading) === true ? badge('good', 'success') : badge('bad', answered ? h(code) : 'no answer')
  return `${said}<br><small>${when(atSeconds)}</small>`
}

const HEAD = ['Client', 'Licence', 'KMS host', 'Last activation', 'System']

function canaryRow({ name, result }: ClientView): string {
  const spanning = (html: string): string =>
    `<td colspan="${HEAD.length - 1}" data-title="Licence">${html}</td>`
  const cells =
    result === undefined
      ? spanning('not asked yet')
      : result.reading === undefined
        ? spanning(
            `${badge('unknown', 'no answer')} ${h(result.failure.reason)}: ${h(result.failure.detail)}`,
          )
        : [
            cell('Licence', statusText(result.reading.licenseStatus, result.reading.licenseReason)),
            cell('KMS host', kmsText(result.reading)),
            cell('Last activation', attemptText(result.reading)),
            cell('System', result.reading.os === undefined ? 'unknown' : osText(result.reading.os)),
          ].join('')
  return `<tr data-key="${escapeHtml(`client ${name}`)}"><th scope="row" data-title="Client">${h(name)}</th>${cells}</tr>`
}

/** Without a licence, or refused when it last asked; not one of which nothing is known. */
export function isCanaryTroubled({ result }: ClientView): boolean {
  if (result?.reading === undefined) return false
  const { licenseStatus } = result.reading
  return (
    (licenseStatus !== undefined && licenseStatus !== 'licensed') || wasAnswered(result.reading) === false
  )
}

function rankOf(client: ClientView): number {
  if (isCanaryTroubled(client)) return 0
  return client.result?.reading === undefined ? 1 : 2
}

const MOST_CANARIES = 50

/** The worst first. */
export function canaryTable(clients: readonly ClientView[]): string {
  const worst = clients.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.name < b.name ? -1 : 1))
  const rows = worst.slice(0, MOST_CANARIES).map(canaryRow)
  const more = worst.length - rows.length
  return `${table('canaries', HEAD, rows)}${more > 0 ? `<p>And ${grouped(more)} more that are no worse: <code>/api/v1/hosts</code> has them all.</p>` : ''}`
}
