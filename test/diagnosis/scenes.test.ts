// Each cause in a scene of its own, where it and only it is to be named; and scenes where nobody can tell.
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES, CAUSES, fillIn, rowOf, type Cause } from '../../src/diagnosis/causes.ts'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import { CLIENT_ERRORS } from '../../src/kms/error-codes.ts'
import {
  ADDRESS,
  around,
  clockReading,
  closed,
  CONFIGURED,
  kms,
  NAME,
  record,
  srvReading,
  tell,
  type Story,
} from './scene.ts'

const healthy: Story = { port: [kms], clock: clockReading(around(0)), srv: [srvReading([record(NAME)])] }
const windows = `
hosts: [{ name: ${NAME}, windows: { via: windows_exporter, url: "http://${NAME}:9182/metrics" } }]
domains: [{ name: corp.example, expect: [${NAME}] }]
`
const withAddresses = CONFIGURED.replace(`{ name: ${NAME} }`, `{ name: ${NAME}, addresses: [${ADDRESS}] }`)
const twoResolvers = CONFIGURED.replace('expect', 'resolvers: [192.0.2.1, 192.0.2.2], expect')
const withReferences = `${CONFIGURED}\nprobes: { clock: { references: [a.example, b.example, c.example] } }\n`
const OLD = 'old.corp.example'
const HOURS = 3600

type Row = readonly [sentence: string, story: Story, causes: readonly Cause[], serving: boolean | undefined]

