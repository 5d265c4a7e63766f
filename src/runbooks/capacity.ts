// Have enough clients asked? What the count is, what it will be, whether anybody asks, and who runs out first.
import { LEVELS } from '../kms/levels.ts'
import {
  CLIENT_THRESHOLD,
  FORGOTTEN_AFTER_SECONDS,
  LEAST_THRESHOLD,
  RENEWAL_SECONDS,
} from '../kms/thresholds.ts'
import type { RunbookText, Step, TitledText } from './runbook.ts'
import { SOURCES } from './sources.ts'
import {
  ACTIVATE_ONE_CLIENT,
  askExporter,
  ASK_SRV,
  blames,
  CLIENTS_RETURN,
  lasting,
  REQUEST_EVENTS,
  sayError,
  SILENCE,
  TEST_PORT,
  verdictGone,
} from './words.ts'

const FORGOTTEN = lasting(FORGOTTEN_AFTER_SECONDS)
const RENEWAL = lasting(RENEWAL_SECONDS)
const THRESHOLDS = `${LEAST_THRESHOLD} for servers and Office, ${CLIENT_THRESHOLD} for client systems`

const ASK_COUNT: Step = {
  at: 'host',
  says: 'Ask the host for its count. It is no number of machines: it never goes above twice what it takes, 50 once a client system has asked, 10 before.',
  command: 'slmgr /dlv',
  healthy: `\`Current count\` is ${CLIENT_THRESHOLD} or more; ${LEAST_THRESHOLD} or more where only servers ask. 10 or 50 is full.`,
  sick: 'Less. No such line: nobody has asked yet, or [[kms_not_enabled]].',
}

const ASK_DISTINCT: Step = {
  at: 'prometheus',
  says: 'See how many different clients really asked. This one counts them all.',
  command: 'winkms_distinct_clients{host="HOST"}',
  healthy: `About as many within \`${RENEWAL_SECONDS / 86_400}d\` as within \`${FORGOTTEN_AFTER_SECONDS / 86_400}d\`.`,
  sick: 'Far fewer within the last week: clients stay away. Absent: the event log is not read.',
}

const ASK_DUPLICATES: Step = {
  at: 'prometheus',
  says: 'Look for machines that share one id: they were copied from an image without Sysprep, and count as one.',
  command: 'winkms_duplicate_client_ids{host="HOST"} > 0',
  healthy: 'Nothing. Absent is not the same: without the event log it is not known.',
  sick: 'So many ids are used under several names.',
}

const ASK_SPLIT: Step = {
  at: 'prometheus',
  says: 'See whether other hosts have the clients. Each host counts for itself.',
  command: 'winkms_current_clients',
  healthy: 'One host, or each with enough.',
  sick: 'Several hosts that share the clients, so that none has enough.',
}

const NEW_IDS: Step = {
  at: 'client',
  says: 'Where machines share an id, give each of them a new one, then let it ask. The id is `Client Machine ID (CMID)` in `slmgr /dlv`.',
  command: 'slmgr /rearm\nRestart-Computer',
  changes:
    'Gives the machine a new id and sets its licence back to the grace period: it is not activated until a host answers. It can be done a few times only (`Remaining Windows rearm count`), and the machine restarts. Mend the image (`sysprep /generalize`), or the next copies are the same.',
}

const FEWER_HOSTS: Step = {
  says: 'Where several hosts share too few clients, let DNS name one of them only. Microsoft advises two hosts from 50 clients on, and two are enough for most.',
}

const OTHER_WAYS: Step = {
  says: 'Where there will never be enough machines, KMS is the wrong means: activate by Active Directory, or with MAK keys. Clients that Active Directory has activated do not ask KMS, and do not count: a falling count may be no more than that.',
}

export const CAPACITY = {
  count_below_threshold: {
    meaning: `HOST counts too few clients: it takes ${THRESHOLDS}, that have asked within ${FORGOTTEN}. Until then it answers, and activates nobody. It is a new host; or clients stay away; or many share one id and count as one; or several hosts share the clients.`,
    clientsSee: `They get an answer, and it is a refusal. Servers may be activated while client systems are not: they take ${LEAST_THRESHOLD} only. ${SILENCE}`,
    confirm: [
      askExporter(
        `${blames('count_below_threshold')} It says what the host counts for each key, what it takes, and how many ids are shared.`,
      ),
      ASK_COUNT,
      ASK_DISTINCT,
      ASK_DUPLICATES,
      ASK_SPLIT,
      {
        at: 'host',
        says: 'See who asks, and with what answer. The fourth value is the id of the client.',
        command: REQUEST_EVENTS,
        healthy: 'Different ids.',
        sick: 'The same id under several names; or few requests at all, see [[host_idle]].',
      },
    ],
    fix: [
      {
        ...ACTIVATE_ONE_CLIENT,
        says: 'If there are machines enough, let them ask: each new one counts, even when it is refused (as a count that grows to its threshold implies). Do this on as many as are missing.',
      },
      NEW_IDS,
      FEWER_HOSTS,
      OTHER_WAYS,
    ],
    fixed: [
      verdictGone('count_below_threshold', 'licensing'),
      '`winkms_current_clients{host="HOST"}` is at or above `winkms_required_clients{host="HOST"}`, and at or above 25 where client systems ask.',
      CLIENTS_RETURN,
    ],
    related: [
      ['host_idle', 'nobody asks at all'],
      ['srv_missing', 'clients do not find the host'],
      ['count_forecast_low', 'the count is enough today, and will not be'],
      ['srv_unexpected_target', 'a host that nobody expects takes clients away'],
    ],
    sources: [SOURCES.clients, SOURCES.kb929829, SOURCES.general, SOURCES.planning],
  },
} as const satisfies Partial<Record<string, RunbookText>>

