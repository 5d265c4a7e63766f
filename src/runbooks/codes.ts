// What to do about each error that clients, hosts and their events show. Meanings of the clients' errors are those of
// kms/error-codes.ts; the further codes are from Microsoft's lists (activation-error-codes, troubleshoot-activation-error-codes),
// but for those of the token store, which others describe.
import { CLIENT_ERRORS, sayPublishError, type ClientErrorCode } from '../kms/error-codes.ts'
import type { Table } from './runbook.ts'

/** Prose. */
const ADVICE: Readonly<Record<ClientErrorCode, string>> = {
  '0xC004F074':
    'Every host that the client tried failed. Its own event 12288 says with which code each: [[host_not_serving]].',
  '0xC004F06C':
    'The clocks are more than 4 hours apart ([[clock_skew]], or the clock of that client), or the host is too old for the client: [[version_mismatch]].',
  '0xC004F038': '[[count_below_threshold]].',
  '0xC004F039': '[[kms_not_enabled]].',
  '0xC004F041': '[[host_not_licensed]].',
  '0xC004F042':
    'The key of the host is not for this product, or the client asks the wrong host (Office asks a host for Windows): [[version_mismatch]].',
  '0x800706BA': 'The name leads to no KMS host: [[srv_stale]], [[port_blocked]].',
  '0x8007232B': 'The client asks a domain in which no host is published: [[srv_missing]].',
  '0x8007232A': 'The DNS server fails. Ask another, and mend this one: [[srv_missing]].',
  '0x8007251D': 'The name is there, and no SRV record under it: [[srv_missing]].',
  '0x80072329': 'Look at the DNS server: [[srv_missing]].',
  '0x8007232C': 'Look at the DNS server: [[srv_missing]].',
  '0x8007232D': 'The DNS server refuses the client: let it ask, or give it another server: [[srv_missing]].',
}

/** Meaning and advice, for what is in no other table. */
export const FURTHER_CODES: Readonly<Record<string, readonly [meaning: string, advice: string]>> = {
  '0xC004F015': [
    'the licence for this key is not installed: the host is too old for the host key',
    'Update the host first: [[version_mismatch]].',
  ],
  '0xC004F035': [
    'no qualifying operating system in the firmware of the client',
    'A matter of that machine: it needs a MAK or a retail key.',
  ],
  '0xC004F069': ['no such product', 'The client has a key of another edition: install the right one there.'],
  '0xC004F06B': ['KMS is not supported in a virtual machine', 'An old host: use a newer one.'],
  '0xC004F050': ['the key is not valid', 'Look for a slip of the pen, or a key of another release.'],
  '0xC004F051': ['the key is blocked', 'Ask your licensing contact for another.'],
  '0xC004C008': [
    'the host key was activated too often: 6 hosts, and 9 more times each',
    'Call the Activation Centre. Look whether somebody installed the host key on clients.',
  ],
  '0xC004F00F': ['the hardware has changed', 'Restart, then `slmgr /ato`.'],
  '0xC004F009': ['the grace period has ended', 'Activate: `slmgr /ato`.'],
  '0xC004F014': ['there is no product key', 'Install one: on a client, the setup key for its edition.'],
  '0xC004E015': [
    'the token store is damaged (as others describe it; unverified)',
    'Last step of [[service_stopped]].',
  ],
  '0xC004E002': [
    'the token store is damaged (as others describe it; unverified)',
    'Last step of [[service_stopped]].',
  ],
  '0x80070005': ['access denied', 'Ask from an elevated prompt.'],
  '0x8007267C': ['the client has no DNS server', 'Mend the network settings of the client.'],
  '0x80072EE7': [
    'a name on the internet cannot be resolved',
    'No matter for KMS clients; a host that activates itself online needs it.',
  ],
}

export const CODES: Table = {
  title: 'Codes',
  head: ['code', 'meaning', 'do this'],
  rows: [
    ...Object.values(CLIENT_ERRORS).map(({ code, meaning, verified }) => [
      `\`${code}\``,
      verified ? meaning : `${meaning} (unverified)`,
      ADVICE[code as ClientErrorCode],
    ]),
    ...Object.entries(FURTHER_CODES).map(([code, [meaning, advice]]) => [`\`${code}\``, meaning, advice]),
  ],
}

/** Rows for some of the further codes. */
export function furtherCodes(title: string, ...codes: readonly string[]): Table {
  const rows = codes.map((code) => [`\`${code}\``, ...(FURTHER_CODES[code] ?? [])])
  return { title, head: ['code', 'meaning', 'do this'], rows }
}

const PUBLISH_ADVICE: Readonly<Record<string, string>> = {
  '0x80072338':
    'Give all KMS hosts the right to change the record: the first step under "Fix". Usual on a second host: the first one owns the record.',
  '0x8007232D': 'Allow dynamic updates in the zone, or make the record by hand.',
  '0x8007232A': 'Look at the DNS server that the host asks.',
  '0x8007232B': 'Look which domain the host publishes in: there may be a slip in its list.',
  '0x80072331': 'Let the host ask a DNS server that has the zone, or leads there.',
}

/** Of event 12293. */
export const PUBLISH_CODES: Table = {
  title: 'Codes of event 12293',
  head: ['code', 'do this'],
  rows: Object.entries(PUBLISH_ADVICE).map(([code, advice]) => [
    sayPublishError(code).replace(code, `\`${code}\``),
    advice,
  ]),
}
