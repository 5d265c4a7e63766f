// What only Windows can tell, cause by cause: when it is named, when it is ruled out, and what is missing otherwise.
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES, rowOf, type Cause } from '../../src/diagnosis/causes.ts'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import { isHost } from '../../src/diagnosis/evidence.ts'
import type { Finding } from '../../src/model/finding.ts'
import {
  activityReading,
  ADDRESS,
  around,
  asleep,
  AT,
  BY_WINRM,
  canaryReading,
  clockReading,
  closed,
  CONFIGURED,
  eventLog,
  kms,
  licensingReading,
  NAME,
  product,
  record,
  srvReading,
  tell,
  type Story,
} from './scene.ts'

const HOURS = 3600
const DAYS = 86_400
const right = srvReading([record(NAME)])

/** Everything has been asked, and all is well. */
const well: Story = {
  yaml: BY_WINRM,
  port: [kms],
  clock: clockReading(around(0)),
  srv: [right],
  service: 'running',
  licensing: licensingReading(),
  activity: activityReading(),
}

const counting = (changes: Parameters<typeof product>[0]): ReturnType<typeof licensingReading> =>
  licensingReading({ products: [product(changes)] })

/** Another domain than the host's: that the host has a place in it, only its own list says. */
const inLab = (expect = ''): string =>
  BY_WINRM.replace(/domains: .*/, `domains: [{ name: lab.example${expect} }]`)
const elsewhere = srvReading([record('kms09.lab.example')])

const publishing = (domain: string, priority = 0, weight = 0): ReturnType<typeof licensingReading> =>
  licensingReading({}, { publishList: [{ domain, priority, weight }] })

const fullLog = activityReading({
  logs: [eventLog({ sizeBytes: 20 * 2 ** 20, mostBytes: 20 * 2 ** 20, overwrites: 'never' })],
})

/** All is well, and a canary was answered so an hour ago. */
function told(code: string): Story {
  const lastActivation = { atSeconds: AT - HOURS, code, answered: true, host: NAME }
  return { ...well, clients: [canaryReading({ lastActivation })] }
}

const SERVES_2022 = BY_WINRM.replace(`{ name: ${NAME},`, `{ name: ${NAME}, serves: [windows_server_2022],`)
const SERVES_11 = BY_WINRM.replace(`{ name: ${NAME},`, `{ name: ${NAME}, serves: [windows_11],`)
const SERVES_2025 = BY_WINRM.replace(`{ name: ${NAME},`, `{ name: ${NAME}, serves: [windows_server_2025],`)
const outdated = { caption: 'Windows Server 2022', build: 20_348, ubr: 1, productType: 'server' } as const

function findingOf(cause: Cause, story: Story): Finding<Cause> {
  const found = diagnose(tell(story)).findings.find((finding) => finding.cause === cause)
  if (found === undefined) throw new Error(`no finding about ${cause}`)
  return found
}

function namedIn(story: Story): readonly Cause[] {
  return diagnose(tell(story))
    .findings.filter(({ verdict }) => verdict === 'named')
    .map(({ cause }) => cause)
}

const says = ({ for: reasons }: Finding<Cause>): readonly string[] => reasons.map((each) => each.says)

type Row = readonly [sentence: string, story: Story, causes: readonly Cause[], serving: boolean | undefined]

