import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createNtlmSession, sessionKeys } from '../../src/protocol/ntlm-session.ts'
import { fromHex, malformedBy, patched, toHex } from './support.ts'

// MS-NLMP 4.2.1 and 4.2.4.4.
const SESSION_KEY = new Uint8Array(16).fill(0x55)
const PLAINTEXT = Buffer.from('Plaintext', 'utf16le')

function sides() {
  return { client: createNtlmSession(SESSION_KEY), server: createNtlmSession(SESSION_KEY, 'server') }
}

describe('the keys', () => {
  it('are those of the specification’s example', () => {
    const { signing, sealing } = sessionKeys(SESSION_KEY, 'client-to-server')
    expect(toHex(sealing)).toBe('59f600973cc4960a25480a7c196e4c58')
    expect(toHex(signing)).toBe('4788dc861b4782f35d43fd98fe1a2d39')
  })
})

describe('a session', () => {
  it('seals and signs as the specification’s example', () => {
    const { signature, data } = sides().client.seal(PLAINTEXT)
    expect(toHex(data)).toBe('54e50165bf1936dc996020c1811b0f06fb5f')
    expect(toHex(signature)).toBe('010000007fb38ec5c55d497600000000')
  })

  it('seals as a server with the keys of the other direction', () => {
    // From the tests of another implementation (python-ntlm3), for the same key and text.
    const { signature, data } = sides().server.seal(PLAINTEXT)
    expect(toHex(data)).toBe('160871b730ba74e946c453d7465b54278dd0')
    expect(toHex(signature)).toBe('01000000b298b847ce7c580700000000')
  })

  it('brings any messages across, each way by itself', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.uint8Array())), (messages) => {
        const { client, server } = sides()
        for (const [fromClient, plain] of messages) {
          const [from, to] = fromClient ? [client, server] : [server, client]
          expect(to.unseal(from.seal(plain))).toEqual(plain)
        }
      }),
    )
  })

  it('takes no message of which any bit was changed', () => {
    const { length } = PLAINTEXT
    fc.assert(
      fc.property(fc.nat({ max: (length + 16) * 8 - 1 }), (bit) => {
        const { client, server } = sides()
        const { signature, data } = client.seal(PLAINTEXT)
        const whole = Buffer.concat([signature, data])
        whole[bit >> 3] = (whole[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const altered = { signature: whole.subarray(0, 16), data: whole.subarray(16) }
        expect(malformedBy(() => server.unseal(altered))?.message).toContain('signature')
      }),
    )
  })

  it.each<readonly [string, (sides_: ReturnType<typeof sides>) => unknown]>([
    [
      'twice',
      ({ client, server }) => {
        const message = client.seal(PLAINTEXT)
        server.unseal(message)
        server.unseal(message)
      },
    ],
    [
      'after one that was lost',
      ({ client, server }) => {
        client.seal(PLAINTEXT)
        server.unseal(client.seal(PLAINTEXT))
      },
    ],
    ['that is its own', ({ client }) => client.unseal(client.seal(PLAINTEXT))],
    [
      'with a short signature',
      ({ client, server }) => server.unseal({ ...client.seal(PLAINTEXT), signature: fromHex('01000000') }),
    ],
    [
      'of another version',
      ({ client, server }) => {
        const { signature, data } = client.seal(PLAINTEXT)
        server.unseal({ signature: patched(signature, 0, '02'), data })
      },
    ],
  ])('takes no message %s', (_, work) => {
    expect(malformedBy(() => work(sides()))).toBeDefined()
  })
})
