// A slow or silent resolver is the resolver's fault: what it leaves no time to ask is never said to be silent. Who sits on
// the port is told apart in test/real/port.test.ts.
import { expect, it } from 'vitest'
import { startBadUdpPeer } from '../../src/lab/bad-peer.ts'
import { decodeQuery, encodeAnswer, TYPE_CODES } from '../../src/lab/dns-wire.ts'
import { startFiltered } from '../../src/lab/filtered.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { formatEndpoint, type Endpoint } from '../../src/model/target.ts'
import type { ResultOf } from '../../src/probes/index.ts'
import { during } from '../during.ts'
import { LOOPBACK, udpPeer } from '../io/support.ts'
import { askOne, readingOf } from '../real/ask.ts'

const NAME = 'kms01.corp.example'

function ask(resolver: Endpoint, port: number, timeout: string, more = ''): Promise<ResultOf<'port'>> {
  return askOne(
    `resolvers: ["${formatEndpoint(resolver)}"]
domains: []
probes: { port: { timeout: ${timeout} } }
hosts: [{ name: ${NAME}, port: ${port}${more} }]
`,
    'port',
  )
}

it('a silent resolver leaves time for the addresses that are configured', async () => {
  const resolver = await during(startBadUdpPeer('silent', LOOPBACK))
  const host = await during(startRpc('kms', LOOPBACK))
  const asked = ask(resolver, host.port, '4s', ', addresses: [127.0.0.1]')
  expect(readingOf(await asked)).toMatchObject({
    addresses: [{ address: '127.0.0.1', inDns: false, expected: true, listener: 'kms' }],
    resolveFailure: { reason: 'resolve_timeout' },
  })
})

it('a resolver that answers at the last moment does not make the host a silent one', async () => {
  const resolver = await udpPeer((message, reply) => {
    const query = decodeQuery(message)
    const data = '127.0.0.1'
    const answer = {
      rcode: 'noerror',
      authoritative: true,
      answers: query?.type === TYPE_CODES.A ? [{ name: NAME, type: 'A', data } as const] : [],
      authority: [],
      additional: [],
    } as const
    if (query) setTimeout(() => reply(encodeAnswer(query, answer, 512)), 1700)
  })
  const host = await during(startFiltered(LOOPBACK))
  const { reading, failure } = await ask(resolver, host.port, '2s')
  expect(reading).toBeUndefined()
  // On a machine that is busy, too late even for the name.
  expect(['timeout', 'resolve_timeout']).toContain(failure?.reason)
})