const rows: readonly Row[] = [
  ['a host of which Windows says that all is well serves', well, [], true],
  [
    'KMS is not enabled, though something answers at the port',
    { ...well, licensing: licensingReading({ service: { kmsEnabled: false }, products: [] }) },
    ['kms_not_enabled'],
    false,
  ],
  [
    'KMS is not enabled, and so nobody listens: neither a stopped service nor a firewall',
    {
      ...well,
      port: [closed('connect_refused')],
      licensing: licensingReading({ service: { kmsEnabled: false }, products: [] }),
    },
    ['kms_not_enabled'],
    false,
  ],
  [
    'KMS is not enabled, and its service has stopped for want of work',
    {
      ...well,
      port: [closed('connect_refused')],
      service: 'stopped',
      licensing: licensingReading({ service: { kmsEnabled: false }, products: [] }),
    },
    ['kms_not_enabled'],
    false,
  ],
  [
    'KMS was not enabled, and its service has stopped since: it is not asked, and need not run',
    {
      ...well,
      port: [closed('connect_refused')],
      service: 'stopped',
      licensing: asleep,
      lastLicences: licensingReading({ service: { kmsEnabled: false }, products: [] }),
    },
    ['kms_not_enabled'],
    false,
  ],
  [
    'KMS was enabled, and its service has stopped since',
    {
      ...well,
      port: [closed('connect_refused')],
      service: 'stopped',
      licensing: asleep,
      lastLicences: licensingReading(),
    },
    ['service_stopped'],
    false,
  ],
  [
    'KMS was not enabled, and Windows does not say so any more: an old word is no excuse for a closed port',
    {
      ...well,
      port: [closed('connect_refused')],
      licensing: { failure: 'access_denied', stage: 'ask' },
      lastLicences: licensingReading({ service: { kmsEnabled: false }, products: [] }),
    },
    ['port_blocked'],
    false,
  ],
  [
    'the host is told to publish itself in a domain that leaves open who belongs there, and has no record in it',
    { ...well, yaml: inLab(), srv: [elsewhere], licensing: publishing('lab.example') },
    ['srv_missing'],
    false,
  ],
  [
    'the host is told to publish itself, and not to publish',
    {
      ...well,
      yaml: inLab(),
      srv: [elsewhere],
      licensing: licensingReading(
        { service: { dnsPublishing: false } },
        { publishList: publishing('lab.example').publishList },
      ),
    },
    [],
    true,
  ],
  [
    'the host is told to publish itself in a domain that expects others only',
    {
      ...well,
      yaml: inLab(', expect: [kms09.lab.example]'),
      srv: [elsewhere],
      licensing: publishing('lab.example'),
    },
    [],
    true,
  ],
  [
    'one of two keys is not activated',
    {
      ...well,
      licensing: licensingReading({
        products: [
          product(),
          product({ product: 'office2021', application: 'office', licenseStatus: 'notification' }),
        ],
      }),
    },
    ['host_not_licensed'],
    false,
  ],
  [
    'three servers have asked, and it takes five',
    {
      ...well,
      licensing: licensingReading({ products: [product({ currentClients: 3, requiredClients: 5 })] }),
    },
    ['count_below_threshold'],
    false,
  ],
  [
    'twelve are enough for servers, but client systems have asked too',
    {
      ...well,
      licensing: licensingReading({ products: [product({ currentClients: 12, requiredClients: 5 })] }),
      activity: activityReading({ lastClientSystemSeconds: AT - HOURS }),
    },
    ['count_below_threshold'],
    false,
  ],
  [
    'twelve are enough for servers, and no client system has asked for a week',
    {
      ...well,
      licensing: licensingReading({ products: [product({ currentClients: 12, requiredClients: 5 })] }),
      activity: activityReading({
        requests: [{ result: '0x00000000', minClients: '25', count: 2 }],
        lastClientSystemSeconds: AT - 8 * DAYS,
      }),
    },
    [],
    true,
  ],
  [
    'Windows does not say how many it takes: nothing takes fewer than five',
    {
      ...well,
      licensing: licensingReading({ products: [product({ currentClients: 3, requiredClients: undefined })] }),
    },
    ['count_below_threshold'],
    false,
  ],
  [
    'eight are too few for the client systems that the configuration wants served',
    { ...well, yaml: SERVES_11, licensing: counting({ currentClients: 8, requiredClients: 5 }) },
    ['count_below_threshold'],
    false,
  ],
  [
    'eight are too few for a canary that is a client system, whatever the log says',
    {
      ...well,
      licensing: counting({ currentClients: 8, requiredClients: undefined }),
      activity: { failure: 'access_denied', stage: 'logon' },
      clients: [canaryReading()],
    },
    ['count_below_threshold'],
    false,
  ],
  [
    'a client system is known to have asked at a time that is days ahead: that is no time',
    {
      ...well,
      licensing: counting({ currentClients: 12, requiredClients: 5 }),
      activity: activityReading({ lastClientSystemSeconds: AT + 300 * DAYS }),
    },
    [],
    true,
  ],
  [
    'a host is three hours ahead, and so are its events: they are of today',
    {
      ...well,
      clock: clockReading(around(3 * HOURS)),
      activity: activityReading({ lastMismatchSeconds: AT + 2 * HOURS }),
    },
    ['version_mismatch'],
    true,
  ],
  [
    'a refusal of next year is none of today',
    { ...well, activity: activityReading({ lastMismatchSeconds: AT + 300 * DAYS }) },
    [],
    true,
  ],
  [
    'twelve are enough where only servers ask',
    {
      ...well,
      licensing: licensingReading({ products: [product({ currentClients: 12, requiredClients: 5 })] }),
    },
    [],
    true,
  ],
  [
    "Office takes five, whatever Windows' clients take",
    {
      ...well,
      licensing: licensingReading({
        products: [product({ application: 'office', currentClients: 7, requiredClients: 5 })],
      }),
      activity: activityReading({ lastClientSystemSeconds: AT - HOURS }),
    },
    [],
    true,
  ],
  [
    'the configuration wants clients served that the host is too old for',
    { ...well, yaml: SERVES_2025, licensing: licensingReading({}, { os: outdated }) },
    ['version_mismatch'],
    true,
  ],
  [
    'its kernel is too old for them, and need not be as new as the host is',
    {
      ...well,
      yaml: SERVES_2025,
      licensing: licensingReading(
        { products: [product({ product: 'ws2025' })] },
        { os: { ...outdated, ubrSource: 'kernel_file' } },
      ),
    },
    [],
    true,
  ],
  [
    'a canary is newer than what the key activates',
    { ...well, clients: [canaryReading({ clientOs: 'windows_server_2025' })] },
    ['version_mismatch'],
    true,
  ],
  [
    'a canary that asks another host says nothing about this one',
    {
      ...well,
      clients: [
        canaryReading({
          clientOs: 'windows_server_2025',
          kms: { host: 'kms02.corp.example', port: 1688, discoveredBy: 'dns' },
        }),
      ],
    },
    [],
    true,
  ],
  [
    'a client with a good clock was refused for its time: the host is too old for it',
    { ...well, activity: activityReading({ lastMismatchSeconds: AT - HOURS }) },
    ['version_mismatch'],
    true,
  ],
  [
    'a client was refused for its time, and the clock of the host is wrong: that explains it',
    {
      ...well,
      clock: clockReading(around(5 * HOURS)),
      activity: activityReading({ lastMismatchSeconds: AT - HOURS }),
    },
    ['clock_skew'],
    false,
  ],
  [
    'a client was refused the day before yesterday: who knows what was done since',
    {
      ...well,
      activity: activityReading({
        lastMismatchSeconds: AT - 2 * DAYS,
        lastWrongProductSeconds: AT - 2 * DAYS,
      }),
    },
    [],
    true,
  ],
  [
    'a client system was refused for its product, by a host with a key for Windows',
    {
      ...well,
      activity: activityReading({
        lastWrongProductSeconds: AT - HOURS,
        lastWrongClientSystemSeconds: AT - HOURS,
      }),
    },
    ['version_mismatch'],
    true,
  ],
  [
    'a client system came to the wrong host: this one is for Office',
    {
      ...well,
      licensing: licensingReading({
        products: [product({ product: 'office2021', application: 'office', requiredClients: 5 })],
      }),
      activity: activityReading({
        lastWrongProductSeconds: AT - HOURS,
        lastWrongClientSystemSeconds: AT - HOURS,
      }),
    },
    [],
    true,
  ],
  [
    'a server, or an Office that nobody said should be served here, was refused for its product',
    { ...well, activity: activityReading({ lastWrongProductSeconds: AT - HOURS }) },
    [],
    true,
  ],
  [
    'the right to read the event log is missing, and activation goes on',
    { ...well, activity: { failure: 'access_denied', stage: 'ask' } },
    ['event_log_unreadable'],
    true,
  ],
  [
    'there is no such event log',
    { ...well, activity: { failure: 'not_found', stage: 'ask' } },
    ['event_log_unreadable'],
    true,
  ],
  [
    'the event log is full and never overwrites',
    {
      ...well,
      activity: activityReading({
        logs: [eventLog({ sizeBytes: 20 * 2 ** 20, mostBytes: 20 * 2 ** 20, overwrites: 'never' })],
      }),
    },
    ['event_log_unreadable'],
    true,
  ],
  [
    'the event log is full and overwrites, as it should',
    { ...well, activity: activityReading({ logs: [eventLog({ sizeBytes: 20 * 2 ** 20 })] }) },
    [],
    true,
  ],
  [
    'the logon fails: nothing is known, and nothing is wrong with the log',
    {
      ...well,
      licensing: { failure: 'auth_failed', stage: 'logon' },
      activity: { failure: 'auth_failed', stage: 'logon' },
    },
    [],
    true,
  ],
  [
    'the host listens elsewhere than its record says, and than the configuration does',
    {
      ...well,
      port: [closed('connect_refused')],
      licensing: licensingReading({ service: { listeningPort: 1700 } }),
    },
    ['srv_wrong_port'],
    false,
  ],
  [
    'the port that is set comes true with the next start of the service: what answers is what counts',
    { ...well, licensing: licensingReading({ service: { listeningPort: 1700 } }) },
    [],
    true,
  ],
  [
    'sppsvc is stopped, says who asked for the licence',
    { ...well, service: { failure: 'timeout' }, port: [closed('connect_refused')], licensing: asleep },
    ['service_stopped'],
    false,
  ],
  [
    'sppsvc is stopped, says Windows by WinRM',
    { ...well, port: [closed('connect_timeout')], service: 'stopped', licensing: asleep },
    ['service_stopped'],
    false,
  ],
]

