// Does activation work from a client's seat? Reads what a real client says of its licence and of its last attempt. Its
// sppsvc may be started by the asking: on a client it stops when idle, and starts for anybody who looks.
import type { Client } from '../config/targets.ts'
import { parseReference } from '../config/values.ts'
import { hasWindows, openWindows } from '../io/windows/open.ts'
import type { WindowsReader } from '../io/windows/windows.ts'
import type { ClientOs } from '../kms/client-os.ts'
import { detached } from '../model/detached.ts'
import { hresultText } from '../model/hresult.ts'
import { isClientKey, WINDOWS_APPLICATION } from '../kms/products.ts'
import { clientOsOf } from '../kms/support-matrix.ts'
import { KMS_PORT } from '../kms/thresholds.ts'
import { emitState } from '../model/metric.ts'
import type { Target } from '../model/target.ts'
import { textOf, uint32Of, type CimRow } from '../protocol/cim.ts'
import { quote } from '../protocol/wql.ts'
import { askLastActivation, type Activation } from './client-events.ts'
import {
  graceOf,
  LICENSE_STATUSES,
  licenseReasonOf,
  licenseStatusOf,
  type LicenseStatus,
} from './license-facts.ts'
import type { Probe } from './probe.ts'
import type { OsFacts } from './windows-facts.ts'
import { askOs, counting, optional } from './windows-queries.ts'

export interface ClientReading {
  /** Of Windows itself: the product with a key whose ApplicationID is Windows'. */
  readonly licenseStatus: LicenseStatus | undefined
  readonly licenseReason: string | undefined
  readonly graceSeconds: number | undefined
  /** Whether its key is one that asks a KMS host (VOLUME_KMSCLIENT). */
  readonly isKmsClient: boolean | undefined
  /** The host that it asks: configured (/skms) or found by DNS. `active_directory` asks none, and the name is empty. In lower case. */
  readonly kms:
    | {
        readonly host: string
        readonly port: number | undefined
        readonly discoveredBy: 'configured' | 'dns' | 'active_directory'
      }
    | undefined
  /** The newest of events 12288 and 12289 about that product within 8 days. */
  readonly lastActivation: Activation | undefined
  /** False when events could not be read, for want of a right or of time: then `lastActivation` says nothing. */
  readonly eventsReadable: boolean
  readonly os: OsFacts | undefined
  readonly clientOs: ClientOs | undefined
  /** Of the questions, without the logon. */
  readonly roundTrips: number
}

export interface ClientTarget extends Target {
  readonly client: Client
}

type Kms = NonNullable<ClientReading['kms']>

// ---- The licence

const PRODUCTS = {
  from: 'SoftwareLicensingProduct',
  where: `ApplicationID = ${quote(WINDOWS_APPLICATION)} AND PartialProductKey <> null`,
}
const KMS_COLUMNS = [
  'KeyManagementServiceMachine',
  'KeyManagementServicePort',
  'DiscoveredKeyManagementServiceMachineName',
  'DiscoveredKeyManagementServiceMachinePort',
]

/** Windows' own product is one row; extended updates (ESU) are add-ons with a key and a row of their own. */
const MOST_PRODUCTS = 50

async function askProduct(windows: WindowsReader): Promise<CimRow | undefined> {
  const { rows } = await windows.query(
    {
      ...PRODUCTS,
      columns: [
        'ID',
        'Description',
        'LicenseStatus',
        'LicenseStatusReason',
        'GracePeriodRemaining',
        ...KMS_COLUMNS,
      ],
    },
    { mostRows: MOST_PRODUCTS },
  )
  return rows.find(hasClientKey) ?? rows[0]
}

function hasClientKey(row: CimRow): boolean {
  return isClientKey(textOf(row, 'Description') ?? '')
}

function kmsOf(row: CimRow | undefined): Kms | undefined {
  if (row === undefined) return undefined
  const ways = [
    ['configured', 'KeyManagementServiceMachine', 'KeyManagementServicePort'],
    ['dns', 'DiscoveredKeyManagementServiceMachineName', 'DiscoveredKeyManagementServiceMachinePort'],
  ] as const
  for (const [discoveredBy, name, port] of ways) {
    // 0 and 0xFFFFFFFF stand for a port that nobody set: the default then.
    const found = parseReference(textOf(row, name)?.trim() ?? '', uint32Of(row, port) || KMS_PORT).value
    if (found !== undefined) return { host: found.host, port: found.port, discoveredBy }
  }
  return undefined
}

const ACTIVE_DIRECTORY = 1

/**
 * VLActivationType 1: it was Active Directory that activated this client. Asked for by itself, as the class has it since
 * Windows 8 only, and would refuse the whole question before.
 */
