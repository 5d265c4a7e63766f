// Every runbook: what is written by theme, and for a cause what the table of causes says of it.
import { fillIn, rowOf, CAUSE_NAMES, type Cause } from '../diagnosis/causes.ts'
import { CLIENT_ERRORS } from '../kms/error-codes.ts'
import { KMS_PORT } from '../kms/thresholds.ts'
import { ACTIVITY, EVENT_LOG } from './activity.ts'
import { ASKING } from './asking.ts'
import { CAPACITY, FORESIGHT } from './capacity.ts'
import { CLOCK, DRIFT } from './clock.ts'
import { DNS_WATCH } from './dns-watch.ts'
import { DNS } from './dns.ts'
import { EXPORTER } from './exporter.ts'
import { LICENSING } from './licensing.ts'
import { alertNameOf, RUNBOOK_NAMES, type RunbookName } from './names.ts'
import { NETWORK } from './network.ts'
import type { Runbook, RunbookText, Source, Table, TitledText } from './runbook.ts'
import { OUTAGES, SERVICE } from './service.ts'
import { SOURCES } from './sources.ts'

const OF_CAUSES: Readonly<Record<Cause, RunbookText>> = {
  ...NETWORK,
  ...DNS,
  ...SERVICE,
  ...CLOCK,
  ...LICENSING,
  ...CAPACITY,
  ...EVENT_LOG,
}

const OF_OTHERS: Readonly<Record<Exclude<RunbookName, Cause>, TitledText>> = {
  ...OUTAGES,
  ...DNS_WATCH,
  ...DRIFT,
  ...FORESIGHT,
  ...ACTIVITY,
  ...ASKING,
  ...EXPORTER,
}

/** What stands for the names of the reader's own. */
const STAND_INS = { host: 'HOST', port: KMS_PORT, domain: 'DOMAIN' }

function isCause(name: RunbookName): name is Cause {
  return (CAUSE_NAMES as readonly string[]).includes(name)
}

function withAlerts(sources: readonly Source[]): readonly Source[] {
  return [...sources, SOURCES.alerts]
}

function runbookOf(name: RunbookName): Runbook {
  if (!isCause(name)) {
    const other = OF_OTHERS[name]
    return { name, ...other, sources: withAlerts(other.sources) }
  }
  const { title, clientError, remedy, command, stopsService, needs } = rowOf(name)
  return {
    name,
    title,
    cause: {
      clientError: clientError === undefined ? undefined : CLIENT_ERRORS[clientError],
      remedy: fillIn(remedy, STAND_INS),
      command: fillIn(command, STAND_INS),
      stopsService,
      needs,
    },
    ...OF_CAUSES[name],
    sources: withAlerts(OF_CAUSES[name].sources),
  }
}

export const RUNBOOKS = Object.fromEntries(RUNBOOK_NAMES.map((name) => [name, runbookOf(name)])) as Readonly<
  Record<RunbookName, Runbook>
>

interface Group {
  readonly title: string
  readonly names: readonly RunbookName[]
}

/** For the index: by what is at stake, each runbook once. */
export const RUNBOOK_GROUPS: readonly Group[] = [
  {
    title: 'Clients cannot activate, and why is open',
    names: ['domain_not_served', 'host_not_serving', 'canary_failing'],
  },
  { title: 'Causes', names: CAUSE_NAMES },
  {
    title: 'DNS',
    names: ['srv_incorrect', 'srv_unexpected_target', 'srv_inconsistent', 'dns_publishing_failed'],
  },
  {
    title: 'What becomes an outage if nobody acts',
    names: [
      'drift_high',
      'count_near_threshold',
      'count_forecast_low',
      'host_idle',
      'client_expiry',
      'requests_failing',
    ],
  },
  {
    title: 'The watch itself',
    names: [
      'exporter_down',
      'shard_missing',
      'probe_unanswered',
      'probe_stale',
      'runs_skipped',
      'replicas_disagree',
      'config_reload_failed',
      'storage_failing',
      'event_log_losing',
    ],
  },
]

/** The rows of the index. What clients see is told where it is one code. */
export function groupTable({ title, names }: Group): Table {
  const ofCauses = names.every(isCause)
  return {
    title,
    head: ['runbook', 'alert', ...(ofCauses ? ['clients see'] : [])],
    rows: names.map((name) => {
      const error = RUNBOOKS[name].cause?.clientError
      const clients = error === undefined ? 'nothing' : `\`${error.code}\``
      return [`[[${name}]]`, `\`${alertNameOf(name)}\``, ...(ofCauses ? [clients] : [])]
    }),
  }
}

/** How to read them: prose, for the index and whoever comes here first. */
export const HOW_TO_READ = [
  'Each alert has a runbook of its own: what is wrong, how to make sure, how to mend it, how to know that it is over. Steps stand in the order in which to try them.',
  'HOST, DOMAIN, CLIENT and RESOLVER stand for the names in the alert. Commands are for an elevated PowerShell; those where the exporter runs are for its shell, and give the exporter the configuration that it runs with. More lines in one box are more commands, one after the other.',
  '`slmgr` shows its answer in a window. Where there is none, `cscript //nologo C:\\Windows\\System32\\slmgr.vbs /dlv` prints it.',
  'What says "unverified" is general knowledge or somebody else\'s experience: no document that we have read confirms it. None of the commands was run on a Windows host by us.',
] as const
