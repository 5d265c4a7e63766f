// Can the host activate, and is there capacity? Asks the SoftwareLicensing classes (sppwmi.mof), and never where sppsvc
// is known not to run: asking may start it, and would so mend the very fault that is to be seen.
import { parseName } from '../config/values.ts'
import { hasWindows, openWindows } from '../io/windows/open.ts'
import type { WindowsReader } from '../io/windows/windows.ts'
import { supports, type HostFacts } from '../kms/support-matrix.ts'
import { detached } from '../model/detached.ts'
import { emitState, type Emit, type Metric } from '../model/metric.ts'
import { offsetMetrics, type ClockSample } from './clock.ts'
import { askKms, LICENSE_STATUSES, type KmsFacts, type KmsProduct, type KmsService } from './license-facts.ts'
import { hostTarget, type HostTarget } from './host-target.ts'
import type { Probe } from './probe.ts'
import { osInfoMetric, type OsFacts, type ServiceState, type StartMode } from './windows-facts.ts'
import { askOs, askSppsvc, askUbr, counting, mayReadRegistry, optional } from './windows-queries.ts'

export { LICENSE_STATUSES } from './license-facts.ts'
export type { KmsProduct } from './license-facts.ts'

/** A line of the registry's DnsDomainPublishList. */
export interface PublishedDomain {
  readonly domain: string
  readonly priority: number
  readonly weight: number
}

export interface LicensingReading {
  /** As it was before anything was asked that may start it. State `unknown`: no row, and so a missing right. */
  readonly service: { readonly state: ServiceState; readonly startMode: StartMode | undefined }
  /** Undefined when sppsvc does not run: asking these classes would start it, and so hide what is wrong. */
  readonly kms: KmsFacts | undefined
  readonly os: OsFacts | undefined
  /** Undefined unless the registry may be read; empty when the host publishes in its own domain only. */
  readonly publishList: readonly PublishedDomain[] | undefined
  readonly clock: readonly ClockSample[]
  /** Of the questions, without the logon. */
  readonly roundTrips: number
}