async function usesActiveDirectory(windows: WindowsReader): Promise<boolean> {
  const { rows } = await windows.query(
    { ...PRODUCTS, columns: ['Description', 'VLActivationType'] },
    { mostRows: MOST_PRODUCTS },
  )
  const row = rows.find(hasClientKey)
  return row !== undefined && uint32Of(row, 'VLActivationType') === ACTIVE_DIRECTORY
}

async function askKms(windows: WindowsReader, product: CimRow | undefined): Promise<Kms | undefined> {
  if (product !== undefined && hasClientKey(product) && (await optional(usesActiveDirectory(windows))))
    return { host: '', port: undefined, discoveredBy: 'active_directory' }
  const own = kmsOf(product)
  if (own?.discoveredBy === 'configured') return own
  // What is configured for the whole machine rather than for this product.
  const answer = await optional(windows.query({ from: 'SoftwareLicensingService', columns: KMS_COLUMNS }))
  const machine = kmsOf(answer?.rows[0])
  return machine?.discoveredBy === 'configured' ? machine : (own ?? machine)
}

/** Its own word for a request that was sent, and never answered. */
const NO_ANSWER = 'no_answer'
const SENT = hresultText(0)

export const client: Probe<'client', ClientTarget, ClientReading> = {
  name: 'client',
  question: "Does activation work from a client's seat?",
  stages: ['resolve', 'connect', 'logon', 'ask'],
  identity: ['client'],

  targets: ({ clients }) =>
    clients.filter(hasWindows).map((client) => ({
      key: client.name,
      labels: { client: client.name },
      schedule: client.probe.schedule,
      timeoutSeconds: client.probe.timeout,
      group: client.name,
      client,
    })),

  async measure({ client }, visit) {
    const windows = counting(await openWindows(client, visit))
    const product = await askProduct(windows)
    const kms = await askKms(windows, product)
    const answer = await optional(askOs(windows))
    // Events bear the client's own time.
    const nowSeconds = answer?.nowSeconds ?? visit.io.clock.wallSeconds()
    const productId = product && textOf(product, 'ID')?.toLowerCase()
    const events = await optional(askLastActivation(windows, productId, nowSeconds))
    return detached({
      licenseStatus: product && licenseStatusOf(product),
      licenseReason: product && licenseReasonOf(product),
      graceSeconds: product && graceOf(product),
      isKmsClient: product && hasClientKey(product),
      kms,
      lastActivation: events?.lastActivation,
      eventsReadable: events?.readable ?? false,
      os: answer?.os,
      clientOs: answer && clientOsOf(answer.os),
      roundTrips: windows.roundTrips,
    })
  },

  metrics: [
    {
      name: 'winkms_client_license_status',
      type: 'gauge',
      help: "Licence status of the client's Windows: 1 on the current one.",
      labels: ['client', 'status'],
      samples: ({ licenseStatus }, emit) => emitState(emit, LICENSE_STATUSES, licenseStatus),
    },
    {
      name: 'winkms_client_grace_seconds',
      type: 'gauge',
      help: 'How long the licence of the client holds if nothing renews it (GracePeriodRemaining); absent for a licence that does not end.',
      labels: ['client'],
      samples: ({ graceSeconds }, emit) => emit(graceSeconds),
    },
    {
      name: 'winkms_client_kms_info',
      type: 'gauge',
      help: 'The KMS host that the client asks, and how it knows it: configured, dns, or active_directory, which asks none; always 1.',
      labels: ['client', 'host', 'discovered_by'],
      samples: ({ kms }, emit) => {
        if (kms !== undefined) emit(1, kms.host, kms.discoveredBy)
      },
    },
    {
      name: 'winkms_client_last_activation_result_info',
      type: 'gauge',
      help: "How the client's last attempt to activate ended, by events 12289 and 12288 of the last 8 days; always 1. 0x00000000 is success, no_answer a request that was sent and not answered, not_activated an answer that gave neither an activation nor a reason. Of Windows' own, where the events tell.",
      labels: ['client', 'code'],
      samples: ({ lastActivation }, emit) => {
        if (lastActivation === undefined) return
        const { code, answered } = lastActivation
        emit(1, !answered && code === SENT ? NO_ANSWER : code)
      },
    },
    {
      name: 'winkms_client_last_activation_timestamp_seconds',
      type: 'gauge',
      help: "When the client last tried to activate, Unix time by the client's clock.",
      labels: ['client'],
      samples: ({ lastActivation }, emit) => emit(lastActivation?.atSeconds),
    },
  ],
}
