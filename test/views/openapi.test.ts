// docs/openapi.yaml against what is really answered: every route, every status, and the JSON of every kind of diagnosis
// and run, by a validator that knows the keywords that the document uses and trips over any other.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { CLOCK_SOURCES } from '../../src/config/schema.ts'
import { CAUSE_NAMES, CAUSES } from '../../src/diagnosis/causes.ts'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import { cannotTell, named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { CLIENT_ERRORS } from '../../src/kms/error-codes.ts'
import { SRV_FINDINGS } from '../../src/kms/srv.ts'
import { REASONS } from '../../src/model/failure.ts'
import type { Result } from '../../src/model/result.ts'
import { probes } from '../../src/probes/index.ts'
import { LICENSE_STATUSES } from '../../src/probes/licensing.ts'
import { LISTENERS } from '../../src/probes/port.ts'
import { SERVICE_STATES, START_MODES } from '../../src/probes/windows-facts.ts'
import { createApp } from '../../src/server/http.ts'
import { silentLog } from '../../src/model/log.ts'
import { hostJson, hostsJson } from '../../src/views/json.ts'
import {
  activityReading,
  around,
  asleep,
  canaryReading,
  clockReading,
  closed,
  eventLog,
  kms,
  licensingReading,
  product,
  record,
  srvReading,
  tell,
} from '../diagnosis/scene.ts'
import { ask, fakeDaemon, OPTIONS, serve } from '../server/serve.ts'
import {
  answered,
  AT,
  diagnosis,
  estate,
  evidence,
  EVERYTHING,
  failed,
  first,
  HEALTHY,
  snapshot,
  STOPPED,
  UNKNOWN,
  view,
} from './scenes.ts'

interface Schema {
  readonly $ref?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly oneOf?: readonly Schema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
}

interface Reply {
  readonly $ref?: string
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
}

interface Document {
  readonly openapi: string
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { operationId: string; responses: Readonly<Record<string, Reply>> }>>
    >
  >
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>
    readonly responses: Readonly<Record<string, Reply>>
  }
}

const TEXT = readFileSync(fileURLToPath(new URL('../../docs/openapi.yaml', import.meta.url)), 'utf8')
const document = parse(TEXT) as Document
const { schemas, responses } = document.components

const KEYWORDS =
  '$ref description type format enum const required properties additionalProperties items oneOf minimum maximum exclusiveMinimum'.split(
    ' ',
  )

function lookUp<T>(table: Readonly<Record<string, T>>, kind: string, ref: string): T {
  const found = table[ref.replace(`#/components/${kind}/`, '')]
  if (found === undefined) throw new Error(`${ref} leads nowhere`)
  return found
}

function typeOf(value: unknown): readonly string[] {
  if (value === null) return ['null']
  if (Array.isArray(value)) return ['array']
  if (typeof value === 'number') return Number.isInteger(value) ? ['number', 'integer'] : ['number']
  return [typeof value]
}

/** What is wrong with `value`, as `path: fault`. Stricter than the standard: keys that are not described are faults. */
function faults(value: unknown, schema: Schema, path = ''): readonly string[] {
  const strange = Object.keys(schema).filter((keyword) => !KEYWORDS.includes(keyword))
  if (strange.length > 0) throw new Error(`${path}: the validator does not know ${strange.join(', ')}`)
  if (schema.$ref !== undefined) return faults(value, lookUp(schemas, 'schemas', schema.$ref), path)
  if (schema.oneOf !== undefined) {
    const all = schema.oneOf.map((one) => faults(value, one, path))
    const fitting = all.filter((some) => some.length === 0).length
    return fitting === 1 ? [] : [`${path}: ${fitting} of ${all.length} alternatives fit`, ...all.flat()]
  }
  const wrong: string[] = []
  const check = (fine: boolean, fault: string): void => void (fine || wrong.push(`${path}: ${fault}`))
  const types = schema.type === undefined ? [] : [schema.type].flat()
  check(
    types.length === 0 || types.some((type) => typeOf(value).includes(type)),
    `is no ${types.join(' or ')}`,
  )
  check(schema.enum?.includes(value) ?? true, `${JSON.stringify(value)} is not in the enumeration`)
  check(!('const' in schema) || schema.const === value, `${JSON.stringify(value)} is not the constant`)
  if (schema.format === 'date-time')
    check(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(String(value)), 'is no date-time')
  if (typeof value === 'number') {
    check(value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity), 'is out of range')
    check(value > (schema.exclusiveMinimum ?? -Infinity), 'is out of range')
  }
  if (Array.isArray(value)) {
    const { items } = schema
    if (items === undefined) check(false, 'has undescribed items')
    else wrong.push(...value.flatMap((each, index) => faults(each, items, `${path}/${index}`)))
  } else if (typeof value === 'object' && value !== null) {
    for (const key of schema.required ?? []) check(Object.hasOwn(value, key), `lacks ${key}`)
    for (const [key, each] of Object.entries(value)) {
      const described = schema.properties?.[key] ?? schema.additionalProperties
      if (described === undefined) check(false, `has ${key}, which is not described`)
      else wrong.push(...faults(each, described, `${path}/${key}`))
    }
  }
  return wrong
}

