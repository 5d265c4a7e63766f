// What the SoftwareLicensing classes (sppwmi.mof) say of a KMS host: which columns are asked for, and what is made of them.
import type { WindowsReader } from '../io/windows/windows.ts'
import { hresultText } from '../model/hresult.ts'
import { applicationOf, isHostKey, productName } from '../kms/products.ts'
import { KMS_PORT } from '../kms/thresholds.ts'
import { MalformedMessage, ProbeFailure } from '../model/failure.ts'
import { booleanOf, textOf, uint32Of, type CimRow } from '../protocol/cim.ts'

/** SoftwareLicensingProduct.LicenseStatus 0 to 6. */
export const LICENSE_STATUSES = [
  'unlicensed',
  'licensed',
  'oob_grace',
  'oot_grace',
  'non_genuine_grace',
  'notification',
  'extended_grace',
] as const

export type LicenseStatus = (typeof LICENSE_STATUSES)[number]

/** A product of the host with a KMS host key (its Description holds VOLUME_KMS, but not VOLUME_KMSCLIENT). */
export interface KmsProduct {
  /** Activation id, a GUID in lower case. */
  readonly id: string
  /** Label `product`: the short name of its channel from a closed table, or the activation id. */
  readonly product: string
  readonly application: 'windows' | 'office' | 'other'
  readonly licenseStatus: LicenseStatus | undefined
  /** LicenseStatusReason as `0xC004F009`; undefined for 0. */
  readonly licenseReason: string | undefined
  /** GracePeriodRemaining; undefined for a licence that does not end. */
  readonly graceSeconds: number | undefined
  readonly currentClients: number | undefined
  /** Undefined for 0 too, which nothing takes. */
  readonly requiredClients: number | undefined
  /** Where the count saturates: twice the largest threshold that the host was ever asked for. */
  readonly clientsLimit: number | undefined
  readonly requestsReceived: number | undefined
  readonly requestsFailed: number | undefined
  /** Cumulative since the installation, by the client's licence status; there is none for extended_grace. */
  readonly requests: Readonly<Partial<Record<LicenseStatus, number>>>
}

/** SoftwareLicensingService: one instance. */
export interface KmsService {
  readonly version: string | undefined
  readonly kmsEnabled: boolean | undefined
  readonly currentClients: number | undefined
  readonly requiredClients: number | undefined
  /** 1688 where Windows says 0, its word for the default. */
  readonly listeningPort: number | undefined
  readonly dnsPublishing: boolean | undefined
  readonly lowPriority: boolean | undefined
  readonly hostCaching: boolean | undefined
  readonly activationIntervalSeconds: number | undefined
  readonly renewalIntervalSeconds: number | undefined
}

export interface KmsFacts {
  readonly service: KmsService
  readonly products: readonly KmsProduct[]
}

// ---- Rows

const SERVICE_COLUMNS = [
  'Version',
  'IsKeyManagementServiceMachine',
  'KeyManagementServiceCurrentCount',
  'RequiredClientCount',
  'KeyManagementServiceListeningPort',
  'KeyManagementServiceDnsPublishing',
  'KeyManagementServiceLowPriority',
  'KeyManagementServiceHostCaching',
  'VLActivationInterval',
  'VLRenewalInterval',
]

const REQUEST_COLUMNS = {
  unlicensed: 'KeyManagementServiceUnlicensedRequests',
  licensed: 'KeyManagementServiceLicensedRequests',
  oob_grace: 'KeyManagementServiceOOBGraceRequests',
  oot_grace: 'KeyManagementServiceOOTGraceRequests',
  non_genuine_grace: 'KeyManagementServiceNonGenuineGraceRequests',
  notification: 'KeyManagementServiceNotificationRequests',
} as const satisfies Partial<Record<LicenseStatus, string>>

const PRODUCT_COLUMNS = [
  'ID',
  'ApplicationID',
  'Description',
  'IsKeyManagementServiceMachine',
  'LicenseStatus',
  'LicenseStatusReason',
  'GracePeriodRemaining',
  'KeyManagementServiceCurrentCount',
  'RequiredClientCount',
  'KeyManagementServiceTotalRequests',
  'KeyManagementServiceFailedRequests',
  ...Object.values(REQUEST_COLUMNS),
]

/** Of some hundred products, those with a key are a few; each KMS product makes series. */
const MOST_PRODUCTS = 200
const MOST_KMS_PRODUCTS = 20

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function licenseStatusOf(row: CimRow): LicenseStatus | undefined {
  const status = uint32Of(row, 'LicenseStatus')
  return status === undefined ? undefined : LICENSE_STATUSES[status]
}

/** As `0xC004F009`; undefined for 0. */
export function licenseReasonOf(row: CimRow): string | undefined {
  const reason = uint32Of(row, 'LicenseStatusReason')
  return reason ? hresultText(reason) : undefined
}

function minutesOf(row: CimRow, name: string): number | undefined {
  const minutes = uint32Of(row, name)
  return minutes === undefined ? undefined : minutes * 60
}

