// Time: the host's is wrong, is about to be too wrong, or the exporter's is.
import { LEVELS } from '../kms/levels.ts'
import { CLOCK_LIMIT_SECONDS, EXPORTER_CLOCK_LIMIT_SECONDS } from '../kms/thresholds.ts'
import type { RunbookText, Step, TitledText } from './runbook.ts'
import { SOURCES } from './sources.ts'
import { askExporter, blames, CLIENTS_RETURN, lasting, SERVES_AGAIN, verdictGone } from './words.ts'

const LIMIT = lasting(CLOCK_LIMIT_SECONDS)
const EARLY = lasting(LEVELS.driftSeconds.warning)

const ASK_SOURCES: Step = {
  at: 'prometheus',
  says: 'See which clock says what.',
  command: 'winkms_clock_offset_seconds{host="HOST"}',
  healthy: 'Every `source` says about the same. Positive means that the host is ahead.',
  sick: 'One differs from the others: `winkms_clock_source_agrees` shows which. A proxy or a cache may answer in its place.',
}

const ASK_STATUS: Step = {
  at: 'host',
  says: 'See where the host takes its time from.',
  command: 'w32tm /query /status\nw32tm /query /configuration',
  healthy:
    '`Source` is a domain controller or a time server; `NtpClient` is enabled; `Type` is `NT5DS` on a member of a domain.',
  sick: '`Source` is `Local CMOS Clock` or `Free-running System Clock`: it takes its time from nobody.',
}

const COMPARE: Step = {
  at: 'client',
  says: 'Compare with a clock that you trust. DC stands for a domain controller. A member server mostly does not answer such questions itself.',
  command:
    'w32tm /stripchart /computer:DC /samples:3 /dataonly\nw32tm /stripchart /computer:HOST /samples:3 /dataonly',
  healthy: 'Differences of seconds.',
  sick: 'A difference of hours at HOST only. An error says nothing but that it does not answer.',
}

const MEND: readonly Step[] = [
  {
    at: 'host',
    says: 'Let it ask for the time.',
    command: 'w32tm /resync',
    changes:
      'Sets the clock. Where it is hours off, Windows may refuse so great a step (general knowledge; unverified).',
    healthy: '`The command completed successfully.`',
    sick: 'An error: its source is wrong, or cannot be reached.',
  },
  {
    at: 'host',
    says: 'If its source is wrong, let it follow the domain.',
    command:
      'w32tm /config /syncfromflags:domhier /update\nRestart-Service w32time\nw32tm /resync /rediscover',
    changes:
      'Replaces the time servers that were set by hand. A group policy may set them again: then change the policy.',
  },
  {
    at: 'host',
    says: 'Look at the time zone, too. KMS compares UTC: somebody who mends a wrong zone by setting the clock makes UTC wrong.',
    command: 'Get-TimeZone\n(Get-Date).ToUniversalTime()',
    healthy: 'The second line is UTC, as any good clock has it.',
    sick: 'It is off by whole hours.',
  },
  { says: 'If it is a virtual machine, see that what runs it does not set its time as well, and wrongly.' },
]

