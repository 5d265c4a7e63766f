// What hosts that refuse, stall, or answer with something else do to the account, and to the hosts beside them.
import { createServer, type ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { ProbeFailure } from '../../../src/model/failure.ts'
import { formatEndpoint } from '../../../src/model/target.ts'
import { during } from '../../during.ts'
import { listenServer } from '../../../src/lab/listener.ts'
import { deadlineOf, LOOPBACK } from '../support.ts'
import { accessTo, basicCredential, HOST, winrmPool } from './winrm-support.ts'
import type { WinrmPool } from '../../../src/io/windows/winrm.ts'
import type { Credential } from '../../../src/config/schema.ts'

type Act = (response: ServerResponse) => void

const refuses: Act = (response) =>
  void response.writeHead(401, { 'www-authenticate': 'Basic realm="WSMAN"' }).end()
const offersNothingOfOurs: Act = (response) =>
  void response.writeHead(401, { 'www-authenticate': ['Negotiate', 'Kerberos'] }).end()
const accepts: Act = (response) =>
  void response.writeHead(200, { 'content-type': 'application/soap+xml' }).end('<a/>')
const silent: Act = () => {}
const refusesLate: Act = (response) => void setTimeout(() => refuses(response), 600)
const answers =
  (status: number, type = 'text/html'): Act =>
  (response) =>
    void response.writeHead(status, { 'content-type': type }).end('<html>')

interface Peer {
  readonly url: string
  /** How often the password has come. */
  readonly proofs: () => number
}

async function peerThat(act: Act): Promise<Peer> {
  let proofs = 0
  const server = createServer((request, response) => {
    if (request.headers.authorization?.startsWith('Basic ') === true) proofs++
    request.resume().on('end', () => act(response))
  })
  const endpoint = await during(listenServer(server, LOOPBACK))
  return { url: `http://${formatEndpoint(endpoint)}/wsman`, proofs: () => proofs }
}

const peersThat = (count: number, act: Act): Promise<Peer[]> =>
  Promise.all(Array.from({ length: count }, () => peerThat(act)))

const proofsOf = (peers: readonly Peer[]): number => peers.reduce((sum, { proofs }) => sum + proofs(), 0)

async function setting() {
  const pool: WinrmPool = winrmPool()
  const { credential } = await basicCredential()
  return { pool, credential }
}

/** One visit: `ok`, or why not. */
async function visit(
  pool: WinrmPool,
  credential: Credential,
  { url }: Peer,
  seconds = 5,
): Promise<{ readonly reason: string; readonly detail: string }> {
  const deadline = deadlineOf(seconds)
  try {
    await pool.open(HOST, accessTo(url, credential), { deadline, enter() {} })
    return { reason: 'ok', detail: '' }
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error
    return { reason: error.reason, detail: error.message }
  }
}

describe('a wrong password', () => {
  it('reaches two of twelve hosts that are asked at once', async () => {
    const { pool, credential } = await setting()
    const peers = await peersThat(12, refuses)
    const ends = await Promise.all(peers.map((peer) => visit(pool, credential, peer)))
    expect(proofsOf(peers)).toBe(2)
    expect(new Set(ends.map(({ reason }) => reason))).toEqual(new Set(['auth_failed']))
  })

  it.each([404, 503, 302, 200])(
    'is not taken for a right one because something else answers %d',
    async (status) => {
      const { pool, credential } = await setting()
      const peers = await peersThat(6, refuses)
      const other = await peerThat(answers(status))
      for (const peer of peers) {
        expect((await visit(pool, credential, other)).reason).not.toBe('ok')
        await visit(pool, credential, peer)
      }
      expect(proofsOf(peers)).toBe(2)
    },
  )

  it('whose refusal comes later than the visit waits is not sent again and again', async () => {
    const { pool, credential } = await setting()
    const peer = await peerThat(refusesLate)
    const ends = []
    for (let turn = 0; turn < 6; turn++) ends.push(await visit(pool, credential, peer, 0.2))
    expect(peer.proofs()).toBe(1)
    expect(ends.map(({ reason }) => reason)).toEqual(Array(6).fill('timeout'))
    expect(ends[5]?.detail).toMatch(
      /the last logon was not answered; not tried again before \d\d:\d\d:\d\d UTC/,
    )
  })

  it('is not what a host says that does not offer Basic', async () => {
    const { pool, credential } = await setting()
    const closed = await peersThat(4, offersNothingOfOurs)
    const ends = await Promise.all(closed.map((peer) => visit(pool, credential, peer)))
    expect(ends[0]).toMatchObject({ reason: 'auth_failed' })
    expect(ends[0]?.detail).toContain('does not offer Basic')
    const healthy = await peerThat(accepts)
    expect((await visit(pool, credential, healthy)).reason).toBe('ok')
    expect((await visit(pool, credential, closed[0] ?? healthy)).detail).toContain('turned away before')
  })
})

describe('hosts that accept connections and say nothing', () => {
  it('keep nobody else from being asked for longer than one visit', async () => {
    const { pool, credential } = await setting()
    const hung = await peersThat(2, silent)
    const healthy = await peersThat(5, accepts)
    const round = (seconds: number) =>
      Promise.all([...hung, ...healthy].map((peer) => visit(pool, credential, peer, seconds)))
    const first = await round(0.5)
    expect(first.map(({ reason }) => reason)).toEqual(Array(7).fill('timeout'))
    expect(proofsOf(healthy)).toBe(0)
    // The two are not asked again so soon, whatever time there is.
    const ends = await round(10)
    expect(ends.slice(2).map(({ reason }) => reason)).toEqual(Array(5).fill('ok'))
    expect(proofsOf(hung)).toBe(2)
  })
})
