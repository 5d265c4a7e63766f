// What is right and wrong about an SRV answer: one row a finding.
import { describe, expect, it } from 'vitest'
import { CLIENT_ERRORS, clientErrorOfLookup } from '../../src/kms/error-codes.ts'
import { checkSrv, clientErrorOf, isWhole, recordSet, SRV_FINDINGS, tellable } from '../../src/kms/srv.ts'
import type { SrvExpectation, SrvFindingKind, SrvTargetLookup } from '../../src/kms/srv.ts'
import { record, srvReading } from '../diagnosis/scene.ts'

const A = 'kms01.corp.example'
const B = 'kms02.corp.example'
const anything: SrvExpectation = { expect: [], exact: false, addresses: new Map() }

function expecting(...expect: SrvExpectation['expect']): SrvExpectation {
  return { ...anything, expect, exact: true }
}

function target(lookup: Partial<SrvTargetLookup>): ReadonlyMap<string, SrvTargetLookup> {
  return new Map([[A, { addresses: [], alias: false, ...lookup }]])
}

type Row = readonly [string, ReturnType<typeof srvReading>, SrvExpectation, readonly SrvFindingKind[]]

const rows: readonly Row[] = [
  [
    'a correct answer',
    srvReading([record(A), record(B)]),
    expecting({ target: A }, { target: B, port: 1688, priority: 0, weight: 0 }),
    [],
  ],
  [
    'a correct answer in another order',
    srvReading([record(B), record(A)]),
    expecting({ target: A }, { target: B }),
    [],
  ],
  ['no such name', srvReading([], { rcode: 'NXDOMAIN' }), anything, ['no_record']],
  [
    'no such name where a host is expected',
    srvReading([], { rcode: 'NXDOMAIN' }),
    expecting({ target: A }),
    ['no_record', 'missing_target'],
  ],
  [
    'a record under the misspelt name',
    srvReading([], { rcode: 'NXDOMAIN', misspelt: true }),
    anything,
    ['no_record', 'misspelt_owner_name'],
  ],
  ['no record where none is wanted', srvReading([], { rcode: 'NXDOMAIN' }), expecting(), []],
  ['any record where none is wanted', srvReading([record(A)]), expecting(), ['unexpected_target']],
  [
    'one of two missing',
    srvReading([record(A)]),
    expecting({ target: A }, { target: B }),
    ['missing_target'],
  ],
  [
    'one that nobody expects',
    srvReading([record(A), record(B)]),
    expecting({ target: A }),
    ['unexpected_target'],
  ],
  [
    'one that nobody listed, where lists are not complete',
    srvReading([record(A), record(B)]),
    { ...expecting({ target: A }), exact: false },
    [],
  ],
  [
    'another port',
    srvReading([record(A, { port: 1689 })]),
    expecting({ target: A, port: 1688 }),
    ['wrong_port'],
  ],
  [
    'another priority',
    srvReading([record(A, { priority: 5 })]),
    expecting({ target: A, priority: 0 }),
    ['wrong_priority'],
  ],
  [
    'another weight',
    srvReading([record(A, { weight: 5 })]),
    expecting({ target: A, weight: 0 }),
    ['wrong_weight'],
  ],
  [
    'any port will do where none is expected',
    srvReading([record(A, { port: 1700 })]),
    expecting({ target: A }),
    [],
  ],
  ['the root as target', srvReading([record('.')], { targets: new Map() }), anything, ['null_target']],
  ['an address as target', srvReading([record('192.0.2.1')]), anything, ['target_is_address']],
  ['a single label as target', srvReading([record('kms01')]), anything, ['target_not_fqdn']],
  [
    'a target that DNS does not know',
    srvReading([record(A)], { targets: target({ failure: 'resolve_nxdomain' }) }),
    anything,
    ['target_unresolvable'],
  ],
  [
    'a target without an address',
    srvReading([record(A)], { targets: target({ failure: 'resolve_nodata' }) }),
    anything,
    ['target_unresolvable'],
  ],
  [
    'a target that was not answered is no finding',
    srvReading([record(A)], { targets: target({ failure: 'resolve_timeout' }) }),
    anything,
    [],
  ],
  [
    'an alias as target',
    srvReading([record(A)], { targets: target({ addresses: ['192.0.2.10'], alias: true }) }),
    anything,
    ['target_is_alias'],
  ],
  [
    'another address than configured',
    srvReading([record(A)], { targets: target({ addresses: ['192.0.2.99'] }) }),
    { ...anything, addresses: new Map([[A, ['192.0.2.10']]]) },
    ['address_mismatch'],
  ],
  [
    'the configured addresses in another order',
    srvReading([record(A)], { targets: target({ addresses: ['192.0.2.2', '192.0.2.1'] }) }),
    { ...anything, addresses: new Map([[A, ['192.0.2.1', '192.0.2.2']]]) },
    [],
  ],
  ['the same record twice', srvReading([record(A), record(A)]), anything, ['duplicate_record']],
  ['the same target at two ports', srvReading([record(A), record(A, { port: 1689 })]), anything, []],
  ['a TTL of nothing', srvReading([record(A, { ttlSeconds: 0 })]), anything, ['ttl_out_of_range']],
  ['a TTL of two days', srvReading([record(A, { ttlSeconds: 172_800 })]), anything, ['ttl_out_of_range']],
  ['a TTL of a day', srvReading([record(A, { ttlSeconds: 86_400 })]), anything, []],
  [
    'weight 0 beside 10 at one priority',
    srvReading([record(A), record(B, { weight: 10 })]),
    anything,
    ['zero_weight_among_others'],
  ],
  [
    'weight 0 beside 10 at another priority',
    srvReading([record(A), record(B, { weight: 10, priority: 1 })]),
    anything,
    [],
  ],
  [
    'too large for UDP, and no TCP',
    srvReading([record(A)], { truncatedWithoutTcp: true }),
    anything,
    ['truncated_without_tcp'],
  ],
]

