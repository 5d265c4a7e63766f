// The KMS port, behind which everything is wrong that can be with the answer to an RPC bind.
import { afterAll, beforeAll, it } from 'vitest'
import type { Listener } from '../../src/lab/listener.ts'
import { startRpc, type RpcBehaviour } from '../../src/lab/rpc.ts'
import { LOOPBACK } from '../io/support.ts'
import { cuts, expectEnds, streams, usual, type Way } from './asked.ts'
import { others } from './others.ts'
import {
  afterQuestion,
  atOnce,
  bytesOf,
  drip,
  edited,
  end,
  flood,
  reset,
  say,
  silence,
  type Peer,
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
async function rpcThat(behaviour: RpcBehaviour): Promise<Peer> {
  const at = await startRpc(behaviour, LOOPBACK)
  return { at, stop: () => at.stop() }
}

const MOST_ACK = Buffer.from('05000c0310000000d016000001000000', 'hex')

it('drips, floods, half-closes', async () => {
  await expectEnds(way, {
    ...usual(rpc, { silent: 'silent', closed: 'closes', zeros: 'not_rpc' }),
    ...streams(rpc, {
      'bytes of a header, for ever': [afterQuestion(drip(bytesOf(MOST_ACK), 50)), 'silent'],
      'a header in one piece, then bytes of a body': [
        afterQuestion(say(MOST_ACK, drip([Buffer.of(0)], 50))),
        'silent',
      ],
      'good headers without end': [afterQuestion(flood(MOST_ACK)), 'not_rpc'],
      'a version 5 before the question': [atOnce(flood(Buffer.alloc(65_536, 5))), 'not_rpc'],
    }),
  })
})

it.each([
  ['resets', reset, 'closes'],
  ['ends', end, 'closes'],
  ['goes silent', silence, 'silent'],
] as const)('%s at every byte of the answer', async (_what, act, word) => {
  await expectEnds(way, await cuts(way, act, word))
})

it('lies about lengths', async () => {
  await expectEnds(
    way,
    streams(rpc, {
      'frag_length 0': [patch(8, '0000'), 'not_rpc'],
      'frag_length shorter than a header': [patch(8, '0f00'), 'not_rpc'],
      'frag_length of the header alone': [patch(8, '1000'), 'not_rpc'],
      'frag_length a byte short': [
        edited((answer) => {
          answer.writeUInt16LE(answer.length - 1, 8)
          return answer
        }),
        'not_rpc',
      ],
      'frag_length a byte long': [
        edited((answer) => {
          answer.writeUInt16LE(answer.length + 1, 8)
          return answer
        }),
        'silent',
      ],
      'frag_length 65535': [patch(8, 'ffff'), 'not_rpc'],
      'frag_length beyond what we offered': [patch(8, 'd116'), 'not_rpc'],
      'auth_length 65535': [patch(10, 'ffff'), 'not_rpc'],
      'auth_length as long as all': [
        edited((answer) => {
          answer.writeUInt16LE(answer.length, 10)
          return answer
        }),
        'not_rpc',
      ],
      'a secondary address of 65535 bytes': [patch(24, 'ffff'), 'not_rpc'],
      'a secondary address to the end': [
        body((answer) => {
          answer.writeUInt16LE(answer.length - 26, 24)
          return answer
        }),
        'not_rpc',
      ],
      'no results': [
        body((answer) => {
          answer[answer.length - 52] = 0
          return answer
        }),
        'not_rpc',
      ],
      '255 results': [
        body((answer) => {
          answer[answer.length - 52] = 255
          return answer
        }),
        'not_rpc',
      ],
      'one result of two': [
        body((answer) => {
          answer[answer.length - 52] = 1
          return answer
        }),
        'accepts_anything',
      ],
      'big-endian, which it is not': [patch(4, '00'), 'not_rpc'],
    }),
  )
})

it("gives another's answer", async () => {
  await expectEnds(way, {
    ...others({
      'an HTTP server': 'not_rpc',
      'an SMB2 server': 'closes',
      'a DNS server': 'silent',
      'a WinRM server': 'not_rpc',
    }),
    'another RPC server': [() => rpcThat('other_rpc'), 'other_rpc'],
    'a server of anything': [() => rpcThat('accept_all'), 'accepts_anything'],
    'a bind_nak': [() => rpcThat('nak'), 'other_rpc'],
    'a fault': [() => rpcThat('fault'), 'rpc_fault'],
    ...streams(rpc, {
      'the answer to another call': [patch(12, '02000000'), 'not_rpc'],
      'the answer to call -1': [patch(12, 'ffffffff'), 'not_rpc'],
      'a bind of its own': [patch(2, '0b'), 'not_rpc'],
      'an alter_context_resp': [patch(2, '0f'), 'not_rpc'],
      'a shutdown': [patch(2, '11'), 'not_rpc'],
      'our own bind': [(client) => void client.pipe(client), 'not_rpc'],
      'HTTP unasked': [atOnce(say('HTTP/1.1 400 Bad Request\r\n\r\n', end)), 'not_rpc'],
      'an SSH banner': [atOnce(say('SSH-2.0-OpenSSH_9.2\r\n')), 'not_rpc'],
      'the negative control accepted too': [
        body((answer) => {
          answer.copy(answer, answer.length - 24, answer.length - 48, answer.length - 24)
          return answer
        }),
        'accepts_anything',
      ],
      'not its last fragment': [patch(3, '01'), 'not_rpc'],
      'fragments without end': [
        afterQuestion(flood(Buffer.from('05000c01100000001000000001000000', 'hex'))),
        'not_rpc',
      ],
    }),
  })
})
