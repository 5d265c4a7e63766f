// The clock by SMB2, and everything that can be wrong with the answer to NEGOTIATE.
import { afterAll, beforeAll, it } from 'vitest'
import type { Listener } from '../../src/lab/listener.ts'
import { startSmb2 } from '../../src/lab/smb2.ts'
import { LOOPBACK } from '../io/support.ts'
import { cuts, expectEnds, streams, usual, type Way } from './asked.ts'
import { others } from './others.ts'
import { afterQuestion, bytesOf, drip, edited, end, flood, reset, say, silence } from './proxy.ts'

let smb2: Listener
let way: Way<'clock'>
beforeAll(async () => {
  smb2 = await startSmb2(Date.now, LOOPBACK)
  way = {
    probe: 'clock',
    good: smb2,
    document: ({ port }) => ({
      hosts: [
        {
          name: 'kms01.corp.example',
          connect_to: '127.0.0.1',
          probes: { clock: { sources: ['smb2'], ports: { smb2: port } } },
        },
      ],
      domains: [],
    }),
    word: ({ samples: [sample] }) =>
      sample !== undefined && sample.offset.low < 1 && sample.offset.high > -1 ? 'good' : 'another time',
  }
})
afterAll(() => smb2.stop())

const patch = (at: number, hex: string) =>
  edited((answer) => {
    answer.write(hex, at, 'hex')
    return answer
  })
/** Session message, SMB2, 65,535 bytes announced. */
const HEAD = Buffer.from('0000fffffe534d424000', 'hex')

it('drips, floods, half-closes', async () => {
  await expectEnds(way, {
    ...usual(smb2, { silent: 'timeout', closed: 'connect_reset', zeros: 'protocol_error' }),
    ...streams(smb2, {
      'bytes of a message, for ever': [afterQuestion(drip(bytesOf(HEAD), 50)), 'timeout'],
      'a head in one piece, then bytes': [afterQuestion(say(HEAD, drip([Buffer.of(0)], 50))), 'timeout'],
      'keep-alives without end': [
        afterQuestion(flood(Buffer.from('85000000'.repeat(1000), 'hex'))),
        'protocol_error',
      ],
      'a message without end': [
        afterQuestion(flood(Buffer.concat([HEAD, Buffer.alloc(65_536)]))),
        'protocol_error',
      ],
    }),
  })
})

it.each([
  ['resets', reset, 'connect_reset'],
  ['ends', end, 'connect_reset'],
  ['goes silent', silence, 'timeout'],
] as const)('%s at every byte of the answer', async (_what, act, word) => {
  await expectEnds(way, await cuts(way, act, word))
})

it('lies about lengths', async () => {
  // Where Windows says that more can be found is nothing that we go after: the time has its place.
  // Where it says that more can be found is nothing that we go after: the time has its place.
  await expectEnds(
    way,
    streams(smb2, {
      'a message of 0 bytes': [patch(0, '00000000'), 'protocol_error'],
      'a message of 3 bytes': [patch(0, '00000003'), 'protocol_error'],
      'a message of the header alone': [patch(0, '00000040'), 'protocol_error'],
      'a message a byte longer than it is': [
        edited((answer) => {
          answer.writeUIntBE(answer.length - 3, 1, 3)
          return answer
        }),
        'timeout',
      ],
      'a message of 2^24 - 1 bytes': [patch(0, '00ffffff'), 'protocol_error'],
      'a header of 0 bytes': [patch(8, '0000'), 'protocol_error'],
      'a header of 65535 bytes': [patch(8, 'ffff'), 'protocol_error'],
      'an answer of another size': [patch(68, '4000'), 'protocol_error'],
      'a security buffer far outside': [patch(124, 'ffffffff'), 'good'],
      'negotiate contexts far outside': [patch(128, 'ffffffff'), 'good'],
      '65535 negotiate contexts': [patch(74, 'ffff'), 'good'],
      'another message behind, far outside': [patch(24, 'ffffffff'), 'good'],
      'a transact size of 2^32 - 1': [patch(96, 'ffffffff'.repeat(3)), 'good'],
    }),
  )
})

it("gives another's answer", async () => {
  await expectEnds(way, {
    ...others({
      'an RPC server': 'connect_reset',
      'a DNS server': 'protocol_error',
      'an HTTP server': 'protocol_error',
      'a WinRM server': 'protocol_error',
    }),
    ...streams(smb2, {
      'the answer to message 1': [patch(28, '0100000000000000'), 'protocol_error'],
      'the answer to message -1': [patch(28, 'ffffffffffffffff'), 'protocol_error'],
      'the answer to another command': [patch(16, '0100'), 'protocol_error'],
      'our own question': [(client) => void client.pipe(client), 'protocol_error'],
      SMB1: [patch(4, 'ff534d42'), 'protocol_error'],
      'a sealed message': [patch(4, 'fd534d42'), 'protocol_error'],
      'a refusal': [patch(12, '220000c0'), 'protocol_error'],
      'that it is not done yet, for ever': [patch(12, '03010000'), 'protocol_error'],
      'no time': [patch(108, '0000000000000000'), 'protocol_error'],
      'a time before 1970': [patch(108, '0100000000000000'), 'protocol_error'],
      'a time of -1': [patch(108, 'ffffffffffffffff'), 'protocol_error'],
      'a time of 2^63': [patch(108, '0000000000000080'), 'protocol_error'],
    }),
  })
})
