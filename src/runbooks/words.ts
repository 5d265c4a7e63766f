// What many runbooks have in common: how long things take, and the steps that are the same everywhere.
import type { Cause } from '../diagnosis/causes.ts'
import { CLIENT_ERRORS, type ClientErrorCode } from '../kms/error-codes.ts'
import { KMS_PORT, RENEWAL_SECONDS } from '../kms/thresholds.ts'
import type { Step } from './runbook.ts'

const UNITS = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
] as const

/** `4 hours`, `1 day`, `90 minutes`: in the greatest unit of which it is a whole number; a day and a half is 36 hours. */
export function lasting(seconds: number): string {
  const [size, unit] = UNITS.find(([each]) => seconds % each === 0) ?? ([1, 'second'] as const)
  const count = seconds / size
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

export function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`
}

/** `0xC004F074 (no KMS host could be contacted)`, as prose. */
export function sayError(code: ClientErrorCode): string {
  const { meaning, verified } = CLIENT_ERRORS[code]
  return `\`${code}\` (${meaning}${verified ? '' : '; unverified'})`
}

/** A licence is good for 180 days from the last renewal; Windows warns 30 days before ("General troubleshooting for KMS"). */
export const SILENCE =
  'Clients that are activated notice nothing for now: a licence lasts 180 days from its last renewal, and Windows begins to warn its user 30 days before the end. New machines, and those that run out, notice at once.'

/** While the watch itself is broken. */
export const UNSEEN =
  'Nothing. But nobody sees any more what happens to them: what breaks meanwhile comes to light when the watch is back, or when users call.'

const RENEWAL = lasting(RENEWAL_SECONDS)

/** How soon clients come back by themselves. */
export const CLIENTS_RETURN = `Clients come back by themselves: one that is not activated asks every 2 hours, one that is asks every ${RENEWAL}, unless the host tells them otherwise (\`winkms_activation_interval_seconds\`, \`winkms_renewal_interval_seconds\`). \`slmgr /ato\` on a client asks at once.`

/** `probe`: the slowest whose answer it takes. */
export function verdictGone(cause: Cause, probe: string): string {
  return `\`winkms_diagnosis{host="HOST",cause="${cause}"}\` is 0 after the next run of the probe ${probe} (\`winkms_exporter_probe_interval_seconds{probe="${probe}"}\` says how often it runs). If the series is absent, it is not known whether it is fixed.`
}

export const SERVES_AGAIN =
  '`winkms_host_serving{host="HOST"}` is 1, and `winkms-exporter diagnose HOST --config.file=winkms.yml` says `SERVING` and exits with 0.'

/** The first step of every runbook about a host. */
export function askExporter(sick: string): Step {
  return {
    at: 'exporter',
    says: 'Ask everything again, now, and read on what each verdict rests.',
    command: 'winkms-exporter diagnose HOST --config.file=winkms.yml',
    healthy: '`SERVING`: it is over.',
    sick,
  }
}

export function blames(cause: Cause): string {
  return `\`NOT SERVING\`, and below it the line \`(${cause})\` with what it rests on after "because".`
}

/** From where clients are: what the exporter sees is not always what they see. */
export const TEST_PORT: Step = {
  at: 'client',
  says: 'Try the port from where clients are. What the exporter sees is not always what they see.',
  command: `Test-NetConnection HOST -Port ${KMS_PORT}`,
  healthy: '`TcpTestSucceeded : True`: clients get through, at least from there.',
  sick: '`TcpTestSucceeded : False`.',
}

export const ASK_SRV: Step = {
  at: 'client',
  says: 'Ask DNS what clients ask. Give the address of each resolver as the last word to ask them one by one.',
  command: 'nslookup -type=srv _vlmcs._tcp.DOMAIN RESOLVER',
  healthy: `\`svr hostname = HOST\` with \`port = ${KMS_PORT}\`, and nobody else who should not be there.`,
  sick: '`Non-existent domain`, another port, or hosts that should not be there.',
}

/** Nothing that slmgr is asked before Win32_Service tells whether the service was running: the asking may start it. */
export const ASK_SERVICE: Step = {
  at: 'host',
  says: 'Ask for the state of the service before anything else: slmgr may start it by asking (unverified). Type `sc.exe`: in PowerShell plain `sc` writes a file.',
  command: 'sc.exe query sppsvc',
  healthy: '`STATE : 4 RUNNING`.',
  sick: '`STATE : 1 STOPPED`: see [[service_stopped]].',
}

export const ACTIVATE_ONE_CLIENT: Step = {
  at: 'client',
  says: 'Let one client that is not activated ask now.',
  command: 'slmgr /ato',
  changes: 'The client sends a request, which is what it would do by itself within 2 hours.',
  healthy: '`Product activated successfully.`',
  sick: 'An error code: look it up under [[requests_failing]].',
}

/** `ids`: event numbers, separated by commas. */
export function applicationEvents(ids: string): string {
  return `Get-WinEvent -MaxEvents 10 -FilterHashtable @{LogName='Application'; ProviderName='Microsoft-Windows-Security-SPP'; Id=${ids}} | Format-List TimeCreated, Id, Message`
}

/** What clients asked, and what they were answered (event 12290). */
export const REQUEST_EVENTS =
  "Get-WinEvent -MaxEvents 20 -FilterHashtable @{LogName='Key Management Service'; Id=12290} | Format-List TimeCreated, Message"
