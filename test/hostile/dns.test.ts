// DNS over UDP and TCP: answers cut, changed, of others, and made to be followed for ever. Over UDP anybody can send a
// datagram, so one that is no answer is passed over, and ends in no answer; over TCP it is the server's own fault.
import { afterAll, beforeAll, it } from 'vitest'
import { startDns } from '../../src/lab/dns.ts'
import { listenUdp, type Listener } from '../../src/lab/listener.ts'
import { formatEndpoint } from '../../src/model/target.ts'
import { LOOPBACK } from '../io/support.ts'
import { cuts, datagrams, expectEnds, streams, usual, type Way, type Wrongs } from './asked.ts'
import { afterQuestion, bytesOf, drip, edited, end, flood, reset, say, silence, type Peer } from './proxy.ts'

const OWNER = '_vlmcs._tcp.corp.example'
const TARGET = 'kms01.corp.example'

let dns: Listener
let way: Way<'srv'>
beforeAll(async () => {
  const zone = [
    { name: OWNER, type: 'SRV', data: { priority: 0, weight: 0, port: 1688, target: TARGET } },
    { name: TARGET, type: 'A', data: '127.0.0.1' },
  ] as const
  dns = await startDns({ zones: { 'corp.example': zone } }, LOOPBACK)
  way = {
    probe: 'srv',
    good: dns,
    document: (at) => ({ domains: [{ name: 'corp.example', resolvers: [formatEndpoint(at)] }] }),
    word({ rcode, records, truncatedWithoutTcp, targets }) {
      if (truncatedWithoutTcp) return 'cut off'
      if (records.length !== 1) return `${rcode}, ${records.length} records`
      const [found] = targets.values()
      return found?.addresses.join() === '127.0.0.1'
        ? 'good'
        : `a target without its address: ${found?.failure}`
    },
  }
})
afterAll(() => dns.stop())

// ---- Messages

const HEADER = 12

/** Where the question of an answer ends. */
const questionEnd = (message: Buffer): number => message.indexOf(0, HEADER) + 5

interface Made {
  readonly counts?: readonly [answers: number, authorities: number, additionals: number]
  readonly records: readonly Buffer[]
}

const isSrv = (answer: Buffer): boolean => answer.readUInt16BE(questionEnd(answer) - 4) === 33

/** Answers the question for SRV records with what is made up; others as they are. */
const made =
  ({ records, counts = [records.length, 0, 0] }: Made) =>
  (answer: Buffer): readonly Buffer[] => {
    if (!isSrv(answer)) return [answer]
    const head = Buffer.from(answer.subarray(0, questionEnd(answer)))
    for (const [index, count] of counts.entries()) head.writeUInt16BE(count, 6 + 2 * index)
    return [Buffer.concat([head, ...records])]
  }

/** `owner` and `data` as they stand on the wire; the length is that of the data, unless told. */
function record(owner: Buffer, type: number, data: Buffer, length = data.length): Buffer {
  const fixed = Buffer.from([0, type, 0, 1, 0, 0, 0, 60, 0, 0])
  fixed.writeUInt16BE(length, 8)
  return Buffer.concat([owner, fixed, data])
}

function nameOf(text: string): Buffer {
  return Buffer.concat([
    ...text.split('.').map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)])),
    Buffer.of(0),
  ])
}

const pointer = (to: number): Buffer => Buffer.of(0xc0 | (to >> 8), to & 0xff)
/** The name asked for. */
const ASKED = pointer(HEADER)
const END = HEADER + nameOf(OWNER).length + 4
const srvTo = (target: Buffer, length?: number, owner = ASKED): Buffer =>
  record(owner, 33, Buffer.concat([Buffer.of(0, 0, 0, 0, 6, 152), target]), length)
const SRV = srvTo(nameOf(TARGET))
const A = Buffer.of(127, 0, 0, 1)

const patch = (at: number, hex: string) => (answer: Buffer) => {
  const changed = Buffer.from(answer)
  changed.write(hex, at, 'hex')
  return [changed]
}

it('is cut at every byte, over UDP', async () => {
  const rows = Array.from({ length: END + SRV.length }, (_, cut) => {
    const tell = (answer: Buffer): readonly Buffer[] => [answer.subarray(0, cut)]
    return [`${cut}`, [tell, 'resolve_timeout']] as const
  })
  await expectEnds(way, datagrams(dns, Object.fromEntries(rows)))
})