describe('a scene and its cause', () => {
  it.each(rows)('%s', (_sentence, story, causes, serving) => {
    expect({ named: namedIn(story), serving: diagnose(tell(story)).serving }).toEqual({
      named: causes,
      serving,
    })
  })

  it('every cause that takes Windows has a scene', () => {
    const shown = new Set(rows.flatMap(([, , causes]) => causes))
    const wanted = CAUSE_NAMES.filter((cause) => rowOf(cause).needs !== undefined)
    expect(wanted.length).toBeGreaterThan(0)
    expect(wanted.filter((cause) => !shown.has(cause))).toEqual([])
  })

  it('every cause that takes Windows is ruled out where all is well, on what Windows said', () => {
    const { findings } = diagnose(tell(well))
    for (const { cause, verdict, against } of findings.filter(
      (each) => rowOf(each.cause).needs !== undefined,
    )) {
      expect({ cause, verdict }).toEqual({ cause, verdict: 'ruled_out' })
      for (const { source } of against) expect(source).toMatch(/^(licensing|activity) /)
      expect(against).not.toHaveLength(0)
    }
  })
})

describe('what is missing', () => {
  const five = CAUSE_NAMES.filter((cause) => rowOf(cause).needs !== undefined)

  it.each<readonly [string, Story, RegExp]>([
    [
      'no way to Windows',
      { yaml: CONFIGURED, port: [kms] },
      /^Windows is not asked: that takes hosts\[\]\.windows/,
    ],
    ['not asked yet', { yaml: BY_WINRM, port: [kms] }, /^Windows has not been asked yet$/],
    [
      'no answer',
      {
        ...well,
        licensing: { failure: 'auth_failed', stage: 'logon' },
        activity: { failure: 'auth_failed', stage: 'logon' },
      },
      /^no answer: auth_failed at logon/,
    ],
  ])('%s: none of the five can be told', (_sentence, story, missing) => {
    for (const cause of five) {
      const finding = findingOf(cause, story)
      expect([cause, finding.verdict]).toEqual([cause, 'unknown'])
      expect(finding.missing).toMatch(missing)
    }
  })

  it('a stopped service is not asked for its licences, and that is said', () => {
    for (const cause of ['kms_not_enabled', 'host_not_licensed', 'count_below_threshold'] as const)
      expect(findingOf(cause, { ...well, licensing: asleep })).toMatchObject({
        verdict: 'unknown',
        missing: 'sppsvc is stopped: asking for its licences would start it',
      })
  })

  it.each<readonly [Cause, Story, string]>([
    [
      'kms_not_enabled',
      { ...well, licensing: licensingReading({ service: { kmsEnabled: undefined } }) },
      'Windows does not say whether KMS is enabled',
    ],
    [
      'host_not_licensed',
      { ...well, licensing: licensingReading({ products: [] }) },
      'no KMS host key is installed',
    ],
    [
      'host_not_licensed',
      {
        ...well,
        licensing: licensingReading({ products: [product(), product({ licenseStatus: undefined })] }),
      },
      'Windows does not say of every key how it is licensed',
    ],
    [
      'count_below_threshold',
      { ...well, licensing: licensingReading({ products: [] }) },
      'no KMS host key is installed',
    ],
    [
      'count_below_threshold',
      { ...well, licensing: licensingReading({ products: [product({ currentClients: undefined })] }) },
      'no client has asked yet: nothing is counted',
    ],
    [
      'version_mismatch',
      { ...well, activity: activityReading({ lastRequestSeconds: AT - 2 * DAYS }) },
      'no request of the last 24 hours is known',
    ],
    [
      'version_mismatch',
      { ...well, activity: activityReading({ caughtUp: false }) },
      'the event log of its requests has not been read to the end',
    ],
    [
      'version_mismatch',
      { ...well, activity: activityReading({ lastUnclearRefusalSeconds: AT - HOURS }) },
      'could not be read to where it says whether, and why, it was refused',
    ],
    [
      'version_mismatch',
      { ...well, activity: activityReading({ logs: [eventLog({ lost: 3, lostAtSeconds: AT - HOURS })] }) },
      'some of its requests were lost from the event log before they were read',
    ],
    ['version_mismatch', { ...well, activity: fullLog }, 'the event log of its requests is full'],
    // What should be, by the tables, does not show what is.
    [
      'version_mismatch',
      { ...well, yaml: SERVES_2022, activity: { failure: 'timeout' } },
      'no answer: timeout',
    ],
    ['version_mismatch', told('0xC004F042'), 'a canary was refused'],
    ['version_mismatch', told('0xC004F06C'), 'a canary was refused'],
    ['count_below_threshold', told('0xC004F038'), 'canaries were told that too few had asked'],
    ...[undefined, 5].flatMap((requiredClients): (readonly [Cause, Story, string])[] => {
      const some = { ...well, licensing: counting({ currentClients: 12, requiredClients }) }
      const { activity: _, ...unread } = some
      return [
        ['count_below_threshold', { ...some, activity: { failure: 'access_denied' } }, 'access_denied'],
        ['count_below_threshold', unread, 'has not been asked yet'],
        [
          'count_below_threshold',
          { ...some, activity: activityReading({ caughtUp: false }) },
          'has not been read to the end',
        ],
        ['count_below_threshold', { ...some, activity: fullLog }, 'is full'],
        [
          'count_below_threshold',
          { ...some, activity: activityReading({ logs: [eventLog({ lostAtSeconds: AT - 6 * DAYS })] }) },
          'were lost',
        ],
        [
          'count_below_threshold',
          {
            ...some,
            activity: activityReading({ distinctClients: { '1h': 1, '24h': 3, '7d': 11, '30d': 11 } }),
          },
          'does not go back to all the clients that the host counts',
        ],
      ]
    }),
    [
      'count_below_threshold',
      { ...well, licensing: counting({ currentClients: 8, requiredClients: 25 }) },
      '8 clients are enough for servers; client systems take 25, and none has asked lately',
    ],
    [
      'version_mismatch',
      { ...well, activity: activityReading({ lastWrongProductSeconds: AT - HOURS }) },
      'a request was refused with 0xC004F042',
    ],
    [
      'event_log_unreadable',
      { ...well, activity: { failure: 'timeout', stage: 'ask' } },
      'no answer: timeout at ask',
    ],
    [
      'event_log_unreadable',
      { ...well, activity: { failure: 'access_denied', stage: 'logon' } },
      'no answer: access_denied at logon',
    ],
  ])('%s cannot be told: %#', (cause, story, missing) => {
    const finding = findingOf(cause, story)
    expect(finding.verdict).toBe('unknown')
    expect(finding.missing).toContain(missing)
  })

  it('of an update revision that could not be read says which one it takes', () => {
    const os = { ...outdated, ubr: undefined }
    const products = [product({ product: 'ws2025' })]
    const finding = findingOf('version_mismatch', {
      ...well,
      yaml: SERVES_2025,
      licensing: licensingReading({ products }, { os }),
    })
    expect(finding.verdict).toBe('unknown')
    expect(finding.missing).toContain('windows_server_2025')
    expect(finding.missing).toContain('20348.2322')
  })

  it('a refusal for the time, while the clock is not known: either', () => {
    const activity = activityReading({ lastMismatchSeconds: AT - HOURS })
    const finding = findingOf('version_mismatch', { ...well, clock: 'timeout', activity })
    expect(finding.verdict).toBe('unknown')
    expect(finding.missing).toContain('0xC004F06C')
    expect(finding.for).toHaveLength(1)
  })
})

