// Event logs of a simulated Windows, and the events that KMS hosts and clients write: KB 974998, the Volume Activation
// 2.0 Operations Guide ("KMS Events Logged in Windows Event Log"), Win32_NTLogEvent and Win32_NTEventlogFile.
import type { Clock } from './clock.ts'

export interface NewEvent {
  readonly eventCode: number
  /** The provider of the Software Protection service unless told. */
  readonly sourceName?: string
  /** The insertion strings, or what they are at a time of the machine's clock (Unix seconds). */
  readonly strings: readonly string[] | ((atSeconds: number) => readonly string[])
  /** By the machine's own clock, Unix seconds; now unless told. */
  readonly atSeconds?: number
  /** 1 error, 2 warning, 3 information; 3 unless told. */
  readonly eventType?: 1 | 2 | 3
}

export interface LoggedEvent {
  readonly record: number
  readonly eventCode: number
  readonly sourceName: string
  readonly eventType: 1 | 2 | 3
  readonly strings: readonly string[]
  readonly atSeconds: number
}

export interface EventLog {
  readonly name: string
  /** Oldest first. */
  readonly records: readonly LoggedEvent[]
  readonly fileBytes: number
  readonly mostBytes: number
  readonly overwrites: 'WhenNeeded' | 'OutDated' | 'Never'
  /** The number of the record. */
  append(event: NewEvent): number
  /** Empties the log. Numbers go on, as Win32_NTLogEvent.RecordNumber has it. */
  clear(): void
  /** A log file made anew: empty, and its numbers begin at 1 again. */
  restart(): void
  /** As if the file were full: the oldest so many records are overwritten. */
  wrap(count: number): void
}

export interface EventLogOptions {
  readonly overwrites?: EventLog['overwrites']
  /** 20 MB unless told. */
  readonly mostBytes?: number
  /** The number of the first record; 1 unless told. */
  readonly firstRecord?: number
}

const SPP_SOURCE = 'Microsoft-Windows-Security-SPP'

const EMPTY_FILE_BYTES = 69_632
const DEFAULT_MOST_BYTES = 20_971_520
/** About what an event of this kind takes in the file. */
const EVENT_BYTES = 640

export function createEventLog(name: string, clock: Clock, options: EventLogOptions = {}): EventLog {
  const { overwrites = 'WhenNeeded', mostBytes = DEFAULT_MOST_BYTES } = options
  let records: LoggedEvent[] = []
  let next = options.firstRecord ?? 1
  let isFull = false
  const fileBytes = (): number =>
    isFull ? mostBytes : Math.min(mostBytes, EMPTY_FILE_BYTES + records.length * EVENT_BYTES)
  return {
    name,
    mostBytes,
    overwrites,
    get records() {
      return records
    },
    get fileBytes() {
      return fileBytes()
    },
    append({ eventCode, sourceName = SPP_SOURCE, strings, eventType = 3, atSeconds }) {
      const at = Math.floor(atSeconds ?? clock() / 1000)
      const full = fileBytes() >= mostBytes
      // "Do not overwrite events": what comes once the file is full is lost, and takes no number.
      if (full && overwrites === 'Never') return next
      if (full) records.shift()
      isFull ||= full
      const texts = typeof strings === 'function' ? strings(at) : strings
      records.push({ record: next, eventCode, sourceName, eventType, strings: texts, atSeconds: at })
      next += 1
      return next - 1
    },
    clear() {
      records = []
      isFull = false
    },
    restart() {
      records = []
      isFull = false
      next = 1
    },
    wrap(count) {
      records = records.slice(count)
      isFull = true
    },
  }
}

// ---- What KMS hosts write

export interface KmsRequest {
  readonly clientName: string
  /** The client machine's ID, a GUID. */
  readonly cmid: string
  /** 0 unless told: the request was answered. */
  readonly hresult?: number
  /** 5 for servers and Office, 25 for clients, which it is unless told. */
  readonly minCount?: number
  /** How far the client's clock is ahead of the host's. */
  readonly skewSeconds?: number
  readonly isVirtual?: boolean
  /** 0 to 6; 1, licensed, unless told. */
  readonly licenseStatus?: number
  readonly minutesToExpiration?: number
  readonly activationId?: string
  readonly atSeconds?: number
  /**
   * `offset`: a string a field after one of unknown meaning, as scripts that read this event expect it. `joined`: one
   * string with all fields, as KB 974998 prints it.
   */
  readonly shape?: 'offset' | 'joined'
}

