// What hosts and clients write down of their requests: refusals, a canary that fails, a log that cannot be read or loses events.
import { LEVELS } from '../kms/levels.ts'
import { CODES } from './codes.ts'
import type { RunbookText, Step, TitledText } from './runbook.ts'
import { SOURCES } from './sources.ts'
import {
  ACTIVATE_ONE_CLIENT,
  applicationEvents,
  askExporter,
  ASK_SRV,
  CLIENTS_RETURN,
  percent,
  REQUEST_EVENTS,
  sayError,
  SILENCE,
  TEST_PORT,
  verdictGone,
} from './words.ts'

const LOG = '"Key Management Service"'

const ASK_LOG: Step = {
  at: 'host',
  says: 'See how large the log may be, and what it does when it is full.',
  command: `wevtutil gl ${LOG}\nwevtutil gli ${LOG}`,
  healthy: '`enabled: true` and `retention: false`: it overwrites its oldest events.',
  sick: '`retention: true`, and `fileSize` at `maxSize`: new events are lost.',
}

const WIDEN: Step = {
  at: 'host',
  says: 'Let the log overwrite its oldest events, and give it more room: here 64 MB.',
  command: `wevtutil sl ${LOG} /rt:false /ms:67108864`,
  changes:
    'Old events are overwritten once it is full. If they have to be kept, save them first: `wevtutil epl`.',
}

export const EVENT_LOG = {
  event_log_unreadable: {
    meaning:
      'The log "Key Management Service" of HOST, in which each request stands, cannot be read: the account lacks a right; or the log is full and overwrites nothing, so that what happens is not written. KMS itself goes on. What is known from the log is not known any more: who asks, how many, with what result.',
    clientsSee: 'Nothing.',
    confirm: [
      {
        ...askExporter(
          'The line `(event_log_unreadable)`: `access_denied`, `not_found`, or the size of the log.',
        ),
        healthy: '`event_log_unreadable` is `ok` in the tree.',
      },
      ASK_LOG,
      {
        at: 'client',
        says: 'Try as the account of the exporter, from another machine. The script is in deploy/windows.',
        command: String.raw`.\Test-KmsReader.ps1 -ComputerName HOST -Credential CORP\svc-kms-reader -UseSsl`,
        healthy: 'It may read the logs.',
        sick: 'It says which right is missing.',
      },
    ],
    fix: [
      {
        at: 'host',
        says: 'Give the account the right: the group Event Log Readers. The script grants this, and the other rights.',
        command:
          String.raw`.\Grant-KmsReader.ps1 -Account CORP\svc-kms-reader -WhatIf` +
          '\n' +
          String.raw`.\Grant-KmsReader.ps1 -Account CORP\svc-kms-reader`,
        changes:
          'The first line only says what the second does. `-Remove` takes it back. New membership in a group counts from the next logon on.',
      },
      WIDEN,
    ],
    fixed: [
      verdictGone('event_log_unreadable', 'activity'),
      '`winkms_event_log_caught_up{host="HOST"}` is 1 once what had piled up has been read; until then all that is counted from it is behind.',
    ],
    related: [
      ['event_log_losing', 'the log can be read, and events are lost'],
      ['probe_unanswered', 'Windows cannot be asked for anything'],
      ['host_idle', 'the log can be read, and there is nothing new in it'],
    ],
    sources: [SOURCES.permissions, SOURCES.general, SOURCES.state],
  },
} as const satisfies Partial<Record<string, RunbookText>>