export const CLOCK = {
  clock_skew: {
    meaning: `The clock of HOST is more than ${LIMIT} off, whatever its source. KMS compares its own time with that of each request, in UTC, and refuses those that differ by more. So it refuses every client whose clock is right.`,
    clientsSee: `They get an answer, and it is a refusal. The same code also means that a host is too old for its client: [[version_mismatch]]. Kerberos fails long before, so that logons to this machine are likely to fail too. Clients that are activated stay so for up to 180 days.`,
    confirm: [
      askExporter(
        `${blames('clock_skew')} It says how far off each clock is. If \`exporter_clock_wrong\` is named too, mend that one first.`,
      ),
      ASK_SOURCES,
      COMPARE,
      ASK_STATUS,
    ],
    fix: MEND,
    fixed: [
      verdictGone('clock_skew', 'clock'),
      `\`winkms_clock_drift_seconds{host="HOST"}\` is near 0, and \`winkms_clock_drift_uncertainty_seconds{host="HOST"}\` is small. Below ${LIMIT} KMS answers again; below 5 minutes Kerberos is content (its default; unverified).`,
      SERVES_AGAIN,
      CLIENTS_RETURN,
    ],
    related: [
      ['exporter_clock_wrong', 'many hosts are off by the same amount at once'],
      ['version_mismatch', 'the clocks agree, and clients show the same code'],
      ['requests_failing', 'only some clients are refused: their clocks are wrong, not that of the host'],
    ],
    sources: [SOURCES.skew, SOURCES.kb974998, SOURCES.drift],
  },

  exporter_clock_wrong: {
    meaning: `The clock of the machine that the exporter runs on is more than ${lasting(EXPORTER_CLOCK_LIMIT_SECONDS)} off, by the time servers that it is to compare itself with (\`probes.clock.references\`). The hosts are not at fault. Their drift is corrected by those time servers; the times that pages and metrics bear are not.`,
    clientsSee: 'Nothing: only the watch is wrong.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See what each reference says. Positive means that the exporter is ahead.',
        command: 'winkms_exporter_clock_offset_seconds',
        healthy: 'Near 0 for each `reference`.',
        sick: 'Far off for most of them. If only one is off, it is that one which is wrong.',
      },
      {
        at: 'exporter',
        says: 'See what keeps the time there.',
        command: 'chronyc tracking || timedatectl',
        healthy: '`Leap status : Normal`, or `System clock synchronized: yes`.',
        sick: '`Not synchronised`, or `no`. On Windows: `w32tm /query /status`.',
      },
    ],
    fix: [
      {
        at: 'exporter',
        says: 'Set the clock, and see why it was not kept: no time server can be reached, or nothing runs that asks.',
        command: 'chronyc makestep',
        changes:
          'Steps the clock at once: programs that measure time by it see a jump. On Windows: `w32tm /resync`.',
      },
      {
        says: 'In a container or virtual machine it is the clock of the machine below that is wrong: set it there.',
      },
      {
        says: 'If all references are wrong and the exporter is right, name others in `probes.clock.references`.',
      },
    ],
    fixed: [
      '`winkms_diagnosis{cause="exporter_clock_wrong"}` is 0 for all hosts after the next run of the probe reference; `winkms_exporter_clock_offset_seconds` is near 0.',
      'Where it is not named any more, look at [[clock_skew]] again: what is left of that is the fault of the hosts.',
    ],
    related: [
      ['clock_skew', 'the exporter is right, and a host is not'],
      ['drift_high', 'a host drifts, and is not refusing yet'],
      ['replicas_disagree', 'another exporter has another time'],
    ],
    sources: [SOURCES.drift, SOURCES.metrics],
  },
} as const satisfies Partial<Record<string, RunbookText>>

export const DRIFT = {
  drift_high: {
    title: "A host's clock drifts",
    meaning: `The clock of HOST is more than ${EARLY} off. From ${LIMIT} on KMS refuses requests ([[clock_skew]]). A clock that is set by nobody goes on drifting; one that jumped by whole hours was set wrongly.`,
    clientsSee: `Nothing from KMS below ${LIMIT}. Kerberos refuses from 5 minutes on by default (unverified), so that logons to this machine may fail already. A client whose own clock is off the other way is refused sooner.`,
    confirm: [
      {
        at: 'prometheus',
        says: 'See how far it is off, how certain that is, and how fast it goes.',
        command: 'winkms_clock_drift_seconds{host="HOST"}',
        healthy: 'Near 0.',
        sick: `Beyond ${LEVELS.driftSeconds.warning} either way. \`winkms_clock_drift_uncertainty_seconds\` says by how much this may be wrong.`,
      },
      ASK_SOURCES,
      COMPARE,
      ASK_STATUS,
    ],
    fix: MEND,
    fixed: [
      `\`winkms_clock_drift_seconds{host="HOST"}\` is near 0 after the next run of the probe clock, and stays there for a day.`,
    ],
    related: [
      ['clock_skew', `it is beyond ${LIMIT}`],
      ['exporter_clock_wrong', 'all hosts drift alike'],
      ['probe_unanswered', 'no clock of the host answers any more'],
    ],
    sources: [SOURCES.skew, SOURCES.kb974998, SOURCES.drift],
  },
} as const satisfies Partial<Record<string, TitledText>>