const rows: readonly Row[] = [
  ['a healthy host serves', healthy, [], true],
  [
    'silence everywhere is an unreachable host',
    { ...healthy, port: [closed('connect_timeout')], clock: 'timeout' },
    ['host_unreachable'],
    false,
  ],
  [
    'no route, and no clock either, is an unreachable host',
    { ...healthy, port: [closed('connect_unreachable')], clock: 'connect_unreachable' },
    ['host_unreachable'],
    false,
  ],
  [
    'a silent port on a machine whose clock answers is blocked',
    { ...healthy, port: [closed('connect_timeout')] },
    ['port_blocked'],
    false,
  ],
  [
    'a silent port on a machine that refuses elsewhere is blocked',
    { ...healthy, port: [closed('connect_timeout')], clock: 'connect_refused' },
    ['port_blocked'],
    false,
  ],
  [
    'a refusing port on a machine whose clock answers is a stopped service',
    { ...healthy, port: [closed('connect_refused')] },
    ['service_stopped'],
    false,
  ],
  [
    'Windows says stopped, and the port refuses',
    { ...healthy, yaml: windows, port: [closed('connect_refused')], service: 'stopped' },
    ['service_stopped'],
    false,
  ],
  [
    'Windows says stopped, and the port is silent (Windows Firewall hides closed ports)',
    { ...healthy, yaml: windows, port: [closed('connect_timeout')], service: 'stopped' },
    ['service_stopped'],
    false,
  ],
  [
    'Windows says running, and the port refuses: a rejecting firewall',
    { ...healthy, yaml: windows, port: [closed('connect_refused')], service: 'running' },
    ['port_blocked'],
    false,
  ],
  [
    'Windows says running, and the port is silent',
    { ...healthy, yaml: windows, port: [closed('connect_timeout')], service: 'running' },
    ['port_blocked'],
    false,
  ],
  ...(['other_rpc', 'accepts_anything', 'rpc_fault', 'not_rpc', 'silent', 'closes'] as const).map(
    (listener): Row => [
      `a listener of the kind ${listener} is no KMS host`,
      { ...healthy, port: [{ ...kms, listener }] },
      ['not_kms_listener'],
      false,
    ],
  ),
  [
    'NXDOMAIN for the domain is a missing record',
    { ...healthy, srv: [srvReading([], { rcode: 'NXDOMAIN' })] },
    ['srv_missing'],
    false,
  ],
  [
    'records that name others only are a missing record',
    { ...healthy, srv: [srvReading([record('kms02.corp.example')])] },
    ['srv_missing'],
    false,
  ],
  [
    'a record missing at one resolver of two is missing',
    {
      ...healthy,
      yaml: twoResolvers,
      srv: [srvReading([record(NAME)]), srvReading([], { rcode: 'NXDOMAIN' })],
    },
    ['srv_missing'],
    false,
  ],
  [
    'a record at another port than the host listens on',
    { ...healthy, srv: [srvReading([record(NAME, { port: 1689 })])] },
    ['srv_wrong_port'],
    false,
  ],
  [
    'DNS gives another address than configured',
    {
      ...healthy,
      yaml: withAddresses,
      port: [
        { ...closed('connect_refused', '192.0.2.99'), expected: false },
        { ...kms, inDns: false, expected: true },
      ],
    },
    ['host_record_wrong'],
    false,
  ],
  [
    'a wrong address record, and a resolver that does not answer the next time',
    {
      yaml: withAddresses,
      clock: clockReading(around(0)),
      srv: [
        srvReading([record(NAME)], {
          targets: new Map([[NAME, { addresses: ['192.0.2.99'], alias: false }]]),
        }),
      ],
      port: 'resolve_timeout',
    },
    ['host_record_wrong'],
    false,
  ],
  [
    'a configured host without an address record',
    { ...healthy, port: 'resolve_nxdomain', clock: 'resolve_nxdomain' },
    ['host_record_wrong'],
    false,
  ],
  ['a clock five hours ahead', { ...healthy, clock: clockReading(around(5 * HOURS)) }, ['clock_skew'], false],
  [
    'a clock five hours behind',
    { ...healthy, clock: clockReading(around(-5 * HOURS), around(-5 * HOURS)) },
    ['clock_skew'],
    false,
  ],
  [
    'one lying source of three moves nothing',
    { ...healthy, clock: clockReading(around(0), around(5 * HOURS), around(0.005)) },
    [],
    true,
  ],
  [
    'an exporter six hours ahead blames itself, not the host',
    {
      ...healthy,
      yaml: withReferences,
      clock: clockReading(around(-6 * HOURS)),
      references: [around(-6 * HOURS), around(-6 * HOURS)],
    },
    ['exporter_clock_wrong'],
    true,
  ],
  [
    'a wrong exporter cannot hide a wrong host',
    {
      ...healthy,
      yaml: withReferences,
      clock: clockReading(around(0)),
      references: [around(-6 * HOURS), around(-6 * HOURS)],
    },
    ['clock_skew', 'exporter_clock_wrong'],
    false,
  ],
  [
    'one lying reference of three moves nothing',
    { ...healthy, yaml: withReferences, references: [around(0), around(6 * HOURS), around(0)] },
    [],
    true,
  ],
  [
    'references that contradict each other leave true time open',
    {
      ...healthy,
      yaml: withReferences,
      clock: clockReading(around(-6 * HOURS)),
      references: [around(0), around(-6 * HOURS)],
    },
    [],
    true,
  ],
  [
    'an uninvited host that serves is no stale record',
    {
      yaml: CONFIGURED,
      discovered: [OLD],
      host: OLD,
      port: [kms],
      clock: clockReading(around(0)),
      srv: [srvReading([record(NAME), record(OLD)])],
    },
    [],
    true,
  ],
  [
    'an uninvited host that is silent is a stale record, and no more',
    {
      yaml: CONFIGURED,
      discovered: [OLD],
      host: OLD,
      port: [closed('connect_timeout')],
      clock: 'timeout',
      srv: [srvReading([record(NAME), record(OLD)])],
    },
    ['srv_stale'],
    false,
  ],
  [
    'an uninvited host whose service is stopped is a stale record, and no more',
    {
      yaml: CONFIGURED,
      discovered: [OLD],
      host: OLD,
      port: [closed('connect_refused')],
      clock: clockReading(around(0)),
      srv: [srvReading([record(NAME), record(OLD)])],
    },
    ['srv_stale'],
    false,
  ],
  [
    'a record that names a host unknown to DNS is stale',
    {
      yaml: CONFIGURED,
      discovered: [OLD],
      host: OLD,
      port: 'resolve_nxdomain',
      clock: 'resolve_nxdomain',
      srv: [srvReading([record(NAME), record(OLD)])],
    },
    ['srv_stale'],
    false,
  ],
  [
    'one working address of two is enough',
    { ...healthy, port: [kms, closed('connect_timeout', '2001:db8::10')] },
    [],
    true,
  ],
  ['nothing asked yet: cannot tell', {}, [], undefined],
  [
    'the name could not be resolved for want of a resolver: cannot tell',
    { ...healthy, port: 'resolve_timeout' },
    [],
    undefined,
  ],
  [
    'a refusing port and nothing else that answers: not serving, but why cannot be told',
    { ...healthy, port: [closed('connect_refused')], clock: 'timeout' },
    [],
    false,
  ],
  [
    'a machine that refuses everything: not serving, but a firewall may speak in its place',
    { ...healthy, port: [closed('connect_refused')], clock: 'connect_refused' },
    [],
    false,
  ],
  [
    'two clocks that contradict each other are no verdict',
    { ...healthy, clock: clockReading(around(0), around(5 * HOURS)) },
    [],
    true,
  ],
  [
    'a drift that straddles the limit is no verdict',
    { ...healthy, clock: clockReading(around(4 * HOURS, 1)) },
    [],
    true,
  ],
  [
    'a resolver that does not answer is no missing record',
    { ...healthy, srv: ['resolve_timeout'] },
    [],
    true,
  ],
]