const PUBLISH_LIST = {
  key: String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform`,
  name: 'DnsDomainPublishList',
  type: 'multi_string',
} as const

const MOST_DOMAINS = 100

/** "Registry Settings for Volume Activation": `domain, priority, weight` a line, both numbers 0 where not given. */
async function askPublishList(windows: WindowsReader): Promise<readonly PublishedDomain[]> {
  const value = await windows.readRegistry(PUBLISH_LIST)
  const lines = typeof value === 'object' ? value : []
  return lines.slice(0, MOST_DOMAINS).flatMap((line) => {
    const [name = '', priority = '', weight = ''] = line.split(',', 3).map((part) => part.trim())
    const domain = parseName(name).value
    return domain === undefined ? [] : [{ domain, priority: srvNumber(priority), weight: srvNumber(weight) }]
  })
}

function srvNumber(text: string): number {
  return /^\d{1,5}$/.test(text) ? Math.min(Number(text), 0xffff) : 0
}

// ---- Exporting

type LicensingMetric = Metric<HostTarget, LicensingReading>

function perHost(
  name: string,
  help: string,
  valueOf: (service: KmsService) => number | boolean | undefined,
): LicensingMetric {
  const samples = ({ kms }: LicensingReading, emit: Emit): void => emit(kms && valueOf(kms.service))
  return { name, type: 'gauge', help, labels: ['host'], samples }
}

function perProduct(
  name: string,
  help: string,
  valueOf: (product: KmsProduct) => number | undefined,
): LicensingMetric {
  const samples = ({ kms }: LicensingReading, emit: Emit): void => {
    for (const each of kms?.products ?? []) emit(valueOf(each), each.product)
  }
  const type = name.endsWith('_total') ? 'counter' : 'gauge'
  return { name, type, help, labels: ['host', 'product'], samples }
}

const metrics: readonly LicensingMetric[] = [
  perHost(
    'winkms_kms_enabled',
    'Whether the machine is a KMS host (IsKeyManagementServiceMachine). Absent, like all that follows, while sppsvc does not run: asking would start it.',
    ({ kmsEnabled }) => kmsEnabled,
  ),
  perProduct(
    'winkms_current_clients',
    'Clients that the host counts for this key (KeyManagementServiceCurrentCount); never more than winkms_current_clients_limit, and absent until the first request.',
    ({ currentClients }) => currentClients,
  ),
  perProduct(
    'winkms_required_clients',
    'Clients that it takes before the host activates any (RequiredClientCount).',
    ({ requiredClients }) => requiredClients,
  ),
  perProduct(
    'winkms_current_clients_limit',
    'Where the count saturates: 50 once a client system has asked, 10 before.',
    ({ clientsLimit }) => clientsLimit,
  ),
  {
    name: 'winkms_requests_total',
    type: 'counter',
    help: "Requests since the host's installation, by the client's licence status when it asked.",
    labels: ['host', 'product', 'license_status'],
    samples: ({ kms }, emit) => {
      for (const { product, requests } of kms?.products ?? [])
        for (const [status, count] of Object.entries(requests)) emit(count, product, status)
    },
  },
  perProduct(
    'winkms_requests_received_total',
    "Valid requests since the host's installation (KeyManagementServiceTotalRequests).",
    ({ requestsReceived }) => requestsReceived,
  ),
  perProduct(
    'winkms_requests_failed_total',
    "Requests that failed since the host's installation (KeyManagementServiceFailedRequests).",
    ({ requestsFailed }) => requestsFailed,
  ),
  {
    name: 'winkms_host_license_status',
    type: 'gauge',
    help: 'Licence status of the host key itself: 1 on the current one; any but licensed means that the host has to be activated again.',
    labels: ['host', 'product', 'status'],
    samples: ({ kms }, emit) => {
      for (const { product, licenseStatus } of kms?.products ?? [])
        emitState((value, status = '') => emit(value, product, status), LICENSE_STATUSES, licenseStatus)
    },
  },
  {
    name: 'winkms_host_license_reason_info',
    type: 'gauge',
    help: 'Why the host key is not licensed (LicenseStatusReason); present, as 1, only while it is not.',
    labels: ['host', 'product', 'reason'],
    samples: ({ kms }, emit) => {
      for (const { product, licenseStatus, licenseReason } of kms?.products ?? [])
        if (licenseStatus !== 'licensed' && licenseReason !== undefined) emit(1, product, licenseReason)
    },
  },
  perProduct(
    'winkms_host_license_grace_seconds',
    "What is left of the host's own grace period (GracePeriodRemaining); absent for a licence that does not end.",
    ({ graceSeconds }) => graceSeconds,
  ),
  perHost(
    'winkms_listening_port',
    'TCP port that the host listens on.',
    ({ listeningPort }) => listeningPort,
  ),
  perHost(
    'winkms_dns_publishing_enabled',
    'Whether the host publishes itself in DNS.',
    ({ dnsPublishing }) => dnsPublishing,
  ),
  {
    name: 'winkms_dns_publish_list_info',
    type: 'gauge',
    help: 'Where, and how, the registry has the host publish itself (DnsDomainPublishList): one a domain, always 1. Compare with winkms_srv_record_info. Absent unless the registry may be read.',
    labels: ['host', 'domain', 'priority', 'weight'],
    samples: ({ publishList }, emit) => {
      const byDomain = new Map((publishList ?? []).map((each) => [each.domain, each]))
      for (const { domain, priority, weight } of byDomain.values())
        emit(1, domain, String(priority), String(weight))
    },
  },
  perHost(
    'winkms_low_priority',
    'Whether the service runs with low priority, which may starve it on a busy machine.',
    ({ lowPriority }) => lowPriority,
  ),
  perHost(
    'winkms_host_caching_enabled',
    'Whether the machine, as a client, remembers its last KMS host.',
    ({ hostCaching }) => hostCaching,
  ),
  perHost(
    'winkms_activation_interval_seconds',
    'How often clients that are not activated shall ask (VLActivationInterval).',
    ({ activationIntervalSeconds }) => activationIntervalSeconds,
  ),
  perHost(
    'winkms_renewal_interval_seconds',
    'How often activated clients shall ask (VLRenewalInterval).',
    ({ renewalIntervalSeconds }) => renewalIntervalSeconds,
  ),
  osInfoMetric((reading: LicensingReading) => reading.os),
  {
    name: 'winkms_client_os_supported',
    type: 'gauge',
    help: 'Whether the host can activate this client, by its key and its update revision; absent when that is not known.',
    labels: ['host', 'client_os'],
    samples: ({ kms, os }, emit) => {
      if (kms === undefined) return
      for (const [clientOs, supported] of Object.entries(supports(hostFactsOf(kms.products, os))))
        emit(supported, clientOs)
    },
  },
  ...offsetMetrics((reading: LicensingReading) => reading.clock),
]

/** What the support matrix goes by. */
export function hostFactsOf(products: readonly KmsProduct[], os: OsFacts | undefined): HostFacts {
  return {
    build: os?.build,
    ubr: os?.ubr,
    ubrIsLeast: os?.ubrSource === 'kernel_file',
    productType: os?.productType,
    channels: products.map(({ product }) => product),
  }
}

export const licensing: Probe<'licensing', HostTarget, LicensingReading> = {
  name: 'licensing',
  question: 'Can the host activate, and is there capacity?',
  stages: ['resolve', 'connect', 'logon', 'ask'],
  identity: ['host'],

  targets: ({ hosts }) => hosts.filter(hasWindows).map((host) => hostTarget(host, 'licensing')),

  async measure({ host }, visit) {
    const windows = counting(await openWindows(host, visit))
    const { state, startMode } = await askSppsvc(windows)
    const runs = state === 'running' || state === 'start_pending' || state === 'unknown'
    const kms = runs ? await askKms(windows) : undefined
    const answer = await optional(askOs(windows))
    const revision = answer && (await askUbr(windows, answer, host.windows))
    const publishList = mayReadRegistry(host.windows) ? await optional(askPublishList(windows)) : undefined
    // The clock probe asks for the same where it may: one source has one voice.
    const offset = host.probes.clock.sources.includes('cim') ? undefined : answer?.offset
    return detached({
      service: { state, startMode },
      kms,
      os: answer && { ...answer.os, ...revision },
      publishList,
      clock: offset === undefined ? [] : [{ source: 'cim', offset }],
      roundTrips: windows.roundTrips,
    })
  },

  metrics,
}