/** The activation ID of Windows 10 Enterprise's volume edition, as "KMS client activation" samples print it. */
const SOME_PRODUCT = '73111121-5638-40f6-bc11-f1d7b0d64300'

/** An event 12290, "An activation request has been processed". */
export function request12290(request: KmsRequest): NewEvent {
  const { hresult = 0, minCount = 25, clientName, cmid, skewSeconds = 0, atSeconds } = request
  const { isVirtual = true, licenseStatus = 1, minutesToExpiration = 248_400 } = request
  const { activationId = SOME_PRODUCT, shape = 'offset' } = request
  const strings = (hostSeconds: number): readonly string[] => {
    const fields = [
      hex(hresult),
      String(minCount),
      clientName,
      cmid,
      kmsTime(hostSeconds + skewSeconds),
      isVirtual ? '1' : '0',
      String(licenseStatus),
      String(minutesToExpiration),
      activationId,
    ]
    return shape === 'joined' ? [fields.join(',')] : ['', ...fields]
  }
  return { eventCode: 12_290, strings, ...(atSeconds !== undefined && { atSeconds }) }
}

/** Event 12293: the host could not publish itself in the domain. */
export function publishFailed(domain: string, hresult: number, atSeconds?: number): NewEvent {
  const at = atSeconds === undefined ? {} : { atSeconds }
  return { eventCode: 12_293, eventType: 1, strings: [hex(hresult), domain], ...at }
}

/** Event 12294: it could. */
export function published(domain: string, atSeconds?: number): NewEvent {
  return { eventCode: 12_294, strings: [domain], ...(atSeconds !== undefined && { atSeconds }) }
}

// ---- What clients write

export interface ClientAttempt {
  readonly host: string
  readonly port?: number
  readonly hresult?: number
  readonly cmid?: string
  readonly licenseStatus?: number
  readonly minutesToExpiration?: number
  readonly atSeconds?: number
}

const SOME_CLIENT = '0d4d5f0e-2f0b-4f0e-9b53-0d2b7c5a9a10'

/** Event 12288: the client has sent a request, or could not. */
export function request12288(attempt: ClientAttempt): NewEvent {
  const { host, port = 1688, hresult = 0, cmid = SOME_CLIENT, atSeconds } = attempt
  const { licenseStatus = 1, minutesToExpiration = 248_400 } = attempt
  const strings = (own: number): readonly string[] => [
    [
      hex(hresult),
      '0x00000000',
      `${host}:${port}`,
      cmid,
      kmsTime(own),
      '0',
      licenseStatus,
      minutesToExpiration,
      SOME_PRODUCT,
      '25',
    ].join(', '),
  ]
  return { eventCode: 12_288, strings, ...(atSeconds !== undefined && { atSeconds }) }
}

/** Event 12289: the client has processed the host's answer. */
export function response12289(
  answer: { readonly hresult?: number; readonly count?: number; readonly atSeconds?: number } = {},
): NewEvent {
  const { hresult = 0, count = 50, atSeconds } = answer
  const strings = (own: number): readonly string[] => [
    [hex(hresult), '0x00000000', hresult === 0 ? '1' : '0', '0', count, '120', '10080', kmsTime(own)].join(
      ', ',
    ),
  ]
  return { eventCode: 12_289, strings, ...(atSeconds !== undefined && { atSeconds }) }
}

function hex(hresult: number): string {
  return hresult === 0 ? '0x0' : `0x${hresult.toString(16).toUpperCase().padStart(8, '0')}`
}

/** `2024/1/5 9:07`, as KB 974998 prints it; in UTC, which no document says outright. */
function kmsTime(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1000)
  const minute = String(date.getUTCMinutes()).padStart(2, '0')
  return `${date.getUTCFullYear()}/${date.getUTCMonth() + 1}/${date.getUTCDate()} ${date.getUTCHours()}:${minute}`
}