describe('the evidence', () => {
  it('of a licence names the key and the reason', () => {
    const broken = product({ licenseStatus: 'notification', licenseReason: '0xC004F009' })
    const finding = findingOf('host_not_licensed', {
      ...well,
      licensing: licensingReading({ products: [broken] }),
    })
    expect(says(finding)).toEqual(['the key ws2022 is in state notification (0xC004F009)'])
  })

  it('of a host without KMS holds against it that something answers there', () => {
    const licensing = licensingReading({ service: { kmsEnabled: false }, products: [] })
    expect(findingOf('kms_not_enabled', { ...well, licensing }).against).toHaveLength(1)
    const closedPort = { ...well, port: [closed('connect_refused')], licensing }
    expect(findingOf('kms_not_enabled', closedPort).against).toEqual([])
    expect(findingOf('port_blocked', closedPort).missing).toContain('see kms_not_enabled')
    const stopped = findingOf('service_stopped', { ...closedPort, service: 'stopped' })
    expect(stopped.missing).toContain('see kms_not_enabled')
    expect(says(stopped)).toContain('Windows says that sppsvc is stopped')
  })

  it('of a host without KMS tells of its failure to start, while that is news', () => {
    const licensing = licensingReading({ service: { kmsEnabled: false }, products: [] })
    const failed = (atSeconds: number) => {
      const activity = activityReading({ lastInitFailure: { atSeconds, code: '0xC004F014' } })
      return says(findingOf('kms_not_enabled', { ...well, licensing, activity }))
    }
    expect(failed(AT - HOURS)).toContain('KMS failed to start on the host: event 12291, 0xC004F014')
    expect(failed(AT - 2 * DAYS).join()).not.toContain('12291')
  })

  it('of a host without KMS says where no key could make it one', () => {
    const changes = { service: { kmsEnabled: false }, products: [] }
    const word = 'it is a Windows Server Azure Edition, which cannot be a KMS host'
    const caption = 'Microsoft Windows Server 2022 Datacenter Azure Edition'
    const azure = licensingReading(changes, { os: { ...outdated, caption } })
    expect(says(findingOf('kms_not_enabled', { ...well, licensing: azure }))).toContain(word)
    const other = licensingReading(changes)
    expect(says(findingOf('kms_not_enabled', { ...well, licensing: other }))).not.toContain(word)
  })

  it('of a full count says that it is no number of machines', () => {
    const [first] = findingOf('count_below_threshold', well).against
    expect(first?.says).toBe(
      'the host counts 50 clients (full: it never counts more) for the key ws2022; it takes 25',
    )
  })

  it('of a count that is too low for client systems says who asked', () => {
    const finding = findingOf('count_below_threshold', {
      ...well,
      licensing: licensingReading({
        products: [product({ currentClients: 10, requiredClients: 5, clientsLimit: 10 })],
      }),
      activity: activityReading({ lastClientSystemSeconds: AT - HOURS }),
    })
    expect(says(finding)).toEqual([
      'the host counts 10 clients for the key ws2022; it takes 25',
      'client systems have asked, and they take 25',
    ])
    expect(finding.for[1]?.source).toBe(`activity ${NAME}`)
  })

  it('of a count that is too low has the ids that several clients share', () => {
    const licensing = licensingReading({ products: [product({ currentClients: 12 })] })
    const activity = activityReading({ duplicateClientIds: 3, lastClientSystemSeconds: AT - HOURS })
    const word = 'several clients share one id, and count as one: so it is with 3 ids'
    expect(says(findingOf('count_below_threshold', { ...well, licensing, activity }))).toContain(word)
    expect(findingOf('count_below_threshold', { ...well, activity }).verdict).toBe('ruled_out')
  })

  it('of a missing record tells why the host could not publish it', () => {
    const gone = srvReading([], { rcode: 'NXDOMAIN' })
    const finding = findingOf('srv_missing', {
      ...well,
      srv: [gone],
      activity: activityReading({
        dnsPublishing: [
          { domain: 'corp.example', success: false, atSeconds: AT - HOURS, code: '0x80072338' },
          { domain: 'other.example', success: false, atSeconds: AT - HOURS, code: '0x8007232D' },
        ],
      }),
    })
    expect(says(finding)).toEqual([
      'no SRV record at 192.0.2.53:53 (NXDOMAIN)',
      'the host could not publish itself in corp.example: 0x80072338 (the record belongs to another host, and this one may not change it)',
    ])
    expect(finding.for[1]?.atSeconds).toBe(AT - HOURS)
  })

  it('of a missing record tells that the host does not publish, or elsewhere, or believes that it did', () => {
    const gone = srvReading([], { rcode: 'NXDOMAIN' })
    const off = licensingReading({ service: { dnsPublishing: false } })
    expect(says(findingOf('srv_missing', { ...well, srv: [gone], licensing: off }))[1]).toBe(
      'publishing is switched off on the host: its record has to be made by hand',
    )
    const elsewhere = { publishList: [{ domain: 'lab.example', priority: 0, weight: 0 }] }
    const listed = { ...well, srv: [gone], licensing: licensingReading({}, elsewhere) }
    expect(says(findingOf('srv_missing', listed))[1]).toBe(
      'the host is told to publish itself in lab.example',
    )
    const dnsPublishing = [{ domain: 'corp.example', success: true, atSeconds: AT - HOURS, code: undefined }]
    const believing = { ...well, srv: [gone], activity: activityReading({ dnsPublishing }) }
    expect(findingOf('srv_missing', believing).against.map((each) => each.says)).toEqual([
      'the host published itself in corp.example',
    ])
  })

  it('of a record that is not as the host is told to publish it warns, and is no fault', () => {
    const warningOf = (told: Story['licensing']): unknown => {
      const finding = findingOf('srv_missing', { ...well, ...(told && { licensing: told }) })
      expect(finding.verdict).toBe('ruled_out')
      return finding.warning
    }
    expect(warningOf(publishing('corp.example', 10, 20))).toBe(
      'the host is told to publish itself in corp.example with priority 10, weight 20; the record at 192.0.2.53:53 has priority 0, weight 0',
    )
    expect(warningOf(publishing('corp.example'))).toBeUndefined()
    expect(warningOf(publishing('lab.example', 10, 20))).toBeUndefined()
  })

  it('of a wrong port says who knows the right one', () => {
    const story: Story = {
      ...well,
      port: [closed('connect_refused')],
      licensing: licensingReading({ service: { listeningPort: 1700 } }),
    }
    expect(says(findingOf('srv_wrong_port', story))).toEqual([
      'the record at 192.0.2.53:53 says port 1688; the host listens on 1700',
      'Windows says that the host listens on port 1700',
    ])
    expect(findingOf('port_blocked', story).missing).toContain('1700')
  })

  it.each<readonly [Cause, string, Story]>([
    [
      'host_not_licensed',
      '0xC004F041',
      { licensing: licensingReading({ products: [product({ licenseStatus: 'unlicensed' })] }) },
    ],
    [
      'count_below_threshold',
      '0xC004F038',
      { licensing: licensingReading({ products: [product({ currentClients: 1 })] }) },
    ],
    ['kms_not_enabled', '0xC004F039', { licensing: licensingReading({ service: { kmsEnabled: false } }) }],
    [
      'version_mismatch',
      '0xC004F042',
      { activity: activityReading({ lastWrongClientSystemSeconds: AT - HOURS }) },
    ],
  ])('of %s has the word of a canary that was answered %s', (cause, code, changes) => {
    const answer = { atSeconds: AT - HOURS, code, answered: true, host: NAME }
    const word = `the canary pc1.corp.example was answered ${code}`
    const heard = (lastActivation: ReturnType<typeof canaryReading>['lastActivation']): readonly string[] =>
      says(findingOf(cause, { ...well, ...changes, clients: [canaryReading({ lastActivation })] }))
    expect(heard(answer)).toContain(word)
    expect(heard({ ...answer, atSeconds: AT - 3 * DAYS })).not.toContain(word)
    expect(heard({ ...answer, answered: false })).not.toContain(word)
    expect(heard({ ...answer, host: 'kms02.corp.example' })).not.toContain(word)
    // By itself it names nothing: it may have been asked before somebody mended it.
    const alone = { ...well, clients: [canaryReading({ lastActivation: answer })] }
    expect(findingOf(cause, alone).verdict).not.toBe('named')
  })
})

