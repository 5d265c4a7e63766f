// Queries that panels share. Two replicas of the exporter see the same hosts: every query takes job and instance away,
// and where the replicas disagree, the worse word stands.
import { CAUSE_NAMES, rowOf, TREE, type Cause } from '../../src/diagnosis/causes.ts'
import { SERVICE_STATES, type ServiceState } from '../../src/probes/windows-facts.ts'

/** Where several hosts can be chosen. The variable's name differs from the next: else a link from there would carry "All". */
export const CHOSEN = 'host=~"$hosts"'

/** Where one is. */
export const THIS_HOST = 'host=~"$host"'

/** The span over which counters are compared; Grafana knows the scrape interval. */
export const SPAN = '[$__rate_interval]'

/** A series of the chosen jobs, instances and vantage points. */
export function series(name: string, ...matchers: readonly string[]): string {
  return `${name}{${['job=~"$job"', 'instance=~"$instance"', 'vantage=~"$vantage"', ...matchers].join(',')}}`
}

/** The chosen hosts, those of the chosen site; one series each. */
export const HOSTS = `max by (host) (${series('winkms_host_info', CHOSEN, 'site=~"$site"')})`

/** The part of `vector` that is about a host of the chosen site. */
export function here(vector: string): string {
  return `${vector} and on (host) ${HOSTS}`
}

/** One series for each combination of `labels`, whatever the number of replicas; the largest is the worst. */
export function worst(labels: string, name: string, ...matchers: readonly string[]): string {
  return `max by (${labels}) (${series(name, ...matchers)})`
}

/** As `worst`, where the smallest is the worst. */
export function least(labels: string, name: string, ...matchers: readonly string[]): string {
  return `min by (${labels}) (${series(name, ...matchers)})`
}

/** A counter's rate per second, of one replica: both count the same requests. */
export function rate(labels: string, name: string, ...matchers: readonly string[]): string {
  return `max by (${labels}) (rate(${series(name, ...matchers)}${SPAN}))`
}

/** A series for each entry, with its number as the value. */
function numbers(label: string, entries: readonly (readonly [string, number])[]): string {
  return entries.map(([value, number]) => withLabel(number, label, value)).join(' or ')
}

function withLabel(number: number, label: string, value: string): string {
  return `label_replace(vector(${number}), "${label}", "${value}", "", "")`
}

/** Only one series a host: the first label by `ranks` among those with the value 1. */
function first(label: string, ofOne: string, ranks: string): string {
  const ranked = `${ofOne} * on (${label}) group_left () (${ranks})`
  // A value that this dashboard does not know comes last, but comes.
  return `topk by (host) (1, ${ranked} or 0 * ${ofOne})`
}

/** Those that stop the service first, in the order in which a client meets the obstacles. */
export const BY_URGENCY: readonly Cause[] = (() => {
  const inOrder = TREE.flatMap(({ causes }) => causes)
  const stops = (cause: Cause): boolean => rowOf(cause).stopsService
  return [...inOrder.filter(stops), ...inOrder.filter((cause) => !stops(cause))]
})()

/** `matchers` of winkms_diagnosis. The most urgent named cause of each host, as a label. */
export function firstCause(...matchers: readonly string[]): string {
  const named = `(${worst('host, cause', 'winkms_diagnosis', ...matchers)} == 1)`
  const ranks = BY_URGENCY.map((cause, index) => [cause, CAUSE_NAMES.length - index] as const)
  return first('cause', named, numbers('cause', ranks))
}

/** The error that clients show for that cause, as a label. */
export function firstError(...matchers: readonly string[]): string {
  const errors = worst('host, cause, code', 'winkms_diagnosis_client_error_info', ...matchers)
  return `topk by (host) (1, max by (host, code) (${errors} and on (host, cause) ${firstCause(...matchers)}))`
}

/** 1 where the cause is named, 0 where it is ruled out, -1 where it cannot be told; without a gap. */
export function verdict(cause: Cause): string {
  const told = worst('cause', 'winkms_diagnosis', THIS_HOST, `cause="${cause}"`)
  return `${told} or ${withLabel(-1, 'cause', cause)}`
}

/** The worse, the higher; what is asked first is whether it runs. */
export const STATE_NUMBERS: Readonly<Record<ServiceState, number>> = {
  running: 1,
  unknown: 0,
  continue_pending: 2,
  start_pending: 3,
  pause_pending: 4,
  paused: 5,
  stop_pending: 6,
  stopped: 7,
}

/** The number of the state of sppsvc, by `labels`, which are among those of winkms_service_state. */
export function serviceState(labels: string, ...matchers: readonly string[]): string {
  const current = `(${series('winkms_service_state', ...matchers)} == 1)`
  const states = SERVICE_STATES.map((state) => [state, STATE_NUMBERS[state]] as const)
  return `max by (${labels}) (${current} * on (state) group_left () (${numbers('state', states)}))`
}

/** Stands for a count that has reached its limit, which may be any number from there on. */
export const FULL = 1_000

/** A host's count for a product; `FULL` where it is saturated. Of replicas, the smaller. */
export function countOrFull(labels: string, ...matchers: readonly string[]): string {
  const count = least(labels, 'winkms_current_clients', ...matchers)
  const limit = worst(labels, 'winkms_current_clients_limit', ...matchers)
  return `(${count} < ${limit} or 0 * ${count} + ${FULL})`
}
