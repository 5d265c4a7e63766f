// What the SRV probe is asked about: master files (RFC 1035 5.1), and beside each what must be said about it. Nothing here
// is particular to one DNS server; what only one of them does is in the tests.
import type { ResultOf } from '../../src/probes/index.ts'
import type { Zones } from './servers/bind.ts'

export interface Scene {
  /** The domain, and all the zone that it has, without its head; undefined: the servers have no such zone. */
  readonly domain: string
  readonly zone?: string
  /** YAML of the domain's other keys. */
  readonly configured?: string
  /** YAML of hosts that the configuration knows. */
  readonly hosts?: string
  /** Kind and subject of all that must be found. */
  readonly findings: readonly string[]
  readonly clientError?: string
  /** What the reading holds, among other things. */
  readonly reading: Partial<NonNullable<ResultOf<'srv'>['reading']>>
}

export const HEAD = '$TTL 3600\n@ IN SOA ns hostmaster 1 3600 600 86400 300\n@ IN NS ns\nns IN A 127.0.0.1\n'
const NO_ZONE = 'this is no zone\n'

function record(
  target: string,
  more: Partial<NonNullable<ResultOf<'srv'>['reading']>['records'][number]> = {},
) {
  return { target, port: 1688, priority: 0, weight: 0, ttlSeconds: 3600, ...more }
}

/** Lines numbered from 100. */
function numbered(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => `${line(index + 100)}\n`).join('')
}

