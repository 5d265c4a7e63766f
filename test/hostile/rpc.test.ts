// The KMS port, behind which everything is wrong that can be with the answer to an RPC bind.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDns } from '../../src/lab/dns.ts'
import { startHttp } from '../../src/lab/http.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { startSmb2 } from '../../src/lab/smb2.ts'
import { LOOPBACK } from '../io/support.ts'
import { endsOf, lengthOfAnswer, offsets, streams, type Way } from './asked.ts'
import {
  after,
  afterQuestion,
  atOnce,
  bytesOf,
  deaf,
  drip,
  dripped,
  edited,
  end,
  flood,
  reset,
  say,
  silence,
} from './proxy.ts'

let rpc: Listener
let way: Way<'port'>
beforeAll(async () => {
  rpc = await startRpc('kms', LOOPBACK)
  way = {
    probe: 'port',
    good: rpc,
    document: ({ port }) => ({
      hosts: [{ name: 'kms01.corp.example', connect_to: '127.0.0.1', port }],
      domains: [],
    }),
    word: ({ addresses: [first] }) =>
      first?.listener === 'kms' ? 'good' : (first?.listener ?? first?.connectFailure ?? ''),
  }
})
afterAll(() => rpc.stop())

const patch = (at: number, hex: string) =>
  edited((answer) => {
    const copy = Buffer.from(answer)
    copy.write(hex, at, 'hex')
    return copy
  })
/** The PDU's own length told as it is after the change. */
const body = (change: (answer: Buffer) => Buffer) =>
  edited((answer) => {
    const changed = change(answer)
    changed.writeUInt16LE(changed.length, 8)
    return changed
  })
const MOST_ACK = Buffer.from('05000c0310000000d016000001000000', 'hex')

it('drips, floods, half-closes', async () => {
  expect(
    await endsOf(
      way,
      streams(rpc, {
        'a good answer, a byte at a time': dripped(100),
        'bytes of a header, for ever': afterQuestion(drip(bytesOf(MOST_ACK), 50)),
        'a header in one piece, then bytes of a body': afterQuestion(say(MOST_ACK, drip([Buffer.of(0)], 50))),
        zeros: afterQuestion(flood(Buffer.alloc(65_536))),
        'a flood of good headers': afterQuestion(flood(MOST_ACK)),
        'a flood before the question': atOnce(flood(Buffer.alloc(65_536, 5))),
        'a good answer, and a flood behind it': edited((answer) => answer, flood(Buffer.alloc(65_536))),
        'a FIN at once, reading on': atOnce(end),
        'a FIN after the question, reading on': afterQuestion(end),
        'a good answer, and a FIN': edited((answer) => answer, end),
        'a good answer, and a reset': edited((answer) => answer, reset),
        'no reading': atOnce(deaf),
        nothing: atOnce(silence),
        'a reset at once': atOnce(reset),
        'a reset after the question': afterQuestion(reset),
      }),
    ),
  ).toEqual({
    'a good answer, a byte at a time': 'silent',
    'bytes of a header, for ever': 'silent',
    'a header in one piece, then bytes of a body': 'silent',
    zeros: 'not_rpc',
    'a flood of good headers': 'not_rpc',
    'a flood before the question': 'not_rpc',
    'a good answer, and a flood behind it': 'good',
    'a FIN at once, reading on': 'closes',
    'a FIN after the question, reading on': 'closes',
    'a good answer, and a FIN': 'good',
    'a good answer, and a reset': 'good',
    'no reading': 'silent',
    nothing: 'silent',
    // The client may hear of the reset before or after its connection stands.
    'a reset at once': expect.stringMatching(/^(?:closes|connect_reset)$/),
    'a reset after the question': 'closes',
  })
})

it.each([
  ['resets', reset, 'closes'],
  ['ends', end, 'closes'],
  ['goes silent', silence, 'silent'],
] as const)('%s at every byte of the answer', async (_what, act, word) => {
  const cuts = offsets(await lengthOfAnswer(way))
  expect(cuts.length).toBeGreaterThan(80)
  const ends = await endsOf(
    way,
    streams(rpc, Object.fromEntries(cuts.map((cut) => [`${cut}`, after(cut, act)]))),
  )
  expect(ends).toEqual(Object.fromEntries(cuts.map((cut) => [`${cut}`, word])))
})