const asSent = (json: object): unknown => JSON.parse(JSON.stringify(json))
const schemaOf = (name: string): Schema => lookUp(schemas, 'schemas', name)

describe('the enumerations', () => {
  it.each([
    ['Cause', CAUSE_NAMES],
    ['Reason', REASONS],
    ['ClientErrorCode', Object.keys(CLIENT_ERRORS)],
    ['SrvFindingKind', Object.keys(SRV_FINDINGS)],
    ['ServiceState', SERVICE_STATES],
    ['ProbeName', Object.keys(probes)],
    ['StartMode', START_MODES],
    ['LicenseStatus', LICENSE_STATUSES],
  ])('%s is the table of the code', (name, table) => {
    expect(schemaOf(name).enum).toEqual([...table])
  })

  it('within others are, too', () => {
    const address = schemaOf('PortReading').properties?.['addresses']?.items?.properties
    expect(address?.['listener']?.enum).toEqual([...LISTENERS])
    expect(new Set(schemaOf('ClockSource').enum)).toEqual(new Set([...CLOCK_SOURCES, 'windows_exporter']))
  })
})

const all = estate(EVERYTHING)
const target = {
  port: first(probes.port.targets(all)),
  srv: first(probes.srv.targets(all)),
  service: first(probes.service.targets(all)),
  clock: first(probes.clock.targets(all)),
  reference: first(probes.reference.targets(all)),
  licensing: first(probes.licensing.targets(all)),
  activity: first(probes.activity.targets(all)),
  client: first(probes.client.targets(all)),
}

/** Everything that an activity reading may have. */
const busy = activityReading({
  lastMismatchSeconds: AT,
  lastWrongProductSeconds: AT,
  lastUnclearRefusalSeconds: AT,
  dnsPublishing: [
    { domain: 'corp.example', success: true, atSeconds: AT, code: undefined },
    { domain: 'lab.example', success: false, atSeconds: AT, code: '0x80072338' },
  ],
  lastInitFailure: { atSeconds: AT, code: '0x80070005' },
  lastTimerFailure: { atSeconds: AT, code: '0x80070005' },
})
const quiet = activityReading({
  requests: [],
  lastRequestSeconds: undefined,
  earliestExpirySeconds: undefined,
  logs: [eventLog({ records: undefined, sizeBytes: undefined, mostBytes: undefined, overwrites: undefined })],
})
const windowsRuns: readonly Result[] = [
  answered(
    'licensing',
    target.licensing,
    licensingReading(
      { products: [product({ licenseReason: '0xC004F009', graceSeconds: 60 })] },
      {
        publishList: [{ domain: 'lab.example', priority: 0, weight: 10 }],
        clock: [{ source: 'cim', offset: around(1) }],
      },
    ),
  ),
  answered('licensing', target.licensing, { ...asleep, os: undefined }),
  failed('licensing', target.licensing),
  answered('activity', target.activity, busy),
  answered('activity', target.activity, quiet),
]
const canaryRuns = [
  answered('client', target.client, canaryReading()),
  answered(
    'client',
    target.client,
    canaryReading({
      licenseStatus: 'notification',
      licenseReason: '0xC004F074',
      kms: { host: '', port: undefined, discoveredBy: 'active_directory' },
      lastActivation: undefined,
      eventsReadable: false,
      os: undefined,
      clientOs: undefined,
    }),
  ),
  failed('client', target.client),
]

const srvResults = [
  answered(
    'srv',
    target.srv,
    srvReading([record('kms02.corp.example'), record('.', { port: 0 })], {
      targets: new Map([
        ['kms02.corp.example', { addresses: [], alias: true, failure: 'resolve_nodata' as const }],
        ['kms01.corp.example', { addresses: ['192.0.2.10'], alias: false }],
      ]),
    }),
  ),
  answered('srv', target.srv, srvReading([], { rcode: 'SERVFAIL', misspelt: true })),
  failed('srv', target.srv),
]

