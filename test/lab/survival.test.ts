// The lab must outlive whatever a defective client sends: valid messages with random damage, then a valid one.
import { afterEach, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { startDns } from '../../src/lab/dns.ts'
import { startHttp } from '../../src/lab/http.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { startSmb2 } from '../../src/lab/smb2.ts'
import { kmsHost } from '../../src/lab/windows-machine.ts'
import { startWinrm } from '../../src/lab/winrm.ts'
import { LOOPBACK, ask, hex, talk } from './raw-client.ts'
import { CREDENTIALS, soap } from './wsman-client.ts'

const BIND = hex(`05000b03 10000000 4800 0000 01000000 d016d016 00000000 01000000 0000 0100
  7521c851 4e84 5047 b0d8 ec255555bc06 0100 0000 045d888a eb1c c911 9fe8 08002b104860 0200 0000`)
const NEGOTIATE =
  hex(`00000066 fe534d42 4000 ${'00'.repeat(58)} 2400 0100 0100 0000 00000000 ${'ab'.repeat(16)}
  0000000000000000 0202`)
const QUERY = hex(
  '1234 0100 0001 0000 0000 0001 03 646e73 07 6578616d706c65 00 0001 0001 00 0029 04d0 00000000 0000',
)
const OVER_TCP = Buffer.concat([Buffer.of(0, QUERY.length), QUERY])
const DNS = { zones: { 'dns.example': [{ name: 'dns.example', type: 'A', data: '192.0.2.1' } as const] } }

const ENUMERATE = soap(
  'http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate',
  'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*',
  `<e:Enumerate><w:OptimizeEnumeration/><w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">
  SELECT Name FROM Win32_Service WHERE Name LIKE 's%' AND NOT State = NULL</w:Filter></e:Enumerate>`,
)
const WINRM = Buffer.from(
  `POST /wsman HTTP/1.1\r\nHost: a\r\nAuthorization: ${CREDENTIALS}\r\nContent-Length: ${ENUMERATE.length}\r\n\r\n${ENUMERATE}`,
)

let listener: Listener | undefined
afterEach(async () => {
  await listener?.stop()
})

/** The message with some bytes replaced and perhaps its end missing. */
function damaged(message: Buffer): fc.Arbitrary<Buffer> {
  const changes = fc.array(fc.tuple(fc.nat(message.length - 1), fc.nat(255)), { maxLength: 6 })
  return fc.tuple(changes, fc.nat(message.length)).map(([replaced, cut]) => {
    const bytes = Buffer.from(message)
    for (const [at, value] of replaced) bytes[at] = value
    return bytes.subarray(0, cut % 3 === 0 ? cut : bytes.length)
  })
}

it.each([
  ['RPC', () => startRpc('accept_all', LOOPBACK), BIND],
  ['SMB2', () => startSmb2(Date.now, LOOPBACK), NEGOTIATE],
  ['DNS over TCP', () => startDns(DNS, LOOPBACK), OVER_TCP],
  [
    'HTTP',
    () => startHttp({ name: 'a.b', clock: Date.now, metricsPage: () => '' }, LOOPBACK),
    Buffer.from(
      'GET /wsman HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM TlRMTVNTUAABAAAAl4II4gAAAAAAAAAA\r\n\r\n',
    ),
  ],
  ['WinRM', () => startWinrm(kmsHost(), LOOPBACK), WINRM],
])('%s survives', async (_name, start, valid) => {
  const running = (listener = await start())
  await fc.assert(
    fc.asyncProperty(damaged(valid), async (bytes) => {
      await talk(running, bytes, { enough: 1, patienceMilliseconds: 20 })
    }),
    { numRuns: 100 },
  )
  expect((await talk(running, valid, { enough: 1 })).received.length).toBeGreaterThan(0)
})

it('DNS over UDP survives', async () => {
  const running = (listener = await startDns(DNS, LOOPBACK))
  await fc.assert(
    fc.asyncProperty(damaged(QUERY), async (bytes) => {
      await ask(running, bytes, 20)
    }),
    { numRuns: 200 },
  )
  expect(await ask(running, QUERY)).toBeDefined()
})