export const SCENES: readonly Scene[] = [
  {
    domain: 'correct.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\nkms01 AAAA 2001:db8::10\n',
    configured: 'expect: [{ target: kms01.correct.example, port: 1688, priority: 0, weight: 0 }]',
    hosts: '{ name: kms01.correct.example, addresses: [192.0.2.10, "2001:DB8:0::10"] }',
    findings: [],
    reading: {
      rcode: 'NOERROR',
      authoritative: true,
      referral: false,
      overTcp: false,
      records: [record('kms01.correct.example')],
      targets: new Map([
        ['kms01.correct.example', { addresses: ['192.0.2.10', '2001:db8::10'], alias: false }],
      ]),
    },
  },
  {
    domain: 'nxdomain.example',
    zone: 'kms01 A 192.0.2.10\n',
    configured: 'expect: [kms01.nxdomain.example]',
    findings: ['no_record', 'missing_target kms01.nxdomain.example'],
    clientError: '0x8007232B',
    reading: { rcode: 'NXDOMAIN', authoritative: true, records: [], misspelt: false, targets: new Map() },
  },
  {
    domain: 'nodata.example',
    zone: '_vlmcs._tcp TXT "moved"\n',
    findings: ['no_record'],
    clientError: '0x8007251D',
    reading: { rcode: 'NOERROR', authoritative: true, referral: false, records: [] },
  },
  {
    domain: 'empty-non-terminal.example',
    zone: 'below._vlmcs._tcp SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: ['no_record'],
    clientError: '0x8007251D',
    reading: { rcode: 'NOERROR', referral: false, records: [] },
  },
  {
    domain: 'servfail.example',
    zone: NO_ZONE,
    findings: ['no_record'],
    clientError: '0x8007232A',
    reading: { rcode: 'SERVFAIL', records: [], misspelt: false },
  },
  {
    domain: 'refused.example',
    findings: ['no_record'],
    clientError: '0x8007232D',
    reading: { rcode: 'REFUSED', authoritative: false, records: [], misspelt: false },
  },
  {
    // Sent elsewhere: what a client would be told there is not known.
    domain: 'delegated.parent.example',
    findings: ['no_record'],
    reading: { rcode: 'NOERROR', authoritative: false, referral: true, records: [] },
  },
  {
    domain: 'misspelt.example',
    zone: '_v1mcs._tcp SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: ['no_record', 'misspelt_owner_name'],
    clientError: '0x8007232B',
    reading: { rcode: 'NXDOMAIN', records: [], misspelt: true },
  },
  {
    domain: 'both-spellings.example',
    zone: '_v1mcs._tcp SRV 0 0 1688 kms01\n_vlmcs._tcp SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: [],
    reading: { recordCount: 1, misspelt: false },
  },
  {
    domain: 'wildcard.example',
    zone: '*._tcp SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: [],
    reading: { rcode: 'NOERROR', records: [record('kms01.wildcard.example')] },
  },
  {
    domain: 'owner-alias.example',
    zone: '_vlmcs._tcp CNAME kms\nkms SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: [],
    reading: { rcode: 'NOERROR', records: [record('kms01.owner-alias.example')] },
  },
  {
    domain: 'owner-alias-to-nowhere.example',
    zone: '_vlmcs._tcp CNAME kms\n',
    findings: ['no_record'],
    clientError: '0x8007232B',
    reading: { rcode: 'NXDOMAIN', records: [] },
  },
  {
    domain: 'MixedCase.Example',
    zone: '_VLMCS._TCP SRV 0 0 1688 KMS01.MixedCASE.example.\nkms01 A 192.0.2.10\n',
    configured: 'expect: [Kms01.mixedcase.EXAMPLE]',
    hosts: '{ name: kms01.mixedcase.example, addresses: [192.0.2.10] }',
    findings: [],
    reading: {
      records: [record('kms01.mixedcase.example')],
      targets: new Map([['kms01.mixedcase.example', { addresses: ['192.0.2.10'], alias: false }]]),
    },
  },
  {
    domain: 'aaaa-only.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms01\nkms01 AAAA 2001:db8::10\n',
    hosts: '{ name: kms01.aaaa-only.example, addresses: ["2001:db8::10"] }',
    findings: [],
    reading: {
      targets: new Map([['kms01.aaaa-only.example', { addresses: ['2001:db8::10'], alias: false }]]),
    },
  },
  {
    domain: 'other-addresses.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\nkms01 A 192.0.2.11\n',
    hosts: '{ name: kms01.other-addresses.example, addresses: [192.0.2.10] }',
    findings: ['address_mismatch kms01.other-addresses.example'],
    reading: {
      targets: new Map([
        ['kms01.other-addresses.example', { addresses: ['192.0.2.10', '192.0.2.11'], alias: false }],
      ]),
    },
  },
  {
    domain: 'alias.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms\nkms CNAME next\nnext CNAME kms01\nkms01 A 192.0.2.10\n',
    findings: ['target_is_alias kms.alias.example'],
    reading: { targets: new Map([['kms.alias.example', { addresses: ['192.0.2.10'], alias: true }]]) },
  },
  {
    domain: 'alias-to-nowhere.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms\nkms CNAME gone\n',
    findings: [
      'target_is_alias kms.alias-to-nowhere.example',
      'target_unresolvable kms.alias-to-nowhere.example',
    ],
    clientError: '0xC004F074',
    reading: {
      targets: new Map([
        ['kms.alias-to-nowhere.example', { addresses: [], alias: true, failure: 'resolve_nxdomain' }],
      ]),
    },
  },
  {
    domain: 'null-target.example',
    zone: '_vlmcs._tcp SRV 0 0 0 .\n',
    findings: ['null_target .'],
    clientError: '0x8007251D',
    reading: { records: [record('.', { port: 0 })], targets: new Map() },
  },
  {
    domain: 'target-nxdomain.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 gone\n',
    findings: ['target_unresolvable gone.target-nxdomain.example'],
    clientError: '0xC004F074',
    reading: {
      targets: new Map([
        ['gone.target-nxdomain.example', { addresses: [], alias: false, failure: 'resolve_nxdomain' }],
      ]),
    },
  },
  {
    domain: 'target-nodata.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms01\nkms01 TXT "no address"\n',
    findings: ['target_unresolvable kms01.target-nodata.example'],
    clientError: '0xC004F074',
    reading: {
      targets: new Map([
        ['kms01.target-nodata.example', { addresses: [], alias: false, failure: 'resolve_nodata' }],
      ]),
    },
  },
  {
    // What a server does not tell is unknown, not absent.
    domain: 'target-not-told.example',
    zone: `_vlmcs._tcp SRV 0 0 1688 kms01.refused.example.
_vlmcs._tcp SRV 0 0 1688 kms01.servfail.example.
`,
    findings: [],
    clientError: '0xC004F074',
    reading: {
      targets: new Map([
        ['kms01.refused.example', { addresses: [], alias: false, failure: 'resolve_refused' }],
        ['kms01.servfail.example', { addresses: [], alias: false, failure: 'resolve_servfail' }],
      ]),
    },
  },
  {
    domain: 'one-of-two-resolves.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 gone\n_vlmcs._tcp SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: ['target_unresolvable gone.one-of-two-resolves.example'],
    reading: { recordCount: 2 },
  },
  {
    domain: 'single-label.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms01.\n',
    findings: ['target_not_fqdn kms01'],
    clientError: '0xC004F074',
    reading: {
      records: [record('kms01')],
      targets: new Map([['kms01', { addresses: [], alias: false, failure: 'resolve_refused' }]]),
    },
  },
  {
    domain: 'address-target.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 192.0.2.10.\n',
    findings: ['target_is_address 192.0.2.10'],
    clientError: '0xC004F074',
    reading: { records: [record('192.0.2.10')] },
  },
  {
    domain: 'wrong-numbers.example',
    zone: '_vlmcs._tcp SRV 10 5 1689 kms01\nkms01 A 192.0.2.10\n',
    configured: 'expect: [{ target: kms01.wrong-numbers.example, port: 1688, priority: 0, weight: 0 }]',
    findings: ['wrong_port', 'wrong_priority', 'wrong_weight'].map(
      (kind) => `${kind} kms01.wrong-numbers.example`,
    ),
    reading: { records: [record('kms01.wrong-numbers.example', { port: 1689, priority: 10, weight: 5 })] },
  },
  {
    domain: 'largest-numbers.example',
    zone: '_vlmcs._tcp 2147483647 SRV 65535 65535 65535 kms01\nkms01 A 192.0.2.10\n',
    findings: ['ttl_out_of_range kms01.largest-numbers.example'],
    reading: {
      records: [
        record('kms01.largest-numbers.example', {
          port: 65535,
          priority: 65535,
          weight: 65535,
          ttlSeconds: 2_147_483_647,
        }),
      ],
    },
  },
  {
    domain: 'ttl-0.example',
    zone: '_vlmcs._tcp 0 SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: ['ttl_out_of_range kms01.ttl-0.example'],
    reading: { records: [record('kms01.ttl-0.example', { ttlSeconds: 0 })] },
  },
  {
    domain: 'ttl-a-day.example',
    zone: '_vlmcs._tcp 86400 SRV 0 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: [],
    reading: { records: [record('kms01.ttl-a-day.example', { ttlSeconds: 86_400 })] },
  },
  {
    // One set of records cannot hold the very same twice (RFC 2181 5), but two that differ in priority alone.
    domain: 'duplicate.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms01\n_vlmcs._tcp SRV 1 0 1688 kms01\nkms01 A 192.0.2.10\n',
    findings: ['duplicate_record kms01.duplicate.example'],
    reading: { recordCount: 2 },
  },
  {
    domain: 'two-ports.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms01\n_vlmcs._tcp SRV 0 0 1689 kms01\nkms01 A 192.0.2.10\n',
    findings: [],
    reading: { recordCount: 2 },
  },
  {
    domain: 'zero-weight.example',
    zone: `_vlmcs._tcp SRV 0 0 1688 kms01
_vlmcs._tcp SRV 0 10 1688 kms02
_vlmcs._tcp SRV 1 0 1688 kms03
kms01 A 192.0.2.10
kms02 A 192.0.2.11
kms03 A 192.0.2.12
`,
    findings: ['zero_weight_among_others kms01.zero-weight.example'],
    reading: { recordCount: 3 },
  },
  {
    domain: 'rogue.example',
    zone: `_vlmcs._tcp SRV 0 0 1688 kms01
_vlmcs._tcp SRV 0 0 1688 rogue
kms01 A 192.0.2.10
rogue A 192.0.2.66
`,
    configured: 'expect: [kms01.rogue.example, kms02.rogue.example]',
    findings: ['missing_target kms02.rogue.example', 'unexpected_target rogue.rogue.example'],
    reading: { recordCount: 2 },
  },
  {
    domain: 'rogue-ignored.example',
    zone: `_vlmcs._tcp SRV 0 0 1688 kms01
_vlmcs._tcp SRV 0 0 1688 rogue
kms01 A 192.0.2.10
rogue A 192.0.2.66
`,
    configured: 'unexpected: ignore\n    expect: [kms01.rogue-ignored.example]',
    findings: [],
    reading: { recordCount: 2 },
  },
  {
    domain: 'implied.example',
    zone: '_vlmcs._tcp SRV 0 0 1688 kms02\nkms02 A 192.0.2.11\n',
    hosts: '{ name: kms01.implied.example }',
    findings: ['missing_target kms01.implied.example'],
    reading: { recordCount: 1 },
  },
  {
    domain: 'many.example',
    zone: `${numbered(60, (i) => `_vlmcs._tcp SRV 0 0 1688 kms${i}`)}* A 192.0.2.10\n`,
    findings: [],
    reading: { overTcp: true, truncatedWithoutTcp: false, recordCount: 60 },
  },
  {
    domain: 'many-addresses.example',
    zone: `_vlmcs._tcp SRV 0 0 1688 kms01\n${numbered(100, (i) => `kms01 A 192.0.2.${i}\nkms01 AAAA 2001:db8::${i}`)}`,
    findings: [],
    reading: {
      targets: new Map([
        [
          'kms01.many-addresses.example',
          { addresses: Array.from({ length: 16 }, (_, index) => `192.0.2.${index + 100}`), alias: false },
        ],
      ]),
    },
  },
]

export const ZONES: Zones = {
  ...Object.fromEntries(
    SCENES.flatMap(({ domain, zone }) =>
      zone === undefined ? [] : [[domain, zone === NO_ZONE ? zone : `${HEAD}${zone}`]],
    ),
  ),
  // All that the tests beside the table ask for.
  'loop.example': `${HEAD}_vlmcs._tcp SRV 0 0 1688 kms\nkms CNAME back\nback CNAME kms\n`,
  'far.example': `${HEAD}_vlmcs._tcp SRV 0 0 1688 kms01.delegated.parent.example.\n`,
  'too-many.example': `${HEAD}${numbered(100, (i) => `_vlmcs._tcp SRV 0 0 1688 kms${i}`)}* A 192.0.2.10\n`,
  'parent.example': `${HEAD}delegated NS ns.delegated\nns.delegated A 127.0.0.1\n`,
}
