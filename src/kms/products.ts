// KMS host keys (CSVLKs) by the channel that Windows' description of them ends in. A closed table, since the short name
// becomes a label; a channel that is not in it goes by its activation id.

/** SoftwareLicensingProduct.ApplicationID, in lower case. */
export const WINDOWS_APPLICATION = '55c92734-d682-4d71-983e-d6ec3f16059f'

const OFFICE_APPLICATIONS: ReadonlySet<string> = new Set([
  '0ff1ce15-a989-479d-af46-f275c6370663', // Office 2013 and later
  '0ff1ce16-a989-479d-af46-f275c6370663', // as Microsoft's own sample output of Office 2016 has it
  '59a52881-a989-479d-af46-f275c6370663', // Office 2010
])

/**
 * Keys for Windows, oldest first, by what follows `VOLUME_KMS_` in the description: "Windows(R) Operating System,
 * VOLUME_KMS_WS16 channel". Sources: public output of slmgr /dlv (2012-R2_WIN10, W10, WS16, WS22) and public scripts
 * (R2_A to R2_C). Unverified, by the pattern of the others: 2012, 2012-R2, WS19, WS25.
 */
const WINDOWS_CHANNELS = {
  R2_A: 'ws2008_r2',
  R2_B: 'ws2008_r2',
  R2_C: 'ws2008_r2',
  '2012': 'ws2012',
  '2012-R2': 'ws2012_r2',
  '2012-R2_WIN10': 'ws2012_r2_w10',
  W10: 'w10',
  WS16: 'ws2016',
  WS19: 'ws2019',
  WS22: 'ws2022',
  WS25: 'ws2025',
} as const

export type WindowsKey = (typeof WINDOWS_CHANNELS)[keyof typeof WINDOWS_CHANNELS]

/**
 * Office's host keys all say plain "VOLUME_KMS channel"; their activation ids tell them apart. Source: "Configure a KMS
 * host computer to activate volume licensed versions of Office" and "Tools to manage volume activation of Office", and
 * their predecessor for 2010.
 */
const OFFICE_IDS = {
  'bfe7a195-4f8f-4f0b-a622-cf13c7d16864': 'office2010',
  '98ebfe73-2084-4c97-932c-c0cd1643bea7': 'office2016',
  '70512334-47b4-44db-a233-be5ea33b914c': 'office2019',
  '47f3b983-7c53-4d45-abc6-bcd91e2dd90a': 'office2021',
  'f3d89bbf-c0ec-47ce-a8fa-e5a5f97e447f': 'office2024',
} as const

const WINDOWS_KEYS: ReadonlySet<string> = new Set(Object.values(WINDOWS_CHANNELS))
const OFFICE_KEYS: ReadonlySet<string> = new Set(Object.values(OFFICE_IDS))

/** A key that makes a machine a KMS host: slmgr's own test. */
export function isHostKey(description: string): boolean {
  return description.includes('VOLUME_KMS') && !isClientKey(description)
}

/** A key that makes a machine ask a KMS host. */
export function isClientKey(description: string): boolean {
  return description.includes('VOLUME_KMSCLIENT')
}

/** `id` in lower case. The short name, or the id. */
export function productName(id: string, description: string): string {
  const channel = /\bVOLUME_KMS_([A-Za-z0-9_-]{1,32})/.exec(description)?.[1]?.toUpperCase()
  return (
    lookUp(OFFICE_IDS, id) ?? (channel === undefined ? undefined : lookUp(WINDOWS_CHANNELS, channel)) ?? id
  )
}

/** Own properties only: a peer may say `constructor`. */
function lookUp<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

export function applicationOf(applicationId: string): 'windows' | 'office' | 'other' {
  const id = applicationId.toLowerCase()
  if (id === WINDOWS_APPLICATION) return 'windows'
  return OFFICE_APPLICATIONS.has(id) ? 'office' : 'other'
}

export function isWindowsKey(product: string): product is WindowsKey {
  return WINDOWS_KEYS.has(product)
}

export function isOfficeKey(product: string): boolean {
  return OFFICE_KEYS.has(product)
}