export const FORESIGHT = {
  count_near_threshold: {
    title: 'The count is near its threshold',
    meaning: `HOST counts few clients more than it takes (${THRESHOLDS}). This is reported below ${LEVELS.count.clients.warning} where client systems ask, below ${LEVELS.count.servers.warning} where only servers do. If some more machines stay away for ${FORGOTTEN}, the host stops activating.`,
    clientsSee: `Nothing yet. Below the threshold, new clients show ${sayError('0xC004F038')}.`,
    confirm: [ASK_COUNT, ASK_DISTINCT, ASK_DUPLICATES, ASK_SPLIT],
    fix: [
      {
        says: 'Find out why it fell: machines that were retired, a migration to Active Directory, another host that takes clients, a holiday.',
      },
      NEW_IDS,
      FEWER_HOSTS,
      OTHER_WAYS,
    ],
    fixed: [
      `\`winkms_current_clients{host="HOST"}\` is at or above ${LEVELS.count.clients.warning} (${LEVELS.count.servers.warning} where only servers ask). It grows as soon as new clients ask. It falls slowly: whoever stays away is forgotten after ${FORGOTTEN}, or sooner where others take the place.`,
    ],
    related: [
      ['count_below_threshold', 'it is below already'],
      ['count_forecast_low', 'it will be below before long'],
      ['srv_unexpected_target', 'another host takes clients away'],
    ],
    sources: [SOURCES.clients, SOURCES.planning, SOURCES.kb929829],
  },

  count_forecast_low: {
    title: 'The count will fall below its threshold',
    meaning: `HOST counts enough clients today, and fewer than it takes have asked within the last ${RENEWAL}. Activated clients ask every ${RENEWAL}; whoever does not is forgotten after ${FORGOTTEN}. Unless others come back, the host stops activating within ${lasting(FORGOTTEN_AFTER_SECONDS - RENEWAL_SECONDS)}.`,
    clientsSee: `Nothing yet. Later, new clients show ${sayError('0xC004F038')}.`,
    confirm: [
      {
        at: 'prometheus',
        says: 'See the forecast.',
        command: 'winkms_forecast_clients{host="HOST"}',
        healthy: `${CLIENT_THRESHOLD} or more; ${LEAST_THRESHOLD} or more where only servers ask.`,
        sick: 'Less. In a week in which most machines are off, that is nothing yet.',
      },
      ASK_DISTINCT,
      {
        says: 'Ask whether the clients went elsewhere: to another KMS host, to Active Directory, or out of the house.',
      },
      {
        ...ASK_SRV,
        healthy: 'The host is named, so that clients find it.',
        sick: 'It is not: see [[srv_missing]].',
      },
      TEST_PORT,
    ],
    fix: [
      { says: 'If clients cannot get here, mend that: [[host_not_serving]], [[srv_missing]].' },
      { says: 'If they went to another host on purpose, see that DNS names that one only.' },
      FEWER_HOSTS,
      OTHER_WAYS,
      { says: 'If it was a holiday, wait until machines have been on for a week.' },
    ],
    fixed: [
      `\`winkms_forecast_clients{host="HOST"}\` is at or above what it takes. It follows the last ${RENEWAL}, so give it that long. It is absent while less than that of the event log has been read without a loss.`,
    ],
    related: [
      ['host_idle', 'nobody asks any more'],
      ['count_near_threshold', 'the count itself is low'],
      ['event_log_losing', 'requests are missing from the log, so that the forecast is not to be trusted'],
    ],
    sources: [SOURCES.clients, SOURCES.timing],
  },

  host_idle: {
    title: 'Nobody asks a KMS host any more',
    meaning: `Nobody has asked HOST for ${LEVELS.idle.timesExpectedGap} times as long as its number of clients lets expect, and for ${lasting(LEVELS.idle.leastSeconds)} at least; or for ${FORGOTTEN}, however few they are. With so many clients that each ask every ${RENEWAL}, silence means that they do not find it, do not reach it, or ask others. The host itself may look well.`,
    clientsSee: `Nothing, if they ask another host. Otherwise it is an outage that nobody has noticed. ${SILENCE}`,
    confirm: [
      {
        at: 'prometheus',
        says: 'See how long it has been, in hours.',
        command: '(time() - winkms_last_request_timestamp_seconds{host="HOST"}) / 3600',
        healthy: 'A few hours.',
        sick: 'Days. A host whose clock is wrong makes this wrong, too.',
      },
      {
        at: 'host',
        says: 'See the last requests in the log.',
        command: REQUEST_EVENTS,
        healthy:
          'Recent ones: then it is the exporter that does not read them, see [[event_log_unreadable]].',
        sick: 'Old ones only, or none.',
      },
      {
        at: 'host',
        says: 'See whether the log still takes new events. A full one that overwrites nothing does not.',
        command: 'wevtutil gl "Key Management Service"\nwevtutil gli "Key Management Service"',
        healthy: '`retention: false`, or room to grow: `fileSize` below `maxSize`.',
        sick: '`retention: true`, and full: see [[event_log_unreadable]].',
      },
      ASK_SRV,
      TEST_PORT,
      {
        ...ACTIVATE_ONE_CLIENT,
        says: 'Let one client ask, and see whether a new event 12290 appears on the host. Without one, the request did not arrive.',
        changes: 'The client sends a request, which is what it does by itself every now and then.',
      },
    ],
    fix: [
      {
        says: 'If the request of the test client did not arrive, the way is broken: [[srv_missing]], [[host_record_wrong]], [[port_blocked]].',
      },
      {
        says: 'If clients ask other hosts, and are meant to, this one can be retired: take it out of the configuration and out of DNS.',
      },
      { says: 'If the machines were off, as on a holiday, it ends by itself.' },
    ],
    fixed: [
      '`winkms_last_request_timestamp_seconds{host="HOST"}` is recent after the next run of the probe activity. The request of one test client is enough for that; look again a day later, to see that others ask too.',
    ],
    related: [
      ['count_forecast_low', 'fewer ask, and some still do'],
      ['srv_missing', 'DNS does not name the host'],
      ['event_log_unreadable', 'requests are there, and are not seen'],
      ['client_expiry', 'when the first client runs out'],
    ],
    sources: [SOURCES.general, SOURCES.timing, SOURCES.clients],
  },

  client_expiry: {
    title: 'A client is about to lose its activation',
    meaning: `Among the clients that asked HOST within ${FORGOTTEN}, the first runs out in less than ${lasting(LEVELS.clientExpirySeconds.warning)} (more loudly below ${lasting(LEVELS.clientExpirySeconds.critical)}, where the host has renewed nobody within a week). A licence lasts 180 days and is renewed every ${RENEWAL}: it sinks so low only when renewal has failed for months, or for a machine that was never activated and is in its grace period of 30 days.`,
    clientsSee: `From 30 days before the end on, Windows warns its user. After the end, it says that it is not activated.`,
    confirm: [
      {
        at: 'prometheus',
        says: 'See how many days are left. Negative means that it is over for one of them.',
        command: 'winkms_earliest_client_expiry_seconds{host="HOST"} / 86400',
        healthy: 'More than 150, where all renew every week.',
        sick: `Below ${LEVELS.clientExpirySeconds.warning / 86_400}.`,
      },
      {
        at: 'host',
        says: 'Find the client. Of each request, the third value is its name, the last but one the minutes that it had left, the first the answer. Metrics name no client, on purpose.',
        command: REQUEST_EVENTS,
        healthy: '`0x0`, and some 240000 or more of 259200 minutes left.',
        sick: 'Few minutes left. With a code other than `0x0` it was refused: see [[requests_failing]].',
      },
      {
        at: 'client',
        says: 'Ask that client.',
        command: 'slmgr /dlv\nslmgr /xpr',
        healthy: '`License Status: Licensed`, and a date some months ahead.',
        sick: '`Initial grace period`, or `Notification`.',
      },
    ],
    fix: [
      {
        ...ACTIVATE_ONE_CLIENT,
        says: 'Let it ask now. If it succeeds, see why it did not do so by itself: mostly it was off, or away from the network.',
        changes: 'The client sends a request; it does the same by itself.',
      },
      { says: 'If it is refused, or finds no host, the code leads on: [[requests_failing]].' },
      {
        says: 'If many are low, the host or the way to it was broken for long: [[host_not_serving]], [[count_below_threshold]].',
      },
      { says: 'A machine that was retired goes on counting here for 30 days after its last request.' },
    ],
    fixed: [
      `\`winkms_earliest_client_expiry_seconds{host="HOST"}\` rises once that client has asked again: with its next request, up to ${RENEWAL} after the one that succeeded, for by then it tells that it was renewed.`,
    ],
    related: [
      ['requests_failing', 'it asks, and is refused'],
      ['count_below_threshold', 'the host activates nobody'],
      ['canary_failing', 'see it from the seat of a client'],
    ],
    sources: [SOURCES.general, SOURCES.timing, SOURCES.clients],
  },
} as const satisfies Partial<Record<string, TitledText>>
