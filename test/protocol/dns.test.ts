import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkName,
  decodeReply,
  encodeQuery,
  frameDnsTcp,
  unwrapTcp,
  wrapTcp,
  type DnsQuestion,
  mixCase,
  repeatsQuestion,
} from '../../src/protocol/dns.ts'
import {
  expectFraming,
  expectFramingTotal,
  expectNothingElse,
  expectTruncationsRefused,
  fromHex,
  joined,
  malformedBy,
  patched,
  timed,
  toHex,
} from './support.ts'

const SRV_QUESTION: DnsQuestion = { id: 0x1234, name: '_vlmcs._tcp.corp.example', type: 'SRV' }

// By hand from RFC 1035 4.1 (header, question) and RFC 6891 6.1 (OPT). The name's labels begin at 12, 19, 24 and 29.
const SRV_NAME = '065f766c6d6373 045f746370 04636f7270 076578616d706c65 00'
const SRV_QUERY = `1234 0100 0001 0000 0000 0001 ${SRV_NAME} 0021 0001 00 0029 04d0 00 00 0000 0000`

// By hand, compressed as servers do: two SRV records (RFC 2782), an A and an AAAA record for their targets, OPT.
const SRV_REPLY = fromHex(`
  1234 8580 0001 0002 0000 0003 ${SRV_NAME} 0021 0001
  c00c 0021 0001 00000e10 000e 0000 0000 0698 056b6d733031 c018
  c00c 0021 0001 00000e10 000e 000a 0005 0699 054b4d533032 c018
  c03c 0001 0001 00000e10 0004 c0000201
  c056 001c 0001 00000708 0010 20010db8000000000000000000000001
  00 0029 1000 00 00 0000 0000`)

const A_QUESTION: DnsQuestion = { id: 1, name: 'a.example', type: 'A' }

/** An answer to A_QUESTION; its name's labels begin at 12 and 14, and its records at 27. */
function reply(flags: string, counts: string, records = ''): Uint8Array {
  return fromHex(`0001 ${flags} 0001 ${counts} 0161 076578616d706c65 00 0001 0001 ${records}`)
}

const CNAME_TO_B = 'c00c 0005 0001 0000003c 0004 0162 c00e'
const ADDRESS_OF_B = 'c027 0001 0001 0000003c 0004 c0000202'
const SOA = 'c00e 0006 0001 0000003c 0018 c00e c00e 00000001 00000002 00000003 00000004 00000005'
const NS = 'c00e 0002 0001 0000003c 0004 026e73 00'
const ALIASED = reply('8180', '0002 0000 0000', CNAME_TO_B + ADDRESS_OF_B)
const NO_DATA = reply('8580', '0000 0001 0000', SOA)
const REFERRAL = reply('8100', '0000 0001 0000', NS)