describe('a scene and its cause', () => {
  it.each(rows)('%s', (_sentence, story, causes, serving) => {
    const diagnosis = diagnose(tell(story))
    const named = diagnosis.findings.filter(({ verdict }) => verdict === 'named').map(({ cause }) => cause)
    expect({ named, serving: diagnosis.serving }).toEqual({ named: causes, serving })
  })

  it('every cause that can be told has a scene', () => {
    const told = CAUSE_NAMES.filter((cause) => rowOf(cause).needs === undefined)
    const shown = new Set(rows.flatMap(([, , causes]) => causes))
    expect(told.filter((cause) => !shown.has(cause))).toEqual([])
  })

  it('what needs Windows itself cannot be told, and says what it takes', () => {
    const { findings } = diagnose(tell(healthy))
    for (const { cause, verdict, missing } of findings.filter(
      (each) => rowOf(each.cause).needs !== undefined,
    )) {
      expect({ cause, verdict }).toEqual({ cause, verdict: 'unknown' })
      expect(missing).toContain('not asked')
    }
  })
})

describe('what follows from a diagnosis', () => {
  it('the client error of a missing record is that of the lookup', () => {
    const errorOf = (rcode: string): unknown =>
      diagnose(tell({ ...healthy, srv: [srvReading([], { rcode })] })).clientErrors
    expect(errorOf('NXDOMAIN')).toEqual([{ cause: 'srv_missing', code: '0x8007232B' }])
    expect(errorOf('NOERROR')).toEqual([{ cause: 'srv_missing', code: '0x8007251D' }])
    expect(errorOf('SERVFAIL')).toEqual([{ cause: 'srv_missing', code: '0x8007232A' }])
  })

  it('the service is inferred: running, stopped, or unknown', () => {
    const stateOf = (story: Story): unknown => diagnose(tell(story)).service
    expect(stateOf(healthy)).toEqual({ state: 'running', source: 'inferred' })
    expect(stateOf({ ...healthy, port: [closed('connect_refused')] })).toEqual({
      state: 'stopped',
      source: 'inferred',
    })
    expect(stateOf({ ...healthy, port: [closed('connect_timeout')] })).toEqual({
      state: 'unknown',
      source: 'inferred',
    })
    expect(stateOf({ ...healthy, yaml: windows, service: 'paused' })).toEqual({
      state: 'paused',
      source: 'windows_exporter',
    })
    // A page that does not speak of sppsvc leaves it to inference.
    expect(stateOf({ ...healthy, yaml: windows, service: 'unknown' })).toEqual({
      state: 'running',
      source: 'inferred',
    })
  })

  it('the drift is corrected by the references, and as uncertain as both', () => {
    const { drift } = diagnose(
      tell({
        ...healthy,
        yaml: withReferences,
        clock: clockReading(around(-100, 1)),
        references: [around(-90, 2)],
      }),
    )
    expect(drift).toEqual({ low: -13, high: -7 })
  })

  it('every finding cites what it rests on', () => {
    for (const [, story] of rows) {
      for (const finding of diagnose(tell(story)).findings) {
        for (const { source, says, atSeconds } of [...finding.for, ...finding.against]) {
          expect(source).toMatch(/^(port|srv|clock|service|reference) /)
          expect(says.length).toBeGreaterThan(3)
          expect(atSeconds).toBeGreaterThan(0)
        }
      }
    }
  })
})

describe('the table of causes', () => {
  it.each(CAUSE_NAMES)('%s says what to do in whole sentences', (cause) => {
    const { title, remedy, command, clientError } = rowOf(cause)
    expect(title).not.toMatch(/\.$/)
    expect(remedy).toMatch(/^[A-Z].*[^.]\.$/)
    expect(command.length).toBeGreaterThan(3)
    if (clientError !== undefined) expect(CLIENT_ERRORS).toHaveProperty(clientError)
    const facts = { host: 'h', port: 1, domain: undefined }
    expect(fillIn(remedy, facts) + fillIn(command, facts)).not.toMatch(/[{}]/)
  })

  it('is complete', () => {
    expect(Object.keys(CAUSES)).toHaveLength(15)
  })
})