describe('what clients show for a host that is too old', () => {
  const errorsOf = (story: Story): unknown => diagnose(tell(story)).clientErrors

  it('is 0xC004F06C where that was answered, and 0xC004F042 otherwise', () => {
    expect(errorsOf({ ...well, activity: activityReading({ lastMismatchSeconds: AT - HOURS }) })).toEqual([
      { cause: 'version_mismatch', code: '0xC004F06C' },
    ])
    expect(errorsOf({ ...well, clients: [canaryReading({ clientOs: 'windows_server_2025' })] })).toEqual([
      { cause: 'version_mismatch', code: '0xC004F042' },
    ])
  })
})

describe('the forecast', () => {
  const shrinking = activityReading({ distinctClients: { '1h': 1, '24h': 5, '7d': 18, '30d': 60 } })

  it('is what remains of the clients once the silent are forgotten', () => {
    const story = { ...well, activity: shrinking }
    expect(diagnose(tell(story)).forecastClients).toBe(18)
    const finding = findingOf('count_below_threshold', story)
    expect(finding.verdict).toBe('ruled_out')
    expect(finding.warning).toContain('only 18 different clients have asked within 7 days')
    expect(finding.warning).toContain('in 23 days its count will be below the 25')
    expect(diagnose(tell(story)).serving).toBe(true)
  })

  it('is told again once a loss is older than what it looks back on', () => {
    const logs = [eventLog({ lost: 1, lostAtSeconds: AT - 8 * DAYS })]
    expect(diagnose(tell({ ...well, activity: { ...shrinking, logs } })).forecastClients).toBe(18)
  })

  it('is no warning where enough remain, nor where the count is too low already', () => {
    const distinctClients = { '1h': 1, '24h': 5, '7d': 25, '30d': 60 }
    const enough = { ...well, activity: activityReading({ distinctClients }) }
    expect(diagnose(tell(enough)).forecastClients).toBe(25)
    expect(findingOf('count_below_threshold', enough).warning).toBeUndefined()
    const licensing = licensingReading({ products: [product({ currentClients: 20 })] })
    const asked = { ...shrinking, lastClientSystemSeconds: AT - HOURS }
    const low = findingOf('count_below_threshold', { ...well, licensing, activity: asked })
    expect([low.verdict, low.warning]).toEqual(['named', undefined])
  })

  it('warns of the greater threshold where client systems ask', () => {
    const licensing = licensingReading({ products: [product({ requiredClients: 5 })] })
    const activity = { ...shrinking, lastClientSystemSeconds: AT - HOURS }
    expect(findingOf('count_below_threshold', { ...well, licensing, activity }).warning).toContain('the 25')
    expect(
      findingOf('count_below_threshold', { ...well, licensing, activity: shrinking }).warning,
    ).toBeUndefined()
  })

  it.each<readonly [string, Story]>([
    ['nobody is known from before the 7 days', { activity: activityReading() }],
    ['the log is still being read', { activity: { ...shrinking, caughtUp: false } }],
    [
      'records of the log were lost',
      { activity: { ...shrinking, logs: [eventLog({ lost: 1, lostAtSeconds: AT - 6 * DAYS })] } },
    ],
    ['the log was not read', { activity: { ...shrinking, logs: [eventLog({ log: 'application' })] } }],
    ['nothing was read', { activity: { failure: 'timeout' } }],
    [
      'clients renew less often',
      {
        activity: shrinking,
        licensing: licensingReading({ service: { renewalIntervalSeconds: 14 * DAYS } }),
      },
    ],
  ])('is none where %s', (_sentence, changes) => {
    const story = { ...well, ...changes }
    expect(diagnose(tell(story)).forecastClients).toBeUndefined()
    expect(findingOf('count_below_threshold', story).warning).toBeUndefined()
  })
})

