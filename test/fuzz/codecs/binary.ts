// What sees bytes from the network. Seeds are the fixtures of test/protocol, whose origins are told there.
import { decodeBindAnswer, frameRpc } from '../../../src/protocol/dcerpc.ts'
import { HEADER_LENGTH, readHeader, walkRecords } from '../../../src/protocol/dns-walk.ts'
import { decodeReply, encodeQuery, frameDnsTcp, unwrapTcp, wrapTcp } from '../../../src/protocol/dns.ts'
import { decodeReply as decodeTime } from '../../../src/protocol/ntp.ts'
import { decodeNegotiate, frameNbss } from '../../../src/protocol/smb2.ts'
import { filetimeToUnixSeconds, ntpToUnixSeconds } from '../../../src/protocol/time.ts'
import { channelBinding, endPointHash } from '../../../src/protocol/x509.ts'
import { fromHex, joined, same, type Codec } from '../promises.ts'

const ACK = '0500 0c03 10000000 5400 0000 07000000 d016 d016 01000000 0500 3136383800 00 02 000000'
const ACK_TWO = fromHex(
  `${ACK} 0000 0000 045d888aeb1cc9119fe808002b104860 02000000 0200 0100 ${'00'.repeat(20)}`,
)
const ACK_BIG_ENDIAN = fromHex(
  `0501 0c03 00000000 0050 0000 00000007 16d0 16d0 00000001 0000 0000 02 000000
  0000 0000 8a885d041ceb11c99fe808002b104860 00000002 0003 0003 ${'00'.repeat(20)}`,
)
const NAK = fromHex('0500 0d03 10000000 1500 0000 07000000 0400 01 05 00')
const FAULT = fromHex('0500 0323 10000000 2000 0000 07000000 20000000 0000 00 00 0300011c 00000000')

const SMB2_HEADER = `fe534d42 4000 0000 00000000 0000 0100 01000000 00000000 ${'00'.repeat(40)}`
const SMB_2_1 = fromHex(
  `00 000080 ${SMB2_HEADER} 4100 0100 1002 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 07000000 00008000 00008000 00008000
  a03d94b30b6bda01 0000000000000000 8000 0000 00000000`,
)
const SMB_DECLINED = fromHex(`00 000049 ${SMB2_HEADER} 0900 00 00 00000000 00`)

const NONCE = fromHex('f0e1d2c3b4a59687')
const NTP_REPLY = fromHex(
  `24 02 06 ec 00018000 00004000 c0000201 83aa7e7000000000
  f0e1d2c3b4a59687 83aa7e8080000000 83aa7e80c0000000`,
)
const NTP_KISS = joined(
  fromHex('e4 00 06 ec 00000000 00000000 52415445 0000000000000000'),
  NTP_REPLY.subarray(24),
)

const SRV_QUESTION = { id: 0x1234, name: '_vlmcs._tcp.corp.example', type: 'SRV' } as const
const A_QUESTION = { id: 1, name: 'a.example', type: 'A' } as const
const SRV_REPLY = fromHex(`
  1234 8580 0001 0002 0000 0003 065f766c6d6373 045f746370 04636f7270 076578616d706c65 00 0021 0001
  c00c 0021 0001 00000e10 000e 0000 0000 0698 056b6d733031 c018
  c00c 0021 0001 00000e10 000e 000a 0005 0699 054b4d533032 c018
  c03c 0001 0001 00000e10 0004 c0000201
  c056 001c 0001 00000708 0010 20010db8000000000000000000000001
  00 0029 1000 00 00 0000 0000`)
const aReply = (flags: string, counts: string, records: string): Uint8Array =>
  fromHex(`0001 ${flags} 0001 ${counts} 0161 076578616d706c65 00 0001 0001 ${records}`)
const DNS_SEEDS = [
  SRV_REPLY,
  aReply(
    '8180',
    '0002 0000 0000',
    'c00c 0005 0001 0000003c 0004 0162 c00e c027 0001 0001 0000003c 0004 c0000202',
  ),
  aReply('8580', '0000 0001 0000', `c00e 0006 0001 0000003c 0018 c00e c00e ${'00000001'.repeat(5)}`),
  aReply('8100', '0000 0001 0000', 'c00e 0002 0001 0000003c 0004 026e73 00'),
  aReply('8583', '0000 0000 0001', '00 0029 04d0 01 00 0000 0000'),
  encodeQuery(SRV_QUESTION),
]