describe('checkName', () => {
  it.each([
    ['_vlmcs._tcp.corp.example', '_vlmcs._tcp.corp.example'],
    ['_VLMCS._tcp.Corp.Example.', '_vlmcs._tcp.corp.example'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['_vlmcs._tcp.BÜCHER.example', '_vlmcs._tcp.xn--bcher-kva.example'],
    ['localhost', 'localhost'],
    ['a'.repeat(63), 'a'.repeat(63)],
    [`${'a.'.repeat(126)}a`, `${'a.'.repeat(126)}a`],
  ])('takes %s', (name, checked) => {
    expect(checkName(name)).toBe(checked)
  })

  it.each([
    ['nothing', ''],
    ['the root', '.'],
    ['an empty label', 'a..b'],
    ['a leading dot', '.a'],
    ['two final dots', 'a..'],
    ['a label of 64', `${'a'.repeat(64)}.example`],
    ['254 characters', `${'a.'.repeat(126)}ab`],
    ['a blank', 'a b'],
    ['a slash', 'a/b'],
    ['what a URL parser would cut off', 'bücher.example/path'],
    ['userinfo before an umlaut', 'user@bücher.example'],
    ['a port after an umlaut', 'bücher.example:53'],
    ['a wide slash', 'bücher.example／path'],
    ['an escape', 'a\\046b'],
    ['a percent sign', 'b%c3%bccher.example'],
    ['a NUL', 'a\0b'],
    ['a line break', 'a\n'],
    ['half a character', '\ud800.example'],
    ['a wildcard', '*.example'],
    ['a great deal', 'ü'.repeat(1e6)],
  ])('refuses %s', (_, name) => {
    expect(malformedBy(() => checkName(name))).toBeDefined()
  })

  it('gives a name that needs no more checking, or refuses, whatever the text', () => {
    const nearlyNames = fc.string({
      unit: fc.constantFrom('a', 'Z', '0', '_', '-', '.', 'ü', 'ß', '。', 'K', '/', ' '),
    })
    fc.assert(
      fc.property(fc.oneof(nearlyNames, fc.string({ unit: 'binary' })), (text) => {
        let name: string | undefined
        malformedBy(() => (name = checkName(text)))
        if (name === undefined) return
        expect(name).toMatch(/^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/)
        expect(checkName(name)).toBe(name)
      }),
    )
  })
})

describe('encodeQuery', () => {
  it('asks recursively and with EDNS0', () => {
    expect(toHex(encodeQuery(SRV_QUESTION))).toBe(toHex(fromHex(SRV_QUERY)))
    expect(toHex(encodeQuery({ ...SRV_QUESTION, name: '_VLMCS._TCP.corp.example.' }))).toBe(
      toHex(fromHex(SRV_QUERY)),
    )
  })

  it.each([
    ['A', '0001'],
    ['CNAME', '0005'],
    ['AAAA', '001c'],
  ] as const)('asks for %s', (type, code) => {
    expect(toHex(encodeQuery({ id: 0xffff, name: 'a', type }))).toBe(
      `ffff01000001000000000001016100${code}000100002904d0000000000000`,
    )
  })

  it('refuses a name that would corrupt the packet', () => {
    expect(malformedBy(() => encodeQuery({ ...SRV_QUESTION, name: 'a..b' }))).toBeDefined()
  })
})

describe('mixCase', () => {
  const query = (): Uint8Array => encodeQuery({ id: 7, name: '_vlmcs._tcp.corp-1.example', type: 'SRV' })

  it('changes letters of the name and nothing else', () => {
    const mixed = mixCase(query(), 2 ** 47 - 1)
    expect(Buffer.from(mixed).toString('latin1', 12, 40)).toBe('\x06_VLMCS\x04_TCP\x06CORP-1\x07EXAMPLE\0')
    expect(Buffer.from(mixed).subarray(40)).toEqual(Buffer.from(query()).subarray(40))
    expect(mixCase(query(), 0)).toEqual(query())
    expect(Buffer.from(mixCase(query(), 0b101)).toString('latin1', 13, 19)).toBe('_VlMCs')
  })

  it('is seen by who gets the question back', () => {
    const mixed = mixCase(query(), 0b101)
    expect(repeatsQuestion(mixed, mixed)).toBe(true)
    expect(repeatsQuestion(query(), mixed)).toBe(false)
    expect(repeatsQuestion(mixed.subarray(0, 20), mixed)).toBe(false)
  })
})

describe('decodeReply', () => {
  it('reads SRV records and the addresses beside them', () => {
    expect(decodeReply(SRV_REPLY, SRV_QUESTION)).toEqual({
      rcode: 'NOERROR',
      authoritative: true,
      truncated: false,
      aliases: [],
      srv: [
        {
          name: '_vlmcs._tcp.corp.example',
          priority: 0,
          weight: 0,
          port: 1688,
          target: 'kms01.corp.example',
          ttlSeconds: 3600,
        },
        {
          name: '_vlmcs._tcp.corp.example',
          priority: 10,
          weight: 5,
          port: 1689,
          target: 'kms02.corp.example',
          ttlSeconds: 3600,
        },
      ],
      addresses: [
        { name: 'kms01.corp.example', address: '192.0.2.1', ttlSeconds: 3600, section: 'additional' },
        { name: 'kms02.corp.example', address: '2001:db8::1', ttlSeconds: 1800, section: 'additional' },
      ],
      referral: false,
    })
  })

  it('reads an alias and what it leads to', () => {
    expect(decodeReply(ALIASED, A_QUESTION)).toEqual({
      rcode: 'NOERROR',
      authoritative: false,
      truncated: false,
      aliases: [{ name: 'a.example', target: 'b.example', ttlSeconds: 60 }],
      srv: [],
      addresses: [{ name: 'b.example', address: '192.0.2.2', ttlSeconds: 60, section: 'answer' }],
      referral: false,
    })
  })

  it('keeps the target that means "not offered"', () => {
    const bytes = reply('8580', '0001 0000 0000', 'c00c 0021 0001 0000003c 0007 0000 0000 0000 00')
    expect(decodeReply(bytes, A_QUESTION).srv).toMatchObject([{ target: '.', port: 0 }])
  })

  it('tells no such records from a referral', () => {
    expect(decodeReply(NO_DATA, A_QUESTION)).toMatchObject({
      rcode: 'NOERROR',
      referral: false,
      addresses: [],
    })
    expect(decodeReply(REFERRAL, A_QUESTION)).toMatchObject({ rcode: 'NOERROR', referral: true })
    expect(decodeReply(patched(REFERRAL, 2, '8500'), A_QUESTION).referral).toBe(false)
    expect(decodeReply(patched(REFERRAL, 2, '8103'), A_QUESTION).referral).toBe(false)
    expect(decodeReply(reply('8100', '0000 0002 0000', NS + SOA), A_QUESTION).referral).toBe(false)
    expect(decodeReply(reply('8100', '0001 0001 0000', CNAME_TO_B + NS), A_QUESTION).referral).toBe(false)
  })

  it.each([
    ['8180', 'NOERROR'],
    ['8181', 'FORMERR'],
    ['8182', 'SERVFAIL'],
    ['8183', 'NXDOMAIN'],
    ['8184', 'NOTIMP'],
    ['8185', 'REFUSED'],
    ['818f', 'RCODE_15'],
  ])('reads the response code of flags %s', (flags, rcode) => {
    expect(decodeReply(reply(flags, '0000 0000 0000'), A_QUESTION).rcode).toBe(rcode)
  })

  it('combines it with the extended one', () => {
    const withOpt = (flags: string, extended: string): Uint8Array =>
      reply(flags, '0000 0000 0001', `00 0029 04d0 ${extended} 00 0000 0000`)
    expect(decodeReply(withOpt('8180', '01'), A_QUESTION).rcode).toBe('BADVERS')
    expect(decodeReply(withOpt('8187', '01'), A_QUESTION).rcode).toBe('RCODE_23')
    expect(decodeReply(withOpt('8183', '00'), A_QUESTION).rcode).toBe('NXDOMAIN')
    const twice = reply('8180', '0000 0000 0002', '00 0029 04d0 00000000 0000'.repeat(2))
    expect(malformedBy(() => decodeReply(twice, A_QUESTION))).toBeDefined()
  })

  it('reports no records of a truncated answer, even when the last one is cut', () => {
    const whole = patched(ALIASED, 2, '8380')
    for (const bytes of [whole, whole.slice(0, -3), whole.slice(0, 27)]) {
      expect(decodeReply(bytes, A_QUESTION)).toMatchObject({
        rcode: 'NOERROR',
        truncated: true,
        aliases: [],
        addresses: [],
        referral: false,
      })
    }
    expect(malformedBy(() => decodeReply(whole.slice(0, 26), A_QUESTION))).toBeDefined()
  })

  it('steps over records of other types, classes and sections', () => {
    const bytes = reply(
      '8180',
      '0004 0001 0001',
      `c00c 0010 0001 0000003c 0002 ff41
       c00c 0001 0003 0000003c 0001 00
       c00c 002e 0001 0000003c 0000
       c00c 0001 0001 0000003c 0004 c0000203
       c00c 0001 0001 0000003c 0004 c0000204
       c00c 0005 0001 0000003c 0002 c00c`,
    )
    const { addresses, aliases } = decodeReply(bytes, A_QUESTION)
    expect(addresses.map(({ address }) => address)).toEqual(['192.0.2.3'])
    expect(aliases).toEqual([])
  })

  it('takes a TTL with the top bit set for zero', () => {
    const bytes = reply('8180', '0001 0000 0000', 'c00c 0001 0001 80000001 0004 c0000203')
    expect(decodeReply(bytes, A_QUESTION).addresses).toMatchObject([{ ttlSeconds: 0 }])
  })

  it('compares names without case and final dots', () => {
    const shouted = patched(patched(ALIASED, 13, '41'), 15, '4558414d504c45')
    expect(decodeReply(shouted, { ...A_QUESTION, name: 'A.example.' }).aliases).toEqual([
      { name: 'a.example', target: 'b.example', ttlSeconds: 60 },
    ])
  })

  it('escapes what names do not have', () => {
    // An escape sequence, quotes, a backslash, a Kelvin sign (whose lower case is an ASCII k), and bytes beyond UTF-8.
    const label = '1b5b32 22 5c 0a e284aa ff 4b'
    const target = `0b${label.replaceAll(' ', '')} c00e`
    const bytes = reply('8180', '0001 0000 0000', `c00c 0005 0001 0000003c 000e ${target}`)
    expect(decodeReply(bytes, A_QUESTION).aliases).toMatchObject([
      { target: '\\027\\0912\\034\\092\\010\\226\\132\\170\\239\\191\\189k.example' },
    ])
  })

  it('ignores bytes after the last record', () => {
    expect(decodeReply(joined(ALIASED, fromHex('00ff')), A_QUESTION)).toEqual(
      decodeReply(ALIASED, A_QUESTION),
    )
  })

  it.each([
    ['another id', patched(ALIASED, 0, '0002'), 0],
    ['a query', patched(ALIASED, 2, '0100'), 2],
    ['another opcode', patched(ALIASED, 2, 'a980'), 2],
    ['no question', patched(ALIASED, 4, '0000'), 4],
    ['two questions', patched(ALIASED, 4, '0002'), 4],
    ['another name', patched(ALIASED, 13, '63'), 12],
    ['another type', patched(ALIASED, 24, '1c'), 12],
    ['another class', patched(ALIASED, 26, '03'), 12],
    ['513 records', patched(ALIASED, 6, '0100 0100 0001'), 6],
    ['records that are not there', patched(ALIASED, 6, '0003'), 59],
    ['a pointer forwards', patched(ALIASED, 27, 'c028'), 29],
    ['a pointer to itself', patched(ALIASED, 27, 'c01b'), 29],
    ['a pointer into the header', patched(ALIASED, 27, 'c000'), 29],
    [
      'a pointer that leads forwards again',
      reply('8180', '0002 0000 0000', `c00c fde8 0001 00000000 0003 c02900 c027 ${ADDRESS_OF_B.slice(4)}`),
      41,
    ],
    [
      'a name of more than 255 octets',
      reply('8180', '0000 0001 0000', `${`3f${'61'.repeat(63)}`.repeat(4)} 00 0002 0001 00000000 0000`),
      220,
    ],
    ['a label of a kind that is not in use', patched(ALIASED, 27, '41'), 28],
    [
      'an address of five bytes',
      reply('8180', '0001 0000 0000', 'c00c 0001 0001 0000003c 0005 c000020100'),
      39,
    ],
    ['an IPv6 address of four', reply('8180', '0001 0000 0000', 'c00c 001c 0001 0000003c 0004 c0000201'), 39],
    [
      'an alias with something behind it',
      reply('8180', '0001 0000 0000', 'c00c 0005 0001 0000003c 0003 c00c00'),
      39,
    ],
    [
      'a service shorter than itself',
      reply('8180', '0001 0000 0000', 'c00c 0021 0001 0000003c 0001 000000000698c00c'),
      39,
    ],
    ['more than 65,535 bytes', joined(ALIASED, new Uint8Array(65_536)), 65_535],
  ])('refuses %s', (_, bytes, offset) => {
    expect(malformedBy(() => decodeReply(bytes, A_QUESTION))?.offset).toBe(offset)
  })

  it('refuses every truncation', () => {
    expectTruncationsRefused(SRV_REPLY, (bytes) => decodeReply(bytes, SRV_QUESTION))
    for (const message of [ALIASED, NO_DATA, REFERRAL]) {
      expectTruncationsRefused(message, (bytes) => decodeReply(bytes, A_QUESTION))
    }
  })

  it('gives a reply or a MalformedMessage for any bytes', () => {
    expectNothingElse([SRV_REPLY], (bytes) => decodeReply(bytes, SRV_QUESTION))
    expectNothingElse([ALIASED, NO_DATA, REFERRAL], (bytes) => decodeReply(bytes, A_QUESTION))
  })
})

describe('decodeReply, against what is made to be slow', () => {
  /** Behind the question, an opaque record full of pointers that each lead to the one before; then `records`. */
  function bomb(pointers: number, owners: readonly Uint8Array[]): Uint8Array {
    const chain = Buffer.alloc(1 + 2 * pointers)
    for (let index = 0; index < pointers; index++) {
      chain.writeUInt16BE(0xc000 + (index === 0 ? 39 : 40 + 2 * (index - 1)), 1 + 2 * index)
    }
    const opaque = joined(
      fromHex('c00c fde8 0001 00000000'),
      Buffer.from([chain.length >> 8, chain.length & 255]),
      chain,
    )
    const bytes = Buffer.from(joined(reply('8180', '0000 0000 0000'), opaque, ...owners))
    bytes.writeUInt16BE(owners.length + 1, 6)
    return new Uint8Array(bytes)
  }

  function recordsAt(pointer: number, count: number): Uint8Array[] {
    const name = (0xc000 + pointer).toString(16)
    const record = fromHex(`${name} 0021 0001 00000000 0008 0000 0000 0000 ${name}`)
    return Array.from({ length: count }, () => record)
  }

  it('refuses 64 KiB of records that go the length of a pointer chain', () => {
    const bytes = bomb(8000, recordsAt(16_038, 2400))
    expect(bytes.length).toBeGreaterThan(60_000)
    let error: unknown
    expect(timed(() => (error = malformedBy(() => decodeReply(bytes, A_QUESTION))))).toBeLessThan(2000)
    expect(error).toMatchObject({ offset: 6 })
  })

  it('refuses the chain when there are few enough records', () => {
    const bytes = bomb(8000, recordsAt(16_038, 500))
    let error: unknown
    expect(timed(() => (error = malformedBy(() => decodeReply(bytes, A_QUESTION))))).toBeLessThan(2000)
    expect(error).toMatchObject({ message: expect.stringContaining('pointers without end') })
  })

  it('reads the worst that is allowed at once', () => {
    const bytes = bomb(126, recordsAt(40 + 2 * 125, 511))
    let count = 0
    expect(timed(() => (count = decodeReply(bytes, A_QUESTION).srv.length))).toBeLessThan(2000)
    expect(count).toBe(511)
  })

  it('leaves the decoders of other types alone', () => {
    // Every type there is, with data made of ones: none of it is anybody's business here.
    for (let type = 0; type < 300; type++) {
      if ([1, 5, 28, 33].includes(type)) continue
      const code = type.toString(16).padStart(4, '0')
      const bytes = reply('8180', '0001 0000 0000', `c00c ${code} 0001 00000000 0010 ${'ff'.repeat(16)}`)
      expect(decodeReply(bytes, A_QUESTION).addresses).toEqual([])
    }
  })
})

describe('DNS over TCP', () => {
  it('puts the length in front and takes it away', () => {
    const wrapped = wrapTcp(fromHex(SRV_QUERY))
    expect(toHex(wrapped.subarray(0, 4))).toBe('00351234')
    expect(toHex(unwrapTcp(wrapped))).toBe(toHex(fromHex(SRV_QUERY)))
    expect(wrapTcp(new Uint8Array(65_535)).length).toBe(65_537)
    expect(() => wrapTcp(new Uint8Array(65_536))).toThrow(RangeError)
  })

  it('refuses every truncation', () => {
    expectTruncationsRefused(joined(fromHex('009e'), new Uint8Array(158)), unwrapTcp)
  })

  it('asks for the length, then for the message', () => {
    expectFraming(joined(fromHex('0010'), new Uint8Array(16)), frameDnsTcp)
    expect(frameDnsTcp(fromHex('ffff'))).toBe(65_537)
    expect(malformedBy(() => frameDnsTcp(fromHex('000b')))).toBeDefined()
  })

  it('is total and never changes its mind', () => {
    expectFramingTotal(frameDnsTcp, 65_537, [fromHex('0010'), fromHex('0020')])
  })
})
