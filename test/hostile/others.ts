// A good server of each kind, for the tests in which one answers in another's place.
import { startDns } from '../../src/lab/dns.ts'
import { startHttp } from '../../src/lab/http.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { startSmb2 } from '../../src/lab/smb2.ts'
import { kmsHost } from '../../src/lab/windows-machine.ts'
import { startWinrm } from '../../src/lab/winrm.ts'
import { LOOPBACK } from '../io/support.ts'
import type { Wrongs } from './asked.ts'
import type { Peer } from './proxy.ts'

const NAME = 'other.example'
const START: Readonly<Record<string, () => Promise<Listener>>> = {
  'an RPC server': () => startRpc('kms', LOOPBACK),
  'an SMB2 server': () => startSmb2(Date.now, LOOPBACK),
  'a DNS server': () => startDns({ zones: {} }, LOOPBACK),
  'an HTTP server': () => startHttp({ name: NAME, clock: Date.now, metricsPage: () => undefined }, LOOPBACK),
  'a WinRM server': () => startWinrm(kmsHost({ name: NAME }), LOOPBACK),
}

/** How each of them ends, by name. */
export function others(ends: Readonly<Record<string, string | RegExp>>): Wrongs {
  return Object.fromEntries(
    Object.entries(START).flatMap(([name, start]) => {
      const word = ends[name]
      if (word === undefined) return []
      const peer = async (): Promise<Peer> => {
        const at = await start()
        return { at, stop: () => at.stop() }
      }
      return [[name, [peer, word]]]
    }),
  )
}
