// The snapshot for programs: plain data, the same keys in the same order, whatever peers have put into it.
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES } from '../../src/diagnosis/causes.ts'
import { cannotTell, named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { probes } from '../../src/probes/index.ts'
import { diagnosisJson, hostJson, hostsJson, resultJson } from '../../src/views/json.ts'
import type { DomainView } from '../../src/views/snapshot.ts'
import { around, canaryReading, clockReading, record, srvReading } from '../diagnosis/scene.ts'
import {
  answered,
  diagnosis,
  estate,
  evidence,
  EVERYTHING,
  failed,
  first,
  HARMFUL,
  HEALTHY,
  host,
  HOSTILE,
  snapshot,
  STOPPED,
  UNKNOWN,
  view,
} from './scenes.ts'

const all = estate(EVERYTHING)
const srvTarget = first(probes.srv.targets(all))
const portTarget = first(probes.port.targets(all))

const HEAD =
  'host port discovered labels windows serving causes findings service clock forecast_clients'.split(' ')

const findingOf = (json: object, cause: string): unknown =>
  (json as { findings: { cause: string }[] }).findings.find((finding) => finding.cause === cause)

describe('a diagnosis as JSON', () => {
  it.each([
    ['a healthy host', HEALTHY, { serving: true, causes: [] }],
    ['a stopped service', STOPPED, { serving: false, causes: ['service_stopped'] }],
    [
      'cannot tell',
      UNKNOWN,
      { serving: null, causes: [], clock: null, service: { state: 'unknown', source: 'inferred' } },
    ],
  ])('%s', (_what, of, wanted) => {
    const json = diagnosisJson(of)
    expect(json).toMatchObject({ host: of.host.name, port: 1688, discovered: false, ...wanted })
    expect(Object.keys(json)).toEqual(HEAD)
    expect(JSON.parse(JSON.stringify(json))).toEqual(json)
  })

  it('says how Windows is asked, and of the logon only its kind', () => {
    const logon = "auth: kerberos, username: 'svc@CORP', cache_file: /run/secret.ccache"
    const { hosts } = estate(EVERYTHING.replace('auth: kerberos', logon))
    const text = hosts.map((each) => JSON.stringify(diagnosisJson(diagnosis({ host: each }))))
    expect(text[0]).toContain(
      '"windows":{"via":"windows_exporter","url":"https://kms01.corp.example:9182/metrics","auth":null}',
    )
    expect(text[1]).toContain(
      '"windows":{"via":"winrm","url":"https://kms02.corp.example:5986/wsman","auth":"kerberos"}',
    )
    expect(text.join('')).not.toMatch(/svc@|ccache/)
    expect(diagnosisJson(diagnosis({ host: host({ windows: { via: 'local' } }) }))).toMatchObject({
      windows: { via: 'local' },
    })
    expect(diagnosisJson(diagnosis({ host: host({ windows: undefined }) }))).toMatchObject({ windows: null })
  })

  it('has every cause, in the order of the table', () => {
    const { findings } = diagnosisJson(UNKNOWN) as { findings: { cause: string }[] }
    expect(findings.map(({ cause }) => cause)).toEqual(CAUSE_NAMES)
  })

  it('tells of a named cause what clients see and what to do', () => {
    expect(findingOf(diagnosisJson(STOPPED), 'service_stopped')).toEqual({
      cause: 'service_stopped',
      title: 'The Software Protection service is stopped',
      verdict: 'named',
      for: [
        {
          source: 'service kms01.corp.example',
          says: 'Windows says that sppsvc is stopped',
          at: '2027-01-15T08:00:00.000Z',
        },
        {
          source: 'port kms01.corp.example',
          says: '192.0.2.10 refuses connections: the machine answers, nobody listens there',
          at: '2027-01-15T08:00:00.000Z',
        },
      ],
      against: [
        {
          source: 'clock kms01.corp.example',
          says: "ntp says +1.2 ms ± 0.4 ms from the exporter's clock",
          at: '2027-01-15T08:00:00.000Z',
        },
      ],
      client_error: '0xC004F074',
      remedy:
        'Start the Software Protection service (sppsvc) on the host, and read its event log for why it stopped.',
      command: 'net start sppsvc',
    })
  })

  it('tells of the others only the verdict and what it rests on', () => {
    expect(findingOf(diagnosisJson(STOPPED), 'port_blocked')).toEqual({
      cause: 'port_blocked',
      title: 'The KMS port is blocked',
      verdict: 'unknown',
      cannot_tell_because: 'a port cannot be tested while its service is stopped',
      for: [],
      against: [],
    })
  })

  it('warns of what is not so yet', () => {
    const warned = { ...ruledOut('count_below_threshold', [evidence('50 clients')]), warning: 'soon' }
    const json = diagnosisJson(diagnosis({ forecastClients: 18 }, warned))
    expect(findingOf(json, 'count_below_threshold')).toMatchObject({ verdict: 'ruled_out', warning: 'soon' })
    expect(json).toMatchObject({ forecast_clients: 18 })
    expect(diagnosisJson(UNKNOWN)).toMatchObject({ forecast_clients: null })
  })

  it('says null where clients show no error of their own', () => {
    const json = diagnosisJson(diagnosis({}, named('exporter_clock_wrong', [])))
    expect(findingOf(json, 'exporter_clock_wrong')).toMatchObject({ client_error: null })
  })

  it('has the clock in seconds', () => {
    const { clock } = diagnosisJson(HEALTHY) as {
      clock: { drift_seconds: number; uncertainty_seconds: number }
    }
    expect(clock.drift_seconds).toBeCloseTo(0.0012, 9)
    expect(clock.uncertainty_seconds).toBeCloseTo(0.0004, 9)
    expect(clock).toHaveProperty('sources', [{ source: 'ntp', agrees: true }])
  })
})

describe('a run as JSON', () => {
  it('has its reading, with Maps as objects', () => {
    const reading = srvReading([record('kms01.corp.example')])
    expect(resultJson(answered('srv', srvTarget, reading))).toEqual({
      probe: 'srv',
      target: 'corp.example @ 192.0.2.53:53',
      started_at: '2027-01-15T07:59:59.500Z',
      ended_at: '2027-01-15T08:00:00.000Z',
      duration_seconds: 0.5,
      stages: [{ stage: 'connect', seconds: 0.25 }],
      reading: {
        ...reading,
        targets: { 'kms01.corp.example': { addresses: ['192.0.2.10'], alias: false } },
      },
    })
  })

  it('or the reason why there is none, and never both', () => {
    expect(resultJson(failed('port', portTarget))).toEqual({
      probe: 'port',
      target: 'kms01.corp.example',
      started_at: '2027-01-15T07:59:59.500Z',
      ended_at: '2027-01-15T08:00:00.000Z',
      duration_seconds: 0.5,
      stages: [{ stage: 'connect', seconds: 0.25 }],
      failure: { stage: 'connect', reason: 'connect_timeout', detail: 'nobody is there' },
    })
  })

  it('takes a Map in any depth, and a key by any name', () => {
    const inner = new Map([['__proto__', [new Map([[1, true]])]]])
    const json = resultJson(answered('port', portTarget, { inner, nothing: null }))
    expect(JSON.stringify(json)).toContain('"reading":{"inner":{"__proto__":[{"1":true}]},"nothing":null}')
  })
})

describe('the hosts as JSON', () => {
  const domain = (over: Partial<DomainView> = {}): DomainView => ({
    name: 'corp.example',
    consistent: true,
    results: [answered('srv', srvTarget, srvReading([], { rcode: 'NXDOMAIN' })), failed('srv', srvTarget)],
    ...over,
  })

  it('have a line each, and the domains every resolver', () => {
    const json = hostsJson(
      snapshot({ hosts: [view(HEALTHY), view(STOPPED), view(UNKNOWN)], domains: [domain()] }),
    )
    expect(json).toMatchObject({
      at: '2027-01-15T08:00:00.000Z',
      hosts: [
        {
          host: 'kms01.corp.example',
          port: 1688,
          discovered: false,
          serving: true,
          since: '2027-01-15T07:00:00.000Z',
          causes: [],
        },
        { serving: false, causes: ['service_stopped'] },
        { serving: null, causes: [] },
      ],
      domains: [
        {
          domain: 'corp.example',
          consistent: true,
          resolvers: [
            {
              client_error: '0x8007232B',
              findings: [{ kind: 'no_record' }, { kind: 'missing_target', subject: 'kms01.corp.example' }],
            },
            { failure: { reason: 'connect_timeout' } },
          ],
        },
      ],
      nothing_found: null,
    })
    expect(Object.keys(json)).toEqual(['at', 'hosts', 'domains', 'clients', 'nothing_found'])
  })

  it('say null of what is not known', () => {
    const json = hostsJson(
      snapshot({ domains: [domain({ consistent: undefined })], nothingFound: 'Nothing.\n  At all.' }),
    )
    expect(json).toMatchObject({ domains: [{ consistent: null }], nothing_found: 'Nothing.\n  At all.' })
  })

  it('have every canary, asked or not', () => {
    const client = first(probes.client.targets(all))
    const json = hostsJson(
      snapshot({
        clients: [
          { name: 'pc1.corp.example', result: answered('client', client, canaryReading()) },
          { name: 'pc2.corp.example', result: undefined },
        ],
      }),
    )
    expect(json).toMatchObject({
      clients: [
        { client: 'pc1.corp.example', last_run: { probe: 'client', reading: { licenseStatus: 'licensed' } } },
        { client: 'pc2.corp.example', last_run: null },
      ],
    })
  })

  it('in detail have since and results besides', () => {
    const json = hostJson(
      view(HEALTHY, [answered('clock', first(probes.clock.targets(all)), clockReading(around(1)))]),
    )
    expect(Object.keys(json)).toEqual([...HEAD, 'since', 'results'])
    expect(json).toMatchObject({ since: '2027-01-15T07:00:00.000Z', results: [{ probe: 'clock' }] })
  })
})

describe('hostile text in JSON', () => {
  it('is harmless on a terminal too, keys included', () => {
    const said = evidence(HOSTILE, HOSTILE)
    const sick = diagnosis(
      { host: host({ name: HOSTILE, labels: { a: HOSTILE } }), domains: [HOSTILE] },
      named('srv_missing', [said], [said]),
      cannotTell('clock_skew', HOSTILE),
    )
    const target = { ...srvTarget, key: HOSTILE }
    const canary = canaryReading({ kms: { host: HOSTILE, port: 1, discoveredBy: 'configured' } })
    const clients = [{ name: HOSTILE, result: answered('client', first(probes.client.targets(all)), canary) }]
    const answer = srvReading([record(HOSTILE)], { rcode: HOSTILE })
    const srv = [answered('srv', target, answer), failed('srv', target, HOSTILE)]
    const hosts = hostsJson(
      snapshot({
        hosts: [view(sick)],
        domains: [{ name: HOSTILE, consistent: false, results: srv }],
        clients,
      }),
    )
    for (const json of [hosts, hostJson(view(sick, srv))]) {
      const text = JSON.stringify(json, null, 2)
      expect(text).not.toMatch(HARMFUL)
      expect(text).not.toMatch(/\\u(?!fffd)/)
      expect(text).toContain('<script>')
      expect(JSON.parse(text)).toEqual(json)
    }
  })
})