it('lies about lengths', async () => {
  expect(
    await endsOf(
      way,
      streams(rpc, {
        'frag_length 0': patch(8, '0000'),
        'frag_length shorter than a header': patch(8, '0f00'),
        'frag_length of the header alone': patch(8, '1000'),
        'frag_length a byte short': edited((answer) => {
          answer.writeUInt16LE(answer.length - 1, 8)
          return answer
        }),
        'frag_length a byte long': edited((answer) => {
          answer.writeUInt16LE(answer.length + 1, 8)
          return answer
        }),
        'frag_length 65535': patch(8, 'ffff'),
        'frag_length beyond what we offered': patch(8, 'd116'),
        'auth_length 65535': patch(10, 'ffff'),
        'auth_length as long as all': edited((answer) => {
          answer.writeUInt16LE(answer.length, 10)
          return answer
        }),
        'a secondary address of 65535 bytes': patch(24, 'ffff'),
        'a secondary address to the end': body((answer) => {
          answer.writeUInt16LE(answer.length - 26, 24)
          return answer
        }),
        'no results': body((answer) => {
          answer[answer.length - 52] = 0
          return answer
        }),
        '255 results': body((answer) => {
          answer[answer.length - 52] = 255
          return answer
        }),
        'one result of two': body((answer) => {
          answer[answer.length - 52] = 1
          return answer
        }),
        'big-endian, which it is not': patch(4, '00'),
      }),
    ),
  ).toEqual({
    'frag_length 0': 'not_rpc',
    'frag_length shorter than a header': 'not_rpc',
    'frag_length of the header alone': 'not_rpc',
    'frag_length a byte short': 'not_rpc',
    'frag_length a byte long': 'silent',
    'frag_length 65535': 'not_rpc',
    'frag_length beyond what we offered': 'not_rpc',
    'auth_length 65535': 'not_rpc',
    'auth_length as long as all': 'not_rpc',
    'a secondary address of 65535 bytes': 'not_rpc',
    'a secondary address to the end': 'not_rpc',
    'no results': 'not_rpc',
    '255 results': 'not_rpc',
    'one result of two': 'accepts_anything',
    'big-endian, which it is not': 'not_rpc',
  })
})

it("gives another's answer", async () => {
  const http = await startHttp({ name: 'a.example', clock: Date.now, metricsPage: () => undefined }, LOOPBACK)
  const smb2 = await startSmb2(Date.now, LOOPBACK)
  const dns = await startDns({ zones: {} }, LOOPBACK)
  const others = await Promise.all(
    ['other_rpc', 'accept_all', 'nak', 'fault'].map((kind) => startRpc(kind as 'nak', LOOPBACK)),
  )
  const [other, anything, nak, fault] = others.map((each) => async () => ({ at: each, stop: async () => {} }))
  const as = (at: Listener) => async () => ({ at, stop: async () => {} })
  try {
    expect(
      await endsOf(way, {
        'an HTTP server': as(http),
        'an SMB2 server': as(smb2),
        'a DNS server': as(dns),
        ...(other && { 'another RPC server': other }),
        ...(anything && { 'a server of anything': anything }),
        ...(nak && { 'a bind_nak': nak }),
        ...(fault && { 'a fault': fault }),
        ...streams(rpc, {
          'the answer to another call': patch(12, '02000000'),
          'the answer to call -1': patch(12, 'ffffffff'),
          'a bind of its own': patch(2, '0b'),
          'an alter_context_resp': patch(2, '0f'),
          'a shutdown': patch(2, '11'),
          'our own bind': (client) => void client.pipe(client),
          'HTTP unasked': atOnce(say('HTTP/1.1 400 Bad Request\r\n\r\n', end)),
          'an SSH banner': atOnce(say('SSH-2.0-OpenSSH_9.2\r\n')),
          'the negative control accepted too': body((answer) => {
            answer.copy(answer, answer.length - 24, answer.length - 48, answer.length - 24)
            return answer
          }),
          'not its last fragment': patch(3, '01'),
          'fragments without end': afterQuestion(
            flood(Buffer.from('05000c01100000001000000001000000', 'hex')),
          ),
        }),
      }),
    ).toEqual({
      'an HTTP server': 'not_rpc',
      'an SMB2 server': 'closes',
      'a DNS server': 'silent',
      'another RPC server': 'other_rpc',
      'a server of anything': 'accepts_anything',
      'a bind_nak': 'other_rpc',
      'a fault': 'rpc_fault',
      'the answer to another call': 'not_rpc',
      'the answer to call -1': 'not_rpc',
      'a bind of its own': 'not_rpc',
      'an alter_context_resp': 'not_rpc',
      'a shutdown': 'not_rpc',
      'our own bind': 'not_rpc',
      'HTTP unasked': 'not_rpc',
      'an SSH banner': 'not_rpc',
      'the negative control accepted too': 'accepts_anything',
      'not its last fragment': 'not_rpc',
      'fragments without end': 'not_rpc',
    })
  } finally {
    await Promise.all([http, smb2, dns, ...others].map((each) => each.stop()))
  }
})