describe('an SRV answer', () => {
  it.each(rows)('%s', (_sentence, reading, expectation, kinds) => {
    const findings = checkSrv(reading, expectation)
    expect(findings.map(({ kind }) => kind).toSorted()).toEqual([...kinds].toSorted())
    for (const { kind, severity, says } of findings) {
      expect(severity).toBe(SRV_FINDINGS[kind][0])
      expect(says).toContain(SRV_FINDINGS[kind][1])
    }
  })

  it('every finding has a row', () => {
    const shown = new Set(rows.flatMap(([, , , kinds]) => kinds))
    expect(Object.keys(SRV_FINDINGS).filter((kind) => !shown.has(kind as SrvFindingKind))).toEqual([])
  })

  it('what there is nothing to compare with is not told', () => {
    const kinds = tellable(srvReading([record(A)]), anything)
    for (const kind of [
      'missing_target',
      'unexpected_target',
      'wrong_port',
      'wrong_priority',
      'wrong_weight',
      'address_mismatch',
    ] as const) {
      expect(kinds.has(kind), kind).toBe(false)
    }
    expect(kinds.has('no_record')).toBe(true)
    expect(tellable(srvReading([record(A)]), expecting({ target: A, port: 1688 }))).toContain('wrong_port')
    expect(tellable(srvReading([record(A)]), expecting({ target: A }))).toContain('unexpected_target')
  })

  it('two answers are the same whatever their order and TTL', () => {
    const one = recordSet([record(A), record(B, { ttlSeconds: 5 })])
    expect(recordSet([record(B), record(A, { ttlSeconds: 9 }), record(A)])).toBe(one)
    expect(recordSet([record(B), record(A, { port: 1689 })])).not.toBe(one)
    expect(recordSet([record(B)])).not.toBe(one)
  })
})

describe('a whole answer', () => {
  it('has all records, over UDP or TCP', () => {
    expect(isWhole(srvReading([record(A)]))).toBe(true)
    expect(isWhole(srvReading([record(A)], { recordCount: 65 }))).toBe(false)
    expect(isWhole(srvReading([record(A)], { truncatedWithoutTcp: true }))).toBe(false)
  })
})

describe('an answer that is cut off', () => {
  const cut = srvReading([], { truncatedWithoutTcp: true })
  const long = srvReading([record(A)], { recordCount: 99 })

  it('says nothing about what is missing', () => {
    expect(checkSrv(cut, expecting({ target: A })).map(({ kind }) => kind)).toEqual(['truncated_without_tcp'])
    expect(checkSrv(long, { ...expecting({ target: B }), exact: false })).toEqual([])
    for (const answer of [cut, long]) {
      expect(tellable(answer, expecting({ target: A }))).not.toContain('missing_target')
      expect(tellable(answer, expecting({ target: A }))).not.toContain('no_record')
    }
    expect(clientErrorOf(cut)).toBeUndefined()
  })

  it('and neither does a referral', () => {
    expect(clientErrorOf(srvReading([], { referral: true }))).toBeUndefined()
  })
})

describe('what a client shows', () => {
  it.each([
    ['NXDOMAIN', srvReading([], { rcode: 'NXDOMAIN' }), '0x8007232B'],
    ['SERVFAIL', srvReading([], { rcode: 'SERVFAIL' }), '0x8007232A'],
    ['REFUSED', srvReading([], { rcode: 'REFUSED' }), '0x8007232D'],
    ['no record of the type', srvReading([]), '0x8007251D'],
    ['the root as the only target', srvReading([record('.')], { targets: new Map() }), '0x8007251D'],
    [
      'no target resolves',
      srvReading([record(A)], { targets: target({ failure: 'resolve_nxdomain' }) }),
      '0xC004F074',
    ],
    [
      'one target resolves',
      srvReading([record(A), record(B)], {
        targets: new Map([
          [A, { addresses: [], alias: false }],
          [B, { addresses: ['192.0.2.1'], alias: false }],
        ]),
      }),
      undefined,
    ],
    [
      'the only target could not be asked for: not known',
      srvReading([record(A)], { targets: target({ failure: 'resolve_timeout' }) }),
      undefined,
    ],
    [
      'the only target fails at its server',
      srvReading([record(A)], { targets: target({ failure: 'resolve_servfail' }) }),
      '0xC004F074',
    ],
    ['a usable answer', srvReading([record(A)]), undefined],
    ['an rcode without a known code', srvReading([], { rcode: 'BADVERS' }), undefined],
  ])('%s', (_sentence, reading, code) => {
    expect(clientErrorOf(reading)).toBe(code)
  })

  it('the codes of rcodes follow HRESULT_FROM_WIN32(9000 + rcode)', () => {
    // RFC 1035 4.1.1 numbers the rcodes; 9000 is DNS_ERROR_RESPONSE_CODES_BASE in winerror.h.
    for (const [rcode, number] of [
      ['FORMERR', 1],
      ['SERVFAIL', 2],
      ['NXDOMAIN', 3],
      ['NOTIMP', 4],
      ['REFUSED', 5],
    ] as const) {
      const code = clientErrorOfLookup(rcode, 0)
      expect(Number(code)).toBe(0x80070000 + 9000 + number)
      expect(code && CLIENT_ERRORS[code].code).toBe(code)
    }
    expect(Number(clientErrorOfLookup('NOERROR', 0))).toBe(0x80070000 + 9501)
  })
})