describe('Windows as a voice on the service', () => {
  const serviceOf = (story: Story): unknown => diagnose(tell(story)).service

  it('is heard by WinRM as by windows_exporter', () => {
    expect(serviceOf({ ...well, service: 'paused' })).toEqual({ state: 'paused', source: 'winrm' })
  })

  it('is that of the licensing visit where the other has none, or is older', () => {
    const refusing: Story = { yaml: BY_WINRM, port: [closed('connect_refused')], licensing: asleep }
    expect(serviceOf(refusing)).toEqual({ state: 'stopped', source: 'winrm' })
    expect(serviceOf({ ...refusing, service: 'unknown' })).toEqual({ state: 'stopped', source: 'winrm' })
    const later = { ...well, port: [closed('connect_refused')], licensing: asleep, licensingAt: AT + 60 }
    expect(serviceOf(later)).toEqual({ state: 'stopped', source: 'winrm' })
    expect(serviceOf({ ...later, licensingAt: AT - 60 })).toEqual({ state: 'running', source: 'winrm' })
  })

  it('is none any more once the machine has fallen silent', () => {
    const story: Story = {
      yaml: BY_WINRM,
      port: [closed('connect_timeout')],
      clock: 'timeout',
      licensing: licensingReading(),
      service: { failure: 'connect_timeout', at: AT + 60 },
    }
    expect(namedIn(story)).toEqual(['host_unreachable'])
    expect(serviceOf(story)).toEqual({ state: 'unknown', source: 'inferred' })
    // Silence about one question while another is answered is no silence of the machine.
    const slow: Story = { ...story, service: { failure: 'timeout', stage: 'ask', at: AT } }
    expect(namedIn(slow)).toEqual(['port_blocked'])
  })

  it('on this very machine is no way to the host: its failures show nothing', () => {
    const local = BY_WINRM.replace('via: winrm, credentials: reader', 'via: local')
    const story: Story = { yaml: local, port: [closed('connect_timeout')], clock: 'timeout' }
    expect(namedIn({ ...story, service: { failure: 'protocol_error' } })).toEqual(['host_unreachable'])
    expect(namedIn({ ...story, clock: 'not_configured', service: { failure: 'timeout' } })).toEqual([])
    expect(serviceOf({ ...story, licensing: licensingReading() })).toEqual({
      state: 'running',
      source: 'local',
    })
  })
})

describe('the clock that Windows tells', () => {
  it('counts like any other', () => {
    const clock = [{ source: 'cim', offset: around(5 * HOURS) }]
    const story: Story = { ...well, clock: 'timeout', licensing: licensingReading({}, { clock }) }
    expect(namedIn(story)).toEqual(['clock_skew'])
    expect(findingOf('clock_skew', story).for[0]?.source).toBe(`licensing ${NAME}`)
    expect(diagnose(tell(story)).clockSources).toEqual([{ source: 'cim', agrees: true }])
  })
})

describe('whether a canary means this host', () => {
  const { host } = tell({
    yaml: BY_WINRM.replace(`{ name: ${NAME},`, `{ name: ${NAME}, addresses: [${ADDRESS}],`),
  })

  it.each([
    [NAME, true],
    ['kms01', true],
    [ADDRESS, true],
    ['kms01.other.example', false],
    ['kms02', false],
    ['192.0.2.99', false],
    ['', false],
  ])('%s: %s', (name, means) => {
    expect(isHost(host, name)).toBe(means)
  })
})
