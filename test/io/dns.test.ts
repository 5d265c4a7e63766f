// The resolver against the lab's DNS server, which shares no code with it.
import { beforeAll, afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/io/clock.ts'
import {
  addressesOf,
  createResolver,
  rcodeReason,
  type Addresses,
  type DnsReply,
  type Resolver,
} from '../../src/io/dns.ts'
import { createUdpPool } from '../../src/io/udp-pool.ts'
import { BAD_TCP_PEERS, startBadPeer } from '../../src/lab/bad-peer.ts'
import { startDns, type DnsRecord, type DnsServer } from '../../src/lab/dns.ts'
import { decodeQuery, encodeAnswer, TYPE_CODES, type Query } from '../../src/lab/dns-wire.ts'
import { listenUdp, type Listener } from '../../src/lab/listener.ts'
import { MalformedMessage, ProbeFailure } from '../../src/model/failure.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { during } from '../during.ts'
import { AMPLE_SECONDS, closedPort, deadlineOf, failureOf, LOOPBACK, reasonOf, udpPeer } from './support.ts'

const a = (name: string, data: string): DnsRecord => ({ name, type: 'A', data })
const cname = (name: string, data: string): DnsRecord => ({ name, type: 'CNAME', data })
const MANY = Array.from({ length: 100 }, (_, index) => `192.0.2.${index + 1}`)

const CORP: readonly DnsRecord[] = [
  a('kms01.corp.example', '192.0.2.1'),
  { name: 'kms01.corp.example', type: 'AAAA', data: '2001:db8::1' },
  a('v4.corp.example', '192.0.2.4'),
  { name: 'v6.corp.example', type: 'AAAA', data: '2001:db8::6' },
  cname('alias.corp.example', 'second.corp.example'),
  cname('second.corp.example', 'kms01.corp.example'),
  cname('dangling.corp.example', 'gone.corp.example'),
  cname('loop.corp.example', 'pool.corp.example'),
  cname('pool.corp.example', 'loop.corp.example'),
  { name: 'text.corp.example', type: 'SRV', data: { priority: 0, weight: 0, port: 1, target: 'x' } },
  ...MANY.map((address) => a('many.corp.example', address)),
]

let server: DnsServer
beforeAll(async () => {
  server = await startDns(
    {
      zones: { 'corp.example': CORP },
      overrides: {
        'broken.corp.example': 'servfail',
        'no.corp.example': 'refused',
        'silent.corp.example': 'drop',
      },
    },
    LOOPBACK,
  )
})
afterAll(() => server.stop())

function resolverOf(): Resolver {
  const pool = createUdpPool()
  onTestFinished(() => pool.close())
  return createResolver(pool, systemClock)
}

function resolve(name: string, servers: readonly Endpoint[] = [server], seconds = AMPLE_SECONDS) {
  return resolverOf().resolve(name, servers, deadlineOf(seconds))
}

/** Answers over UDP that there is more than fits, and counts how often. Over TCP, on the same port, speaks `tcp`. */
async function truncating(tcp: (where: Endpoint) => Promise<Listener> | undefined): Promise<Endpoint> {
  const where = await closedPort()
  const listener = tcp(where)
  if (listener !== undefined) await during(listener)
  await during(
    listenUdp(where, (message, reply) => {
      const truncated = Buffer.from(message)
      truncated.writeUInt16BE(0x8380, 2)
      reply(truncated)
    }),
  )
  return where
}

/** Says nothing, and counts how often it was asked. */
async function counting(): Promise<{ at: Endpoint; asked: () => number }> {
  let count = 0
  return { at: await udpPeer(() => count++), asked: () => count }
}

describe('a name', () => {
  it.each([
    ['with both kinds of address', 'kms01.corp.example', ['192.0.2.1', '2001:db8::1']],
    ['with an A record', 'v4.corp.example', ['192.0.2.4']],
    ['with an AAAA record', 'v6.corp.example', ['2001:db8::6']],
    ['of several aliases', 'alias.corp.example', ['192.0.2.1', '2001:db8::1']],
    ['in capitals, with its final dot', 'KMS01.Corp.Example.', ['192.0.2.1', '2001:db8::1']],
    ['with more addresses than a datagram holds', 'many.corp.example', MANY],
  ])('%s', async (_what, name, addresses) => {
    expect(await resolve(name)).toEqual(addresses)
  })

  it.each([
    ['that is not there', 'gone.corp.example', 'resolve_nxdomain', /gone\.corp\.example at 127.*NXDOMAIN/],
    ['that has neither kind of address', 'text.corp.example', 'resolve_nodata', /neither an A nor an AAAA/],
    ['that is an alias of nothing', 'dangling.corp.example', 'resolve_nxdomain', /NXDOMAIN/],
    ['that is an alias of itself', 'loop.corp.example', 'resolve_nodata', /neither/],
    ['that the server fails at', 'broken.corp.example', 'resolve_servfail', /SERVFAIL/],
    ['that the server refuses', 'no.corp.example', 'resolve_refused', /REFUSED/],
    ['in a zone that is not its own', 'elsewhere.example', 'resolve_refused', /REFUSED/],
  ] as const)('%s', async (_what, name, reason, message) => {
    expect(await failureOf(resolve(name))).toMatchObject({ reason, message: expect.stringMatching(message) })
  })

  it('that nobody answers for times out at the deadline', async () => {
    expect(await reasonOf(resolve('silent.corp.example', [server], 0.2))).toBe('resolve_timeout')
  })

  it('that cannot be asked for is said to be malformed', async () => {
    await expect(resolve('a..b')).rejects.toBeInstanceOf(MalformedMessage)
    await expect(resolve(`${'x'.repeat(64)}.example`)).rejects.toBeInstanceOf(MalformedMessage)
  })

  it.each([
    ['192.0.2.7', ['192.0.2.7']],
    ['2001:db8::7', ['2001:db8::7']],
    ['localhost', ['127.0.0.1']],
    ['LOCALHOST.', ['127.0.0.1']],
    ['kms.localhost', ['127.0.0.1']],
  ])('%s is never asked of a server', async (name, addresses) => {
    const { at, asked } = await counting()
    expect(await resolve(name, [at])).toEqual(addresses)
    expect(asked()).toBe(0)
  })
})

describe('a look-up', () => {
  /** Every name has one A record; what is not `heard` gets no answer. */
  function answering(heard: (query: Query) => boolean): Promise<Listener> {
    return during(
      listenUdp(LOOPBACK, (message, reply) => {
        const query = decodeQuery(message)
        if (!query || !heard(query)) return
        const answers: DnsRecord[] = query.type === TYPE_CODES.A ? [a(query.name, '192.0.2.1')] : []
        const found = { rcode: 'noerror', authoritative: true, authority: [], additional: [] } as const
        reply(encodeAnswer(query, { ...found, answers }, 1232))
      }),
    )
  }

  /** Counts what it is asked, and answers unless told to be silent. */
  async function counting(): Promise<{ where: Endpoint; asked: string[]; mute: (silent: boolean) => void }> {
    const asked: string[] = []
    let silent = false
    const where = await answering(({ name }) => {
      asked.push(name)
      return !silent
    })
    return { where, asked, mute: (wanted) => void (silent = wanted) }
  }
  const KMS = 'kms01.corp.example'
  const found = ([told]: Addresses) =>
    told instanceof ProbeFailure ? told.reason : addressesOf(told.reply, KMS).join()

  it('is shared by whoever asks at the same time, and shortly after', async () => {
    const { where, asked } = await counting()
    const resolver = resolverOf()
    const ask = () => resolver.lookUp(where, KMS, deadlineOf(AMPLE_SECONDS))
    const answers = await Promise.all([ask(), ask(), ask()])
    answers.push(await ask())
    expect(asked).toEqual([KMS, KMS])
    expect(answers.map(found)).toEqual(Array(4).fill('192.0.2.1'))
    await resolver.lookUp(where, 'kms02.corp.example', deadlineOf(AMPLE_SECONDS))
    await resolver.ask(where, { name: KMS, type: 'A' }, deadlineOf(AMPLE_SECONDS))
    expect(asked).toHaveLength(5)
  })

  it('asks for both kinds of address', async () => {
    const [a, aaaa] = await resolverOf().lookUp(server, KMS, deadlineOf(AMPLE_SECONDS))
    expect([a, aaaa].map((told) => told instanceof ProbeFailure || addressesOf(told.reply, KMS))).toEqual([
      ['192.0.2.1'],
      ['2001:db8::1'],
    ])
  })

  it('is made anew once the answer is older than a quarter of a second', async () => {
    const { where, asked } = await counting()
    let now = 0
    const pool = createUdpPool()
    onTestFinished(() => pool.close())
    const resolver = createResolver(pool, { ...systemClock, monotonicSeconds: () => now })
    for (const at of [0, 0.25, 0.26, 0.5, 10, 10.1]) {
      now = at
      await resolver.lookUp(where, KMS, deadlineOf(AMPLE_SECONDS), AMPLE_SECONDS)
    }
    expect(asked).toHaveLength(2 * 3)
  })

  it('that nobody answered is made again by the next, who has time left', async () => {
    const { where, asked, mute } = await counting()
    const resolver = resolverOf()
    mute(true)
    const first = resolver.lookUp(where, KMS, deadlineOf(0.1))
    const second = resolver.lookUp(where, KMS, deadlineOf(AMPLE_SECONDS))
    expect(found(await first)).toBe('resolve_timeout')
    mute(false)
    expect(found(await resolver.lookUp(where, KMS, deadlineOf(AMPLE_SECONDS)))).toBe('192.0.2.1')
    await second
    expect(asked.length).toBeGreaterThanOrEqual(4)
  })

  it('of which one kind was not answered asks for that one again, and keeps the other', async () => {
    const asked: number[] = []
    let deaf = true
    const where = await answering(({ type }) => {
      asked.push(type)
      return type === TYPE_CODES.A || !deaf
    })
    const pool = createUdpPool()
    onTestFinished(() => pool.close())
    const resolver = createResolver(pool, { ...systemClock, monotonicSeconds: () => 0 })
    const [first, none] = await resolver.lookUp(where, KMS, deadlineOf(0.5))
    expect([first, none].map((told) => told instanceof ProbeFailure)).toEqual([false, true])
    deaf = false
    const again = await resolver.lookUp(where, KMS, deadlineOf(AMPLE_SECONDS))
    expect(again.map((told) => told instanceof ProbeFailure)).toEqual([false, false])
    expect(asked.map((type) => (type === TYPE_CODES.A ? 'A' : 'AAAA'))).toEqual(['A', 'AAAA', 'AAAA'])
  })

  it('whose first asker is called off goes on for the others', async () => {
    const { where } = await counting()
    const resolver = resolverOf()
    const deadline = deadlineOf(AMPLE_SECONDS)
    const first = resolver.lookUp(where, KMS, deadline)
    const second = resolver.lookUp(where, KMS, deadlineOf(AMPLE_SECONDS + 1))
    deadline.close()
    expect(found(await first)).toBe('resolve_timeout')
    expect(found(await second)).toBe('192.0.2.1')
  })

  it('keeps nobody waiting longer than their own deadline', async () => {
    const { where, mute } = await counting()
    mute(true)
    const resolver = resolverOf()
    const patient = resolver.lookUp(where, KMS, deadlineOf(1))
    const hasty = resolver.lookUp(where, KMS, deadlineOf(0.1))
    expect(await Promise.race([patient.then(() => 'patient'), hasty.then(() => 'hasty')])).toBe('hasty')
    expect(found(await hasty)).toBe('resolve_timeout')
    expect(found(await patient)).toBe('resolve_timeout')
  })

  it('of what is no name is malformed, for those as well who join', async () => {
    const { where, asked } = await counting()
    const resolver = resolverOf()
    for (let time = 0; time < 2; time += 1)
      await expect(resolver.lookUp(where, 'a..b', deadlineOf(1))).rejects.toBeInstanceOf(MalformedMessage)
    expect(asked).toEqual([])
  })
})

describe('of several resolvers', () => {
  it('the second is asked when the first is silent, after its share of the time', async () => {
    const { at, asked } = await counting()
    expect(await resolve('v4.corp.example', [at, server], 1)).toEqual(['192.0.2.4'])
    expect(asked()).toBe(2)
  })

  it.each(['broken.corp.example', 'no.corp.example'])(
    'the second is asked when the first says %s',
    async (name) => {
      const other = await during(startDns({ zones: { 'corp.example': [a(name, '192.0.2.99')] } }, LOOPBACK))
      expect(await resolve(name, [server, other])).toEqual(['192.0.2.99'])
    },
  )

  it.each(['gone.corp.example', 'text.corp.example'])(
    'the second is not asked when the first says that %s has nothing',
    async (name) => {
      const { at, asked } = await counting()
      expect(await reasonOf(resolve(name, [server, at]))).toMatch(/^resolve_(nxdomain|nodata)$/)
      expect(asked()).toBe(0)
    },
  )

  it('the last failure is told when none has an answer', async () => {
    const { at } = await counting()
    expect(await reasonOf(resolve('broken.corp.example', [at, server], 0.4))).toBe('resolve_servfail')
    expect(await reasonOf(resolve('broken.corp.example', [server, at], 0.4))).toBe('resolve_timeout')
  })

  it('having none is not the same as an absent name', async () => {
    expect(await failureOf(resolve('kms01.corp.example', []))).toMatchObject({
      reason: 'resolve_timeout',
      message: 'kms01.corp.example: there is no resolver to ask',
    })
  })
})

describe('one question to one server', () => {
  const ask = (at: Endpoint, name: string, seconds = AMPLE_SECONDS) =>
    resolverOf().ask(at, { name, type: 'A' }, deadlineOf(seconds))

  it('is answered with whatever the reply says', async () => {
    const answer = await ask(server, 'gone.corp.example')
    expect(answer).toMatchObject({
      truncated: false,
      resolver: server,
      reply: { rcode: 'NXDOMAIN', authoritative: true },
    })
    expect(answer).not.toHaveProperty('tcpFailure')
    expect(answer.seconds).toBeGreaterThan(0)
  })

  it('goes on over TCP after a truncated reply', async () => {
    const answer = await ask(server, 'many.corp.example')
    expect(answer).toMatchObject({ truncated: true, reply: { truncated: false } })
    expect(answer.reply.addresses.map(({ address }) => address)).toEqual(MANY)
    expect(answer).not.toHaveProperty('tcpFailure')
  })

  it('says so when TCP is closed', async () => {
    const answer = await ask(await truncating(() => undefined), 'kms01.corp.example')
    expect(answer).toMatchObject({
      truncated: true,
      tcpFailure: { reason: 'connect_refused' },
      reply: { rcode: 'NOERROR' },
    })
  })

  it.each(BAD_TCP_PEERS)('says so when TCP is %s', async (kind) => {
    const at = await truncating((where) => startBadPeer(kind, where, { dripMilliseconds: 50 }))
    const answer = await ask(at, 'kms01.corp.example', 0.4)
    expect(answer.truncated).toBe(true)
    expect(['timeout', 'connect_reset', 'protocol_error', 'too_large']).toContain(answer.tcpFailure?.reason)
  })

  it.each(['closed', 'silent', 'resets', 'echo'] as const)(
    'a name cut off, with TCP %s, is not said to have no address',
    async (kind) => {
      const at = await truncating((where) => (kind === 'closed' ? undefined : startBadPeer(kind, where)))
      expect(await failureOf(resolve('kms01.corp.example', [at], 0.4))).toMatchObject({
        reason: 'resolve_timeout',
        message: expect.stringContaining('cut off, and over TCP: '),
      })
    },
  )

  it('a resolver that cuts off, without TCP, hands on to the next', async () => {
    const at = await truncating(() => undefined)
    expect(await resolve('kms01.corp.example', [at, server])).toEqual(['192.0.2.1', '2001:db8::1'])
  })
})

describe('the addresses at the end of an alias chain', () => {
  const reply = (
    aliases: readonly (readonly [string, string])[],
    addresses: readonly (readonly [string, string, ('answer' | 'additional')?])[],
  ): DnsReply => ({
    rcode: 'NOERROR',
    authoritative: true,
    truncated: false,
    referral: false,
    srv: [],
    aliases: aliases.map(([name, target]) => ({ name, target, ttlSeconds: 1 })),
    addresses: addresses.map(([name, address, section = 'answer']) => ({
      name,
      address,
      section,
      ttlSeconds: 1,
    })),
  })

  it.each([
    ['are those of the name itself', reply([], [['a', '192.0.2.1']]), ['192.0.2.1']],
    [
      'are found over aliases in order',
      reply(
        [
          ['a', 'b'],
          ['b', 'c'],
        ],
        [['c', '192.0.2.1']],
      ),
      ['192.0.2.1'],
    ],
    [
      'are found whatever the order of the records',
      reply(
        [
          ['b', 'c'],
          ['a', 'b'],
        ],
        [['c', '192.0.2.1']],
      ),
      ['192.0.2.1'],
    ],
    [
      'are not those of other names',
      reply(
        [['x', 'y']],
        [
          ['y', '192.0.2.1'],
          ['b', '192.0.2.2'],
        ],
      ),
      [],
    ],
    ['are not what is merely added', reply([], [['a', '192.0.2.1', 'additional']]), []],
    [
      'are named once',
      reply(
        [],
        [
          ['a', '192.0.2.1'],
          ['a', '192.0.2.1'],
        ],
      ),
      ['192.0.2.1'],
    ],
    [
      'are none in a loop',
      reply(
        [
          ['a', 'b'],
          ['b', 'a'],
          ['a', 'a'],
        ],
        [],
      ),
      [],
    ],
  ])('%s', (_what, given, expected) => {
    expect(addressesOf(given, 'a')).toEqual(expected)
  })
})

it('response codes become reasons, and only NOERROR none', () => {
  expect(['NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED', 'FORMERR', 'RCODE_23'].map(rcodeReason)).toEqual([
    undefined,
    'resolve_nxdomain',
    'resolve_servfail',
    'resolve_refused',
    'protocol_error',
    'protocol_error',
  ])
})