const NAME = /^(?:\.|[a-z0-9_.*\\-]*)$/
const DNS_NUMBERS = { bytes: 65_535, tcp: 65_537 }

// By hand from RFC 5280 4.1 and RFC 4055 3.1, all but the algorithm left empty: RSA with SHA-256, and PSS with SHA-256.
const CERTIFICATE = fromHex('3013 3000 300b 0609 2a864886f70d01010b 0302 00ff')
const CERTIFICATE_PSS = fromHex(
  '3024 3000 301c 0609 2a864886f70d01010a 300f a00d 300b 0609 608648016503040201 0302 00ff',
)

export const BINARY: readonly Codec[] = [
  {
    name: 'dcerpc',
    decode: (bytes) => decodeBindAnswer(bytes, 7),
    frame: { of: frameRpc, limit: 5840 },
    seeds: [ACK_TWO, ACK_BIG_ENDIAN, NAK, FAULT],
    mostBytes: 5840,
  },
  {
    name: 'smb2',
    decode: decodeNegotiate,
    frame: { of: frameNbss, limit: 4 + 65_536 },
    seeds: [SMB_2_1, SMB_DECLINED],
    mostBytes: 65_540,
  },
  {
    name: 'ntp',
    decode: (bytes) => decodeTime(bytes, NONCE),
    seeds: [NTP_REPLY, NTP_KISS],
    mostBytes: 65_507,
  },
  {
    name: 'dns',
    decode: (bytes) => decodeReply(bytes, bytes[0] === 0 ? A_QUESTION : SRV_QUESTION),
    check: (value) => {
      const { aliases, srv, addresses } = value as ReturnType<typeof decodeReply>
      const names = [...aliases, ...srv, ...addresses].flatMap((record) =>
        'target' in record ? [record.name, record.target] : [record.name],
      )
      same(
        names.filter((name) => !NAME.test(name)),
        [],
      )
    },
    seeds: DNS_SEEDS,
    mostBytes: DNS_NUMBERS.bytes,
    // A name of 255 bytes may be pointed to by two.
    mostGrowth: 400,
  },
  {
    name: 'dns-walk',
    decode: (bytes) => walkRecords(bytes, readHeader(bytes)),
    check: (value, { length }) => {
      const places = value as ReturnType<typeof walkRecords>
      same(
        places.filter(({ typeOffset }) => typeOffset < HEADER_LENGTH || typeOffset + 10 > length),
        [],
      )
      same(
        places.map(({ typeOffset }) => typeOffset),
        places.map(({ typeOffset }) => typeOffset).toSorted((a, b) => a - b),
      )
    },
    seeds: DNS_SEEDS,
    mostBytes: DNS_NUMBERS.bytes,
  },
  {
    name: 'dns-tcp',
    decode: unwrapTcp,
    frame: { of: frameDnsTcp, limit: DNS_NUMBERS.tcp },
    check: (value, bytes) => same(wrapTcp(value as Uint8Array), bytes.slice(0, frameDnsTcp(bytes))),
    seeds: DNS_SEEDS.map(wrapTcp),
    mostBytes: DNS_NUMBERS.tcp,
  },
  {
    name: 'x509',
    decode: (bytes) => [endPointHash(bytes), channelBinding(bytes)],
    seeds: [CERTIFICATE, CERTIFICATE_PSS],
    mostBytes: 65_536,
  },
  {
    name: 'time-of-bytes',
    decode: (bytes) => {
      const all = Buffer.alloc(8)
      all.set(bytes.subarray(0, 8))
      return [
        filetimeToUnixSeconds(all.readBigUInt64LE()),
        ntpToUnixSeconds(all.readUInt32BE(), all.readUInt32BE(4)),
      ]
    },
    check: (value) => {
      const [filetime = 0, ntp = 0] = value as readonly (number | undefined)[]
      same([filetime >= 0 && filetime < 253_402_300_800, ntp >= -(2 ** 31) && ntp < 2 ** 33], [true, true])
    },
    seeds: [fromHex('a03d94b30b6bda01'), fromHex('83aa7e8080000000')],
    mostBytes: 8,
  },
]