it("gives another's answer, over UDP", async () => {
  const other = (answer: Buffer): Buffer => {
    const changed = Buffer.from(answer)
    changed.writeUInt16BE(answer.readUInt16BE(0) ^ 0x0101, 0)
    return changed
  }
  await expectEnds(
    way,
    datagrams(dns, {
      'to another query': [(answer) => [other(answer)], 'resolve_timeout'],
      'to another query, and then the right one': [(answer) => [other(answer), answer], 'good'],
      'to many others: TCP is asked': [(answer) => Array.from({ length: 200 }, () => other(answer)), 'good'],
      'a hundred times': [(answer) => Array.from({ length: 100 }, () => answer), 'good'],
      'to another name': [patch(14, '78'), 'resolve_timeout'],
      'to another type': [
        (answer) => (isSrv(answer) ? patch(END - 3, '01')(answer) : [answer]),
        'resolve_timeout',
      ],
      'of another class': [patch(END - 1, '03'), 'resolve_timeout'],
      'our own query': [(_answer, question) => [question], 'resolve_timeout'],
      'a notification': [patch(2, 'a4'), 'resolve_timeout'],
      'without its question': [patch(4, '0000'), 'resolve_timeout'],
      'with two questions': [patch(4, '0002'), 'resolve_timeout'],
      'of an NTP server': [() => [Buffer.alloc(48, 0x24)], 'resolve_timeout'],
      'nothing in a datagram': [() => [Buffer.alloc(0)], 'resolve_timeout'],
      'a byte': [() => [Buffer.of(0)], 'resolve_timeout'],
      '60 KB of zeros behind its head': [
        (answer) => [Buffer.concat([answer.subarray(0, 12), Buffer.alloc(60_000)])],
        'resolve_timeout',
      ],
      '60 KB behind a good answer': [(answer) => [Buffer.concat([answer, Buffer.alloc(60_000)])], 'good'],
      'about another owner': [
        made({ records: [srvTo(nameOf(TARGET), undefined, nameOf('_vlmcs._tcp.other.example'))] }),
        'NOERROR, 0 records',
      ],
      SERVFAIL: [patch(3, '02'), /^SERVFAIL/],
      'cut off, and TCP as it should be': [patch(2, '86'), 'good'],
    }),
  )
})

it('lies about lengths and counts, over UDP', async () => {
  await expectEnds(
    way,
    datagrams(dns, {
      '65535 answers': [patch(6, 'ffff'), 'resolve_timeout'],
      '65535 authorities': [patch(8, 'ffff'), 'resolve_timeout'],
      '65535 additional records': [patch(10, 'ffff'), 'resolve_timeout'],
      'one answer more than there is': [made({ records: [SRV], counts: [2, 0, 0] }), 'resolve_timeout'],
      'no answer, where there is one': [made({ records: [SRV], counts: [0, 0, 0] }), 'NOERROR, 0 records'],
      'data of 0 bytes': [made({ records: [srvTo(nameOf(TARGET), 0)] }), 'resolve_timeout'],
      'data of 65535 bytes': [made({ records: [srvTo(nameOf(TARGET), 65_535)] }), 'resolve_timeout'],
      'data a byte short': [made({ records: [srvTo(nameOf(TARGET), SRV.length - 13)] }), 'resolve_timeout'],
      'data a byte long': [
        made({ records: [Buffer.concat([srvTo(nameOf(TARGET), SRV.length - 11), Buffer.of(0)])] }),
        'resolve_timeout',
      ],
      'a label to the end and beyond': [made({ records: [srvTo(Buffer.of(63, 1))] }), 'resolve_timeout'],
      'a label of a kind not in use': [made({ records: [srvTo(Buffer.of(0x80, 1))] }), 'resolve_timeout'],
      'a name that points at itself': [made({ records: [srvTo(pointer(END + 18))] }), 'resolve_timeout'],
      'a name that points ahead': [made({ records: [srvTo(pointer(END + 20)), SRV] }), 'resolve_timeout'],
      'a name that points into the head': [made({ records: [srvTo(pointer(0))] }), 'resolve_timeout'],
      'a name that points beyond the end': [made({ records: [srvTo(pointer(0x3fff))] }), 'resolve_timeout'],
      'two names that point at each other': [
        made({ records: [srvTo(pointer(END + 18 + SRV.length)), srvTo(pointer(END + 18))] }),
        'resolve_timeout',
      ],
      'a name of 300 bytes': [
        made({ records: [srvTo(nameOf(Array.from({ length: 30 }, () => 'a'.repeat(9)).join('.')))] }),
        'resolve_timeout',
      ],
      'an address of 3 bytes': [
        made({ records: [SRV, record(ASKED, 1, A.subarray(1))], counts: [1, 0, 1] }),
        'resolve_timeout',
      ],
    }),
  )
})

