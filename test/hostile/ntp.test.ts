// NTP: what is cut, changed, sent for another, or forged in great numbers. A reply that does not repeat our 64 random bits
// is none; a datagram that is none is passed over.
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/io/clock.ts'
import { askOnce } from '../../src/io/udp.ts'
import { createIo } from '../../src/io/io.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { startNtp } from '../../src/lab/ntp.ts'
import { ProbeFailure } from '../../src/model/failure.ts'
import { askNtp } from '../../src/probes/time-sources.ts'
import { decodeReply, encodeRequest } from '../../src/protocol/ntp.ts'
import { deadlineOf, LOOPBACK, udpPeer } from '../io/support.ts'
import { datagrams, expectEnds, type Way } from './asked.ts'
import { startForger, type Forger } from './forger.ts'
import { startDatagramProxy } from './proxy.ts'

let ntp: Listener
let way: Way<'reference'>
beforeAll(async () => {
  ntp = await startNtp(Date.now, LOOPBACK)
  way = {
    probe: 'reference',
    good: ntp,
    document: ({ address, port }) => ({ probes: { clock: { references: [`${address}:${port}`] } } }),
    word: ({ offset }) => (offset.low < 1 && offset.high > -1 ? 'good' : 'another time'),
  }
})
afterAll(() => ntp.stop())

const patch = (at: number, hex: string) => (answer: Buffer) => {
  answer.write(hex, at, 'hex')
  return [answer]
}

it('is cut at every byte', async () => {
  const rows = Array.from({ length: 48 }, (_, cut) => {
    const tell = (answer: Buffer): readonly Buffer[] => [answer.subarray(0, cut)]
    return [`${cut}`, [tell, 'timeout']] as const
  })
  await expectEnds(way, datagrams(ntp, Object.fromEntries(rows)))
})

it('says something else', async () => {
  const nonce = (answer: Buffer): Buffer => answer.subarray(24, 32)
  await expectEnds(
    way,
    datagrams(ntp, {
      'the answer to another': [patch(24, '0102030405060708'), 'timeout'],
      'the answer to nobody': [patch(24, '0000000000000000'), 'timeout'],
      'a thousand answers to others, then ours': [
        (answer) => [
          ...Array.from(
            { length: 100 },
            (_, index) => patch(24, `${index}`.padStart(16, '0'))(Buffer.from(answer))[0] ?? answer,
          ),
          answer,
        ],
        'good',
      ],
      'ours a hundred times': [(answer) => Array.from({ length: 100 }, () => answer), 'good'],
      'our own question': [(_answer, question) => [question], 'timeout'],
      'mode 5, a broadcast': [patch(0, '25'), 'timeout'],
      'mode 6, control': [patch(0, '26'), 'timeout'],
      '64 KB behind it': [(answer) => [Buffer.concat([answer, Buffer.alloc(60_000)])], 'good'],
      'nothing in a datagram': [() => [Buffer.alloc(0)], 'timeout'],
      'stratum 16, not synchronised': [patch(0, 'e410'), 'good'],
      'the kiss of death DENY, with our own stamp for the time': [
        (answer) => [kiss(answer, 'DENY', nonce(answer))],
        'protocol_error',
      ],
      'the kiss of death RSTR': [(answer) => [kiss(answer, 'RSTR', nonce(answer))], 'protocol_error'],
      'the kiss of death RATE': [(answer) => [kiss(answer, 'RATE', nonce(answer))], 'protocol_error'],
      'the kiss of death RATE, without times': [
        (answer) => [kiss(answer, 'RATE', Buffer.alloc(8))],
        'protocol_error',
      ],
      'INIT, not synchronised yet': [
        (answer) => {
          answer.writeUInt8(0, 1)
          answer.write('INIT', 12, 'latin1')
          return [answer]
        },
        'good',
      ],
      'no times': [patch(32, '00'.repeat(16)), 'protocol_error'],
      'a departure before the arrival': [
        (answer) => {
          answer.writeUInt32BE(answer.readUInt32BE(40) - 60, 40)
          return [answer]
        },
        'good',
      ],
    }),
  )
})

/** As ntpd writes it: all its stamps are the client's own, so that nobody learns the time from it. */
function kiss(answer: Buffer, code: string, stamp: Buffer): Buffer {
  const refusal = Buffer.from(answer)
  refusal.writeUInt8(0xe4, 0)
  refusal.writeUInt8(0, 1)
  refusal.write(code, 12, 'latin1')
  for (const at of [32, 40]) stamp.copy(refusal, at)
  return refusal
}

it('every request carries 64 other bits, and nothing of our clock', async () => {
  const seen: Buffer[] = []
  const peer = await udpPeer((question) => seen.push(Buffer.from(question)))
  const io = createIo()
  onTestFinished(() => io.close())
  const asked = Array.from({ length: 64 }, () => askNtp(peer, io, deadlineOf(0.3)).catch(() => {}))
  await Promise.all(asked)
  expect(seen).toHaveLength(64)
  expect(new Set(seen.map((question) => question.toString('hex', 40, 48))).size).toBe(64)
  // Each bit is sometimes set: of 64 that are not, 2^-64 a bit.
  const either = seen.reduce((all, question) => all | question.readBigUInt64BE(40), 0n)
  const both = seen.reduce((all, question) => all & question.readBigUInt64BE(40), 2n ** 64n - 1n)
  expect([either, both]).toEqual([2n ** 64n - 1n, 0n])
  expect(new Set(seen.map((question) => question.toString('hex', 0, 40)))).toEqual(
    new Set([`23${'00'.repeat(39)}`]),
  )
})

it('is forged at the server’s own address and port, as fast as can be, and never believed', async (context) => {
  let forger: Forger | undefined
  const heard = (question: Buffer, { port }: { port: number }): void => {
    const forged = Buffer.alloc(48)
    forged.writeUInt8(0x24, 0)
    forged.writeUInt8(2, 1)
    question.copy(forged, 32, 40, 48)
    forged.fill(0xaa, 40)
    forger?.flood({ to: port, offset: 24, width: 8, payload: forged })
  }
  const { at } = await startDatagramProxy(ntp, { heard, lateMilliseconds: 200, tcp: false })
  forger = startForger(context, at)
  const strangers: number[] = []
  for (let round = 0; round < 5; round++) {
    const nonce = Buffer.alloc(8, round + 1)
    let looked = 0
    const answer = await askOnce(
      at,
      encodeRequest(nonce),
      (bytes) => {
        looked++
        return decodeReply(bytes, nonce)
      },
      deadlineOf(2),
      systemClock,
    ).catch((error: unknown) => error)
    strangers.push(looked)
    // The true one may drown; that is no answer, and not a false one.
    if (answer instanceof ProbeFailure) expect(answer.reason).toBe('timeout')
    else
      expect(
        Math.abs((answer as { value: { receiveSeconds: number } }).value.receiveSeconds - Date.now() / 1000),
      ).toBeLessThan(5)
  }
  expect(Math.max(...strangers)).toBeGreaterThan(1000)
})
