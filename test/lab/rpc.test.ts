// The RPC listeners against binds written byte by byte after C706 12.6.4; nothing here comes from the product.
import { afterEach, describe, expect, it } from 'vitest'
import type { RpcBehaviour } from '../../src/lab/rpc.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { LOOPBACK, hex, talk } from './raw-client.ts'

const KMS = '7521c851 4e84 5047 b0d8 ec255555bc06 0100 0000'
const KMS_V2 = '7521c851 4e84 5047 b0d8 ec255555bc06 0200 0000'
const EPM = '0883afe1 1f5d c911 91a4 08002b14a0fa 0300 0000'
const INVENTED = '00112233 4455 6677 8899 aabbccddeeff 0100 0000'
const NDR32 = '045d888a eb1c c911 9fe8 08002b104860 0200 0000'
const NDR64 = '33057171 babe 3749 8319 b5dbef9ccc36 0100 0000'
const REFUSED_INTERFACE = '0200 0100' + '00'.repeat(20)
const REFUSED_TRANSFER = '0200 0200' + '00'.repeat(20)
const ACCEPTED = '0000 0000' + NDR32

function bind(
  contexts: readonly (readonly [interfaceHex: string, ...transfers: string[]])[],
  version = '05',
): Buffer {
  const items = contexts.map(([abstract, ...transfers], i) =>
    hex(`0${i}00 0${transfers.length}00 ${abstract} ${transfers.join('')}`),
  )
  const body = Buffer.concat([hex(`d016 d016 00000000 0${contexts.length} 000000`), ...items])
  const header = hex(`${version}00 0b03 10000000 0000 0000 78563412`)
  header.writeUInt16LE(16 + body.length, 8)
  return Buffer.concat([header, body])
}

let listener: Listener | undefined
afterEach(async () => {
  await listener?.stop()
})

async function bindTo(behaviour: RpcBehaviour, pdu: Buffer, split = false): Promise<Buffer> {
  listener = await startRpc(behaviour, LOOPBACK)
  const { received } = await talk(listener, pdu, { enough: 'one RPC fragment', split })
  return received
}

/** The results of a bind_ack, whose other fields are checked on the way. */
function resultsOf(ack: Buffer): string[] {
  expect(ack.subarray(0, 8)).toEqual(hex('05 00 0c 03 10 00 00 00'))
  expect(ack.readUInt16LE(8)).toBe(ack.length)
  expect(ack.readUInt16LE(10)).toBe(0)
  expect(ack.readUInt32LE(12)).toBe(0x12345678)
  expect(ack.readUInt32LE(20)).not.toBe(0)
  const port = `${listener?.port}\0`
  expect(ack.readUInt16LE(24)).toBe(port.length)
  expect(ack.toString('latin1', 26, 26 + port.length)).toBe(port)
  let at = 26 + port.length
  while (at % 4 !== 0) at += 1
  const count = ack.readUInt32LE(at)
  expect(ack.length).toBe(at + 4 + 24 * count)
  return Array.from({ length: count }, (_, i) => ack.toString('hex', at + 4 + 24 * i, at + 28 + 24 * i))
}

const plain = (text: string): string => text.replaceAll(' ', '')

describe('a bind to', () => {
  const proposed = bind([
    [KMS, NDR32],
    [INVENTED, NDR32],
    [EPM, NDR32],
    [KMS_V2, NDR32],
    [KMS, NDR64],
    [KMS, NDR64, NDR32],
  ])
  const cases: readonly [RpcBehaviour, readonly string[]][] = [
    ['kms', [ACCEPTED, REFUSED_INTERFACE, REFUSED_INTERFACE, REFUSED_INTERFACE, REFUSED_TRANSFER, ACCEPTED]],
    [
      'other_rpc',
      [
        REFUSED_INTERFACE,
        REFUSED_INTERFACE,
        ACCEPTED,
        REFUSED_INTERFACE,
        REFUSED_INTERFACE,
        REFUSED_INTERFACE,
      ],
    ],
    ['accept_all', [ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED, `0000 0000 ${NDR64}`, ACCEPTED]],
  ]
  it.each(cases)('%s is answered context by context', async (behaviour, expected) => {
    expect(resultsOf(await bindTo(behaviour, proposed))).toEqual(expected.map(plain))
  })

  it('kms arriving byte by byte is answered as well', async () => {
    expect(resultsOf(await bindTo('kms', bind([[KMS, NDR32]]), true))).toEqual([plain(ACCEPTED)])
  })

  it('nak gets a bind_nak that names version 5.0', async () => {
    expect(await bindTo('nak', bind([[KMS, NDR32]]))).toEqual(
      hex('05000d03 10000000 1500 0000 78563412 0400 01 0500'),
    )
  })

  it('kms in RPC version 4 gets the same', async () => {
    expect(await bindTo('kms', bind([[KMS, NDR32]], '04'))).toEqual(
      hex('05000d03 10000000 1500 0000 78563412 0400 01 0500'),
    )
  })

  it('fault gets a fault', async () => {
    const answer = await bindTo('fault', bind([[KMS, NDR32]]))
    expect(answer.subarray(0, 4)).toEqual(hex('05 00 03 23'))
    expect(answer.readUInt32LE(24)).toBe(0x1c01000b)
  })
})

describe('there is no KMS reply', () => {
  it.each(['kms', 'other_rpc', 'accept_all', 'nak', 'fault'] as const)(
    'a request PDU to %s gets the fault nca_s_op_rng_error and nothing else',
    async (behaviour) => {
      // An empty request: header, alloc hint, context 0, operation 0.
      const request = hex('05000003 10000000 1800 0000 07000000 00000000 0000 0000')
      listener = await startRpc(behaviour, LOOPBACK)
      const { received } = await talk(listener, request, { patienceMilliseconds: 400 })
      expect(received).toEqual(
        hex('05000323 10000000 2000 0000 07000000 00000000 0000 00 00 0200011c 00000000'),
      )
    },
  )

  it('a request PDU after an accepted bind gets the fault too', async () => {
    listener = await startRpc('kms', LOOPBACK)
    const request = hex('05000003 10000000 1800 0000 07000000 00000000 0000 0000')
    const { received } = await talk(listener, Buffer.concat([bind([[KMS, NDR32]]), request]), {
      patienceMilliseconds: 400,
    })
    const fault = received.subarray(received.readUInt16LE(8))
    expect([fault.length, fault[2], fault.readUInt32LE(24)]).toEqual([32, 3, 0x1c010002])
  })
})

describe('what is no bind', () => {
  it.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a bind cut short inside its own length', hex('05000b03 10000000 1800 0000 01000000 d016d016 00000000')],
    [
      'a count of contexts that are not there',
      hex('05000b03 10000000 1c00 0000 01000000 d016d016 00000000 05000000'),
    ],
    ['a length below the header', hex('05000b03 10000000 0400 0000 01000000')],
    ['another PDU type', hex('05000e03 10000000 1000 0000 01000000')],
  ])('%s closes the connection', async (_name, bytes) => {
    listener = await startRpc('kms', LOOPBACK)
    const { received, end } = await talk(listener, bytes)
    expect(received).toHaveLength(0)
    expect(['closed', 'reset']).toContain(end)
  })
})