export const ACTIVITY = {
  requests_failing: {
    title: 'Requests of clients fail',
    meaning: `Of the requests that HOST answers, more than ${percent(LEVELS.failingRequests.ratio)}, and at least ${LEVELS.failingRequests.least}, end with one and the same code. The host gets them and refuses them: the network is well. The label \`result\` is the code, and the table below says what to do about it.`,
    clientsSee: 'The code that the host answers. Whoever is activated stays so for up to 180 days.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See which codes, and how many requests of the last day.',
        command:
          'sum by (result, min_clients) (increase(winkms_activation_requests_total{host="HOST",result!="0x00000000"}[1d]))',
        healthy: 'Little, or nothing.',
        sick: '`min_clients="25"` are client systems, `"5"` servers and Office. `result="other"`: the event has the code.',
      },
      {
        at: 'host',
        says: 'See who is refused: the first value of each event is the code, the third the name of the client.',
        command: REQUEST_EVENTS,
        healthy: '`0x0` nearly everywhere.',
        sick: 'One client again and again: it is that machine. Many different ones: it is the host.',
      },
      {
        ...askExporter('A cause that explains the code.'),
        healthy: '`SERVING`, and no cause: it is some clients, not the host.',
      },
    ],
    fix: [
      { says: 'Look the code up in the table below. Most lead to another runbook.' },
      {
        at: 'client',
        says: 'If it is one client with `0xC004F06C`, and the clock of the host is right, the clock of the client is wrong.',
        command: 'w32tm /resync',
        changes: 'Sets the clock of that client.',
      },
      {
        says: 'If it is `0xC004F042` for a product that this host was never to serve, lead that client elsewhere.',
      },
    ],
    fixed: [
      `Fewer than ${percent(LEVELS.failingRequests.ratio)} of new requests fail. Clients that were refused ask again within 2 hours, so that it shows within some hours; \`winkms_activation_requests_total\` counts on, and only its increase matters.`,
      CLIENTS_RETURN,
    ],
    tables: [CODES],
    related: [
      ['clock_skew', 'the code is that of a wrong time, for all clients'],
      ['version_mismatch', 'newer clients are refused'],
      ['count_below_threshold', 'the count is too low'],
      ['host_not_licensed', 'the host is not activated itself'],
    ],
    sources: [SOURCES.codes, SOURCES.general, SOURCES.metrics],
  },

  canary_failing: {
    title: 'Activation fails for a canary client',
    meaning:
      'CLIENT, a real client whose activation is watched, could not activate when it last tried, or is not licensed. It sees what all clients of its network see: so this is how an outage looks from a seat. Or it is that machine alone.',
    clientsSee: `The code in \`winkms_client_last_activation_result_info\`: \`no_answer\` is what ends in ${sayError('0xC004F074')}. ${SILENCE}`,
    confirm: [
      {
        at: 'prometheus',
        says: 'See how its last attempt ended.',
        command: 'winkms_client_last_activation_result_info{client="CLIENT"}',
        healthy: '`code="0x00000000"`.',
        sick: 'Another code: look it up below. Nothing: it has not tried within 8 days, or its log cannot be read.',
      },
      {
        at: 'prometheus',
        says: 'See which host it asks, and how it knows it.',
        command: 'winkms_client_kms_info{client="CLIENT"}',
        healthy: 'The host that it should ask.',
        sick: '`discovered_by="configured"`: it does not ask DNS. `discovered_by="active_directory"`: it asks no KMS host.',
      },
      {
        at: 'client',
        says: 'Read its own words: 12288 is what it asked, 12289 what it was answered.',
        command: applicationEvents('12288,12289'),
        healthy: 'Each 12288 has its 12289, with `0x0`.',
        sick: '12288 alone: nobody answered. See which host it names.',
      },
      { ...TEST_PORT, says: 'On the canary itself, try the host that it asks.' },
      ASK_SRV,
      {
        at: 'exporter',
        says: 'Then ask about that host.',
        command: 'winkms-exporter diagnose HOST --config.file=winkms.yml',
        healthy: '`SERVING`: the fault is on the way, or in the canary.',
        sick: '`NOT SERVING`: go on with the cause that it names.',
      },
    ],
    fix: [
      {
        says: 'If a host is at fault, mend that. A canary that is not activated comes back by itself within 2 hours.',
      },
      {
        at: 'client',
        says: 'If it asks a host that was set by hand and is gone, let it ask DNS.',
        command: 'slmgr /ckms',
        changes: 'Forgets the host that was set on this client. Note it before: `slmgr /dlv`.',
      },
      ACTIVATE_ONE_CLIENT,
      { says: 'If only this machine fails, it is no canary any more: mend it, or watch another.' },
    ],
    fixed: [
      '`winkms_client_license_status{client="CLIENT",status="licensed"}` is 1, and `winkms_client_last_activation_result_info{client="CLIENT"}` has the code `0x00000000`, after the next run of the probe client. It tells of the last attempt: without `slmgr /ato` that may be up to 7 days old.',
    ],
    tables: [CODES],
    related: [
      ['host_not_serving', 'the host that it asks does not serve'],
      ['domain_not_served', 'no host of its domain serves'],
      ['requests_failing', 'others are refused as well'],
      ['probe_unanswered', 'the canary itself cannot be asked'],
    ],
    sources: [SOURCES.operations, SOURCES.kb974998, SOURCES.timing, SOURCES.slmgr],
  },

  event_log_losing: {
    title: 'Events are lost before they are read',
    meaning:
      'The event log of HOST did not go on where the exporter had stopped reading: it was cleared, began anew, or overwrote events faster than they were read. What was lost is not counted: requests, clients and codes of that time are too low, and the forecast is withheld for a week.',
    clientsSee: 'Nothing.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See what happened: `cleared`, `overwritten` or `restarted`.',
        command: 'increase(winkms_event_log_gap_total{host="HOST"}[1d]) > 0',
        healthy: 'Nothing.',
        sick: '`log` says which log, `why` how. `winkms_event_log_lost_records_total` says how many, where that is known.',
      },
      ASK_LOG,
      {
        at: 'host',
        says: 'If it was cleared, see by whom (event 104 in the System log; general knowledge, unverified).',
        command:
          "Get-WinEvent -MaxEvents 5 -FilterHashtable @{LogName='System'; Id=104} | Format-List TimeCreated, Message",
        healthy: 'No such event.',
        sick: 'The name of the account that cleared it.',
      },
    ],
    fix: [
      WIDEN,
      {
        says: 'If it is `overwritten`, ask more often too (`probes.activity.schedule`), and see that the exporter is not away for long: [[exporter_down]], [[probe_stale]].',
      },
      {
        says: 'If it is `cleared`, ask whoever did it to save the log and to let it overwrite itself instead.',
      },
    ],
    fixed: [
      '`increase(winkms_event_log_lost_records_total{host="HOST"}[1d])` and the same of `winkms_event_log_gap_total` are 0. `winkms_forecast_clients` comes back 7 days after the last loss.',
    ],
    related: [
      ['event_log_unreadable', 'the log cannot be read at all, or is full'],
      ['storage_failing', 'the exporter forgets how far it has read'],
      ['probe_stale', 'the exporter does not read often enough'],
    ],
    sources: [SOURCES.state, SOURCES.general, SOURCES.metrics],
  },
} as const satisfies Partial<Record<string, TitledText>>