const runs: readonly Result[] = [
  answered('port', target.port, {
    addresses: [
      kms,
      closed('connect_refused'),
      { ...kms, inDns: undefined, expected: true, listener: 'silent' },
    ],
    resolveFailure: { reason: 'resolve_timeout', detail: 'silence' },
  }),
  ...srvResults,
  answered('service', target.service, {
    state: 'start_pending',
    source: 'windows_exporter',
    startMode: 'auto',
    os: {
      caption: 'Windows Server',
      build: 20_348,
      ubr: 1,
      ubrSource: 'kernel_file',
      productType: undefined,
    },
    clock: [{ source: 'windows_exporter', offset: around(1) }],
  }),
  answered('service', target.service, {
    state: 'stopped',
    source: 'winrm',
    startMode: 'disabled',
    exitCode: 1,
    processStartSeconds: AT,
    os: undefined,
    clock: [],
  }),
  ...windowsRuns,
  answered('clock', target.clock, {
    ...clockReading(around(1), around(-2)),
    failures: [{ source: 'ntp', reason: 'timeout', detail: 'silence' }],
  }),
  answered('reference', target.reference, { address: '192.0.2.123', offset: around(0) }),
  ...REASONS.map((reason) => {
    const { failure, ...run } = failed('port', target.port)
    return { ...run, failure: { ...failure, reason } }
  }),
]

/** One for each cause, and what the rules make of some stories. */
const diagnoses = [
  HEALTHY,
  STOPPED,
  UNKNOWN,
  ...CAUSE_NAMES.map((cause) => {
    const code = CAUSES[cause].clientError
    return diagnosis(
      { clientErrors: code === undefined ? [] : [{ cause, code }] },
      named(cause, [evidence('for')], [evidence('against')]),
    )
  }),
  diagnosis(
    {},
    ruledOut('srv_stale', [evidence('against')]),
    cannotTell('clock_skew', 'why', { for: [evidence('for')] }),
    { ...ruledOut('count_below_threshold', [evidence('against')]), warning: 'soon' },
  ),
  diagnosis({ forecastClients: 18, service: { state: 'running', source: 'winrm' } }),
  diagnose(tell({})),
  diagnose(
    tell({
      yaml: EVERYTHING,
      port: [kms],
      clock: clockReading(around(0.1), around(0.2)),
      srv: [srvReading([])],
      service: 'running',
    }),
  ),
  diagnose(
    tell({ port: [closed('connect_timeout')], clock: clockReading(around(20_000), around(1), around(-9)) }),
  ),
]

describe('what is answered', () => {
  it('about one host is as described, whatever the diagnosis and the runs', () => {
    for (const each of diagnoses)
      expect(faults(asSent(hostJson(view(each, runs))), schemaOf('Host'))).toEqual([])
  })

  it('about all hosts is as described', () => {
    const domain = { name: 'corp.example', results: srvResults }
    for (const nothingFound of [undefined, 'Nothing.']) {
      const json = hostsJson(
        snapshot({
          hosts: diagnoses.map((each) => view(each)),
          domains: [true, false, undefined].map((consistent) => ({ ...domain, consistent })),
          clients: [undefined, ...canaryRuns].map((result) => ({ name: 'pc1.corp.example', result })),
          nothingFound,
        }),
      )
      expect(faults(asSent(json), schemaOf('Hosts'))).toEqual([])
    }
  })

  it.each([
    ['a key that is missing', { serving: undefined }, ': lacks serving'],
    ['a key too many', { colour: 'red' }, ': has colour, which is not described'],
    [
      'a word that is not in the table',
      { causes: ['witchcraft'] },
      '/causes/0: "witchcraft" is not in the enumeration',
    ],
    ['another type', { port: '1688' }, '/port: is no integer'],
    ['a number out of range', { port: 70_000 }, '/port: is out of range'],
    ['a time that is none', { since: 'yesterday' }, '/since: is no date-time'],
    ['an object where there should be none', { serving: {} }, '/serving: is no boolean or null'],
    [
      'a constant',
      { service: { state: 'running', source: 'rumour' } },
      '/service/source: "rumour" is not in the enumeration',
    ],
  ])('otherwise would be noticed: %s', (_what, change, fault) => {
    const json = asSent({ ...hostJson(view(HEALTHY)), ...change })
    expect(faults(json, schemaOf('Host'))).toContain(fault)
  })

  it('with a reading of no probe would be noticed', () => {
    const json = asSent(hostJson(view(HEALTHY, [answered('port', target.port, { mood: 'good' })])))
    expect(faults(json, schemaOf('Host'))).toContain('/results/0/reading: 0 of 8 alternatives fit')
  })
})