it('leads on and on, over UDP', async () => {
  const alias = (from: string, to: string): Buffer => record(nameOf(from), 5, nameOf(to))
  const chain = (length: number): Buffer[] => [
    record(ASKED, 5, nameOf('a0.example')),
    ...Array.from({ length }, (_, index) => alias(`a${index}.example`, `a${index + 1}.example`)),
  ]
  const additional = (count: number): Buffer[] =>
    Array.from({ length: count }, () => record(nameOf(TARGET), 1, A))
  const targets = (count: number): Buffer[] =>
    Array.from({ length: count }, (_, index) => srvTo(nameOf(`k${index}.corp.example`)))
  await expectEnds(
    way,
    datagrams(dns, {
      'an alias of itself': [made({ records: [record(ASKED, 5, ASKED)] }), 'NOERROR, 0 records'],
      'two aliases of each other': [
        made({ records: [record(ASKED, 5, nameOf('a.example')), alias('a.example', OWNER)] }),
        'NOERROR, 0 records',
      ],
      'a chain of 400 aliases to nowhere': [made({ records: chain(400) }), 'NOERROR, 0 records'],
      'a chain of 400 aliases to the service': [
        made({ records: [...chain(400), srvTo(nameOf(TARGET), undefined, nameOf('a400.example'))] }),
        'good',
      ],
      'a chain of 600 aliases': [made({ records: chain(600) }), 'resolve_timeout'],
      '500 additional records': [made({ records: [SRV, ...additional(500)], counts: [1, 0, 500] }), 'good'],
      '1500 additional records': [
        made({ records: [SRV, ...additional(1500)], counts: [1, 0, 1500] }),
        'resolve_timeout',
      ],
      '500 hosts': [made({ records: targets(500) }), 'NOERROR, 64 records'],
      'a referral to itself': [
        made({ records: [record(ASKED, 2, nameOf('ns.corp.example'))], counts: [0, 1, 0] }),
        'NOERROR, 0 records',
      ],
    }),
  )
})

// ---- TCP, of a server whose UDP answers are always cut off

async function withCutOffUdp(start: () => Promise<Peer>): Promise<Peer> {
  for (let attempts = 1; ; attempts++) {
    const overTcp = await start()
    try {
      const udp = await listenUdp(overTcp.at, (question, reply) => {
        const truncated = Buffer.from(question)
        truncated.writeUInt16BE(0x8380, 2)
        reply(truncated)
      })
      return { at: overTcp.at, stop: async () => void (await Promise.all([udp.stop(), overTcp.stop()])) }
    } catch (error) {
      await overTcp.stop()
      if (attempts === 5) throw error
    }
  }
}

const overTcp = (wrongs: Wrongs): Wrongs =>
  Object.fromEntries(
    Object.entries(wrongs).map(([name, [start, word]]) => [name, [() => withCutOffUdp(start), word]]),
  )

const patchTcp = (at: number, hex: string) =>
  edited((answer) => {
    answer.write(hex, at, 'hex')
    return answer
  })

it('drips, floods, half-closes, over TCP', async () => {
  await expectEnds(
    way,
    overTcp({
      ...usual(dns, { silent: 'cut off', closed: 'cut off', zeros: 'cut off' }),
      ...streams(dns, {
        'a length, and then bytes for ever': [
          afterQuestion(say(Buffer.of(0xff, 0xff), drip(bytesOf('x'), 50))),
          'cut off',
        ],
        'a message of 65535 bytes, without end': [
          afterQuestion(flood(Buffer.alloc(65_536, 0xff))),
          'cut off',
        ],
      }),
    }),
  )
})

it.each([
  ['resets', reset],
  ['ends', end],
  ['goes silent', silence],
] as const)('%s at every byte of the answer, over TCP', async (_what, act) => {
  await expectEnds(
    way,
    overTcp(await cuts({ ...way, good: dns }, act, 'cut off', { through: withCutOffUdp })),
  )
})

it('lies about lengths, and answers others, over TCP', async () => {
  await expectEnds(
    way,
    overTcp(
      streams(dns, {
        'a message of 0 bytes': [patchTcp(0, '0000'), 'cut off'],
        'a message of 11 bytes': [patchTcp(0, '000b'), 'cut off'],
        'a message of 65535 bytes': [patchTcp(0, 'ffff'), 'cut off'],
        'a message a byte short': [
          edited((answer) => {
            answer.writeUInt16BE(answer.length - 3, 0)
            return answer
          }),
          'cut off',
        ],
        'an answer to another query': [
          edited((answer) => {
            answer.writeUInt16BE(answer.readUInt16BE(2) ^ 1, 2)
            return answer
          }),
          'cut off',
        ],
        'cut off again': [patchTcp(4, '86'), 'NOERROR, 0 records'],
        'our own query': [(client) => void client.pipe(client), 'cut off'],
        HTTP: [afterQuestion(say('HTTP/1.1 400 Bad Request\r\n\r\n', end)), 'cut off'],
      }),
    ),
  )
})