/** Undefined for 0 too where the licence holds: it does not end then. Without one, 0 says that nothing is left. */
export function graceOf(row: CimRow): number | undefined {
  const seconds = minutesOf(row, 'GracePeriodRemaining')
  const status = licenseStatusOf(row)
  return seconds === 0 && (status === undefined || status === 'licensed') ? undefined : seconds
}

/** Documented for clients only (ff793441): a host's keys may well not say (unverified). */
function requiredOf(row: CimRow): number | undefined {
  return uint32Of(row, 'RequiredClientCount') || undefined
}

function isKms(row: CimRow): boolean | undefined {
  const enabled = uint32Of(row, 'IsKeyManagementServiceMachine')
  return enabled === undefined ? undefined : enabled > 0
}

function serviceOf(row: CimRow): KmsService {
  const port = uint32Of(row, 'KeyManagementServiceListeningPort')
  return {
    version: textOf(row, 'Version')?.slice(0, 64),
    kmsEnabled: isKms(row),
    currentClients: uint32Of(row, 'KeyManagementServiceCurrentCount'),
    requiredClients: requiredOf(row),
    listeningPort: port === 0 ? KMS_PORT : port,
    dnsPublishing: booleanOf(row, 'KeyManagementServiceDnsPublishing'),
    lowPriority: booleanOf(row, 'KeyManagementServiceLowPriority'),
    hostCaching: booleanOf(row, 'KeyManagementServiceHostCaching'),
    activationIntervalSeconds: minutesOf(row, 'VLActivationInterval'),
    renewalIntervalSeconds: minutesOf(row, 'VLRenewalInterval'),
  }
}

/**
 * Twice the largest threshold that was ever asked for, 5 or 25 ("Activate clients using KMS": the host caches so many
 * and never fewer again). A count above 10 shows that it was 25, whatever the threshold says now.
 */
function clientsLimitOf(current: number | undefined, required: number | undefined): number | undefined {
  if (required === 25 || (current ?? 0) > 10) return 50
  return required === 5 ? 10 : undefined
}

function productOf(row: CimRow): KmsProduct {
  const id = textOf(row, 'ID')?.toLowerCase() ?? ''
  if (!GUID.test(id)) throw new MalformedMessage('the ID of a product is no GUID', 0)
  const currentClients = uint32Of(row, 'KeyManagementServiceCurrentCount')
  const requiredClients = requiredOf(row)
  const requests: Partial<Record<LicenseStatus, number>> = {}
  for (const [status, column] of Object.entries(REQUEST_COLUMNS)) {
    const count = uint32Of(row, column)
    if (count !== undefined) requests[status as keyof typeof REQUEST_COLUMNS] = count
  }
  return {
    id,
    product: productName(id, textOf(row, 'Description') ?? ''),
    application: applicationOf(textOf(row, 'ApplicationID') ?? ''),
    licenseStatus: licenseStatusOf(row),
    licenseReason: licenseReasonOf(row),
    graceSeconds: graceOf(row),
    currentClients,
    requiredClients,
    clientsLimit: clientsLimitOf(currentClients, requiredClients),
    requestsReceived: uint32Of(row, 'KeyManagementServiceTotalRequests'),
    requestsFailed: uint32Of(row, 'KeyManagementServiceFailedRequests'),
    requests,
  }
}

/** Each id once; where two keys have one short name, both go by their ids, so that no series is there twice. */
function distinct(products: readonly KmsProduct[]): readonly KmsProduct[] {
  const byId = new Map(products.map((each) => [each.id, each]))
  const all = [...byId.values()].slice(0, MOST_KMS_PRODUCTS)
  return all.map((each) =>
    all.some((other) => other !== each && other.product === each.product)
      ? { ...each, product: each.id }
      : each,
  )
}

/** Rejects with `not_found` where there is no such service. */
export async function askKms(windows: WindowsReader): Promise<KmsFacts> {
  const services = await windows.query({ from: 'SoftwareLicensingService', columns: SERVICE_COLUMNS })
  const [row] = services.rows
  if (row === undefined) throw new ProbeFailure('not_found', 'SoftwareLicensingService has no instance')
  const { rows } = await windows.query(
    {
      from: 'SoftwareLicensingProduct',
      columns: PRODUCT_COLUMNS,
      where: 'PartialProductKey <> null',
    },
    { mostRows: MOST_PRODUCTS },
  )
  const keys = rows.filter((each) => isHostKey(textOf(each, 'Description') ?? ''))
  const service = serviceOf(row)
  // On a host for Office alone its keys are heard as well: whether the machine as a whole says so then is unverified.
  const forWindows = keys.some((each) => applicationOf(textOf(each, 'ApplicationID') ?? '') === 'windows')
  const kmsEnabled = (!forWindows && keys.some(isKms)) || service.kmsEnabled
  return { service: { ...service, kmsEnabled }, products: distinct(keys.map(productOf)) }
}