describe('the paths', () => {
  /** For people, and no interface. */
  const PAGES = [
    '/',
    '/style.css',
    '/page.js',
    '/icon.svg',
    '/hosts/{name}',
    '/runbooks',
    '/runbooks/{slug}',
    '/config',
  ]

  interface Layer {
    readonly handle?: { readonly stack?: readonly Layer[] }
    readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> }
  }

  function routesOf(layers: readonly Layer[]): readonly (readonly [string, readonly string[]])[] {
    return layers.flatMap(({ handle, route }) => {
      if (route === undefined) return routesOf(handle?.stack ?? [])
      return [[route.path.replaceAll(/:(\w+)/g, '{$1}'), Object.keys(route.methods)] as const]
    })
  }

  it('are those of the router, and their methods those that it takes', () => {
    const app: { readonly router: unknown } = createApp(fakeDaemon(), OPTIONS, silentLog)
    const { stack } = app.router as { readonly stack: readonly Layer[] }
    const routes = routesOf(stack).filter(([path]) => !PAGES.includes(path))
    expect(routes.map(([path]) => path).toSorted()).toEqual(Object.keys(document.paths).toSorted())
    expect(routesOf(stack)).toHaveLength(routes.length + PAGES.length)
    for (const [path, methods] of routes)
      expect([path, methods.filter((method) => method !== '_all')]).toEqual([
        path,
        Object.keys(document.paths[path] ?? {}),
      ])
  })

  it('are version 3.1, each operation with a name of its own', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/)
    const ids = Object.values(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each([
    ['get', '/api/v1/hosts', '/api/v1/hosts', '200'],
    ['get', '/api/v1/hosts/{name}', '/api/v1/hosts/kms01.corp.example', '200'],
    ['get', '/api/v1/hosts/{name}', '/api/v1/hosts/nobody', '404'],
    ['get', '/api/v1/hosts/{name}', '/api/v1/hosts/%zz', '400'],
    ['get', '/sd/hosts', '/sd/hosts', '200'],
    ['get', '/sd/windows_exporter', '/sd/windows_exporter', '200'],
    ['get', '/probe', '/probe?target=kms01.corp.example', '200'],
    ['get', '/probe', '/probe', '400'],
    ['get', '/probe', '/probe?target=nobody', '403'],
    ['get', '/metrics', '/metrics', '200'],
    ['get', '/-/healthy', '/-/healthy', '200'],
    ['get', '/-/ready', '/-/ready', '200'],
    ['post', '/-/reload', '/-/reload', '403'],
    ['put', '/-/reload', '/-/reload', '403'],
  ])('%s %s answers as described: %s, %s', async (method, path, asked, status) => {
    await holds(await serve(fakeDaemon()), method, path, asked, status)
  })

  it.each([
    ['get', '/sd/hosts', '503'],
    ['get', '/sd/windows_exporter', '503'],
    ['get', '/-/ready', '503'],
    ['post', '/-/reload', '200'],
    ['put', '/-/reload', '500'],
  ])('%s %s answers as described, otherwise: %s', async (method, path, status) => {
    const site = await serve(fakeDaemon({ phase: 'stopping' }), {
      enableLifecycle: true,
      reload: async () => (status === '500' ? 'it is wrong' : undefined),
    })
    await holds(site, method, path, path, status)
  })

  async function holds(
    site: { readonly port: number },
    method: string,
    path: string,
    asked: string,
    status: string,
  ) {
    const answer = await ask(site, asked, { method: method.toUpperCase() })
    expect(String(answer.status)).toBe(status)
    const reply = document.paths[path]?.[method]?.responses[status]
    const { content = {} } =
      reply?.$ref === undefined ? (reply ?? {}) : lookUp(responses, 'responses', reply.$ref)
    const type = answer.headers['content-type'] ?? 'none'
    const schema = (content[type] ?? content[type.replace('; charset=utf-8', '')])?.schema
    if (schema === undefined) throw new Error(`${path} ${status}: ${type} is not described`)
    expect(
      faults(type.startsWith('application/json') ? JSON.parse(answer.text) : answer.text, schema),
    ).toEqual([])
  }
})
