// The simulated clocks, read with bytes and arithmetic written here after MS-SMB2 2.2.3-4, RFC 5905 7.3 and
// MS-NLMP 2.2.1.2, and with Node's own HTTP client.
import { afterEach, describe, expect, it } from 'vitest'
import { skewedClock } from '../../src/lab/clock.ts'
import { startHttp } from '../../src/lab/http.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { startNtp } from '../../src/lab/ntp.ts'
import { startSmb2 } from '../../src/lab/smb2.ts'
import { renderWindowsPage } from '../../src/lab/windows-page.ts'
import { LOOPBACK, ask, hex, talk } from './raw-client.ts'

const AHEAD_SECONDS = 18_000
const clock = skewedClock(AHEAD_SECONDS)

let listener: Listener | undefined
afterEach(async () => {
  await listener?.stop()
})

/** Between before and after, as the real clock plus the offset; a millisecond lost to rounding is no matter. */
function expectBetween(seconds: number, beforeMilliseconds: number, resolutionSeconds = 0.002): void {
  expect(seconds - AHEAD_SECONDS).toBeGreaterThanOrEqual(beforeMilliseconds / 1000 - resolutionSeconds)
  expect(seconds - AHEAD_SECONDS).toBeLessThanOrEqual(Date.now() / 1000 + 0.002)
}

function secondsOfFiletime(ticks: bigint): number {
  return Number(ticks - 116_444_736_000_000_000n) / 1e7
}

function negotiate(dialects: readonly string[], contexts = ''): Buffer {
  const list = hex(dialects.join(''))
  const padding = '00'.repeat(-list.length & 3)
  const contextAt = 100 + list.length + padding.length / 2
  const header = `fe534d42 4000 0000 00000000 0000 0100 00000000 00000000 0700000000000000 ${'00'.repeat(32)}`
  const where = contexts === '' ? '00'.repeat(8) : `${le32(Math.ceil(contextAt / 8) * 8)} 0100 0000`
  const body = `2400 0${dialects.length}00 0100 0000 00000000 ${'ab'.repeat(16)} ${where}`
  const aligned = contexts === '' ? '' : '00'.repeat(-contextAt & 7)
  const message = Buffer.concat([hex(header + body), list, hex(padding + aligned + contexts)])
  const frame = Buffer.alloc(4)
  frame.writeUInt32BE(message.length)
  return Buffer.concat([frame, message])
}

function le32(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString('hex')
}

const PREAUTH = `0100 2600 00000000 0100 2000 0100 ${'cd'.repeat(32)}`

describe('SMB2 NEGOTIATE', () => {
  it.each([
    ['the highest of all that are offered', ['0202', '0002', '1002', '0003'], '', 0x0300],
    ['2.0.2 when nothing newer is offered', ['0202'], '', 0x0202],
    ['3.1.1 with its preauth context', ['0202', '1103'], PREAUTH, 0x0311],
  ])('is answered with %s, and with the time', async (_name, dialects, contexts, chosen) => {
    listener = await startSmb2(clock, LOOPBACK)
    const before = Date.now()
    const { received } = await talk(listener, negotiate(dialects, contexts), { patienceMilliseconds: 300 })
    expect(received.readUInt32BE(0)).toBe(received.length - 4)
    const message = received.subarray(4)
    expect(message.subarray(0, 6)).toEqual(hex('fe534d42 4000'))
    expect(message.readUInt32LE(8)).toBe(0)
    expect(message.readUInt16LE(12)).toBe(0)
    expect(message.readUInt32LE(16)).toBe(1)
    expect(message.readBigUInt64LE(24)).toBe(7n)
    const body = message.subarray(64)
    expect(body.readUInt16LE(0)).toBe(65)
    expect(body.readUInt16LE(4)).toBe(chosen)
    expectBetween(secondsOfFiletime(body.readBigUInt64LE(40)), before)
    const blobAt = body.readUInt16LE(56)
    const blob = message.subarray(blobAt, blobAt + body.readUInt16LE(58))
    expect(blob[0]).toBe(0x60)
    expect(blob[1]).toBe(blob.length - 2)
    if (chosen !== 0x0311) return
    expect(body.readUInt16LE(6)).toBe(1)
    const contextAt = body.readUInt32LE(60)
    expect(contextAt % 8).toBe(0)
    expect(message.subarray(contextAt, contextAt + 14)).toEqual(hex('0100 2600 00000000 0100 2000 0100'))
    expect(message).toHaveLength(contextAt + 8 + 38)
  })

  it.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['SMB1', hex('00000004 ff534d42')],
    ['3.1.1 without its preauth context', negotiate(['1103'])],
    ['dialects that nobody knows', negotiate(['ff0f'])],
    ['another command', hex(`00000064 fe534d42 4000 0000 00000000 0100 ${'00'.repeat(86)}`)],
    [
      'a count of dialects that are not there',
      hex(`00000064 fe534d42 4000 ${'00'.repeat(58)} 2400 ff00 ${'00'.repeat(32)}`),
    ],
  ])('%s closes the connection', async (_name, bytes) => {
    listener = await startSmb2(clock, LOOPBACK)
    const { received, end } = await talk(listener, bytes)
    expect(received).toHaveLength(0)
    expect(['closed', 'reset']).toContain(end)
  })

  it('comes once a connection', async () => {
    listener = await startSmb2(clock, LOOPBACK)
    const once = negotiate(['0202'])
    const { received, end } = await talk(listener, Buffer.concat([once, once]))
    // The first answer may be lost with the connection, a second never comes.
    expect(received.length).toBeLessThanOrEqual(4 + 64 + 64 + 30)
    expect(['closed', 'reset']).toContain(end)
  })
})

describe('NTP', () => {
  const request = hex(`23 00 06 ec ${'00'.repeat(36)} 0123456789abcdef`)

  it('answers as a synchronised server, with the time', async () => {
    listener = await startNtp(clock, LOOPBACK)
    const before = Date.now()
    const answer = await ask(listener, request)
    expect(answer).toHaveLength(48)
    expect(answer?.readUInt8(0)).toBe(0x24) // leap 0, version 4, server
    expect(answer?.readUInt8(1)).toBe(2)
    expect(answer?.toString('hex', 24, 32)).toBe('0123456789abcdef')
    for (const at of [32, 40]) {
      const seconds =
        (answer?.readUInt32BE(at) ?? 0) - 2_208_988_800 + (answer?.readUInt32BE(at + 4) ?? 0) / 2 ** 32
      expectBetween(seconds, before)
    }
    expect(answer?.readBigUInt64BE(40)).toBeGreaterThanOrEqual(answer?.readBigUInt64BE(32) ?? 0n)
  })

  it.each([
    ['a server', hex(`24${'00'.repeat(47)}`)],
    ['too few bytes', request.subarray(0, 47)],
  ])('does not answer %s', async (_name, bytes) => {
    listener = await startNtp(clock, LOOPBACK)
    expect(await ask(listener, bytes, 300)).toBeUndefined()
  })
})

async function startWeb(page?: string): Promise<string> {
  listener = await startHttp({ name: 'kms01.corp.example', clock, metricsPage: () => page }, LOOPBACK)
  return `http://127.0.0.1:${listener.port}`
}

describe('HTTP', () => {
  it.each([
    ['/', 404],
    ['/metrics', 404],
    ['/wsman', 401],
  ])('%s answers %i with a Date', async (path, status) => {
    const base = await startWeb()
    const before = Date.now()
    const response = await fetch(base + path)
    await response.text()
    expect(response.status).toBe(status)
    expectBetween(Date.parse(response.headers.get('date') ?? '') / 1000, before, 1)
    expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'Negotiate' : null)
  })

  it.each(['Negotiate', 'NTLM'])(
    'answers a %s type 1 with a challenge that tells names and time',
    async (scheme) => {
      const base = await startWeb()
      const type1 = hex(`4e544c4d53535000 01000000 978208e2 ${'00'.repeat(24)}`).toString('base64')
      const before = Date.now()
      const response = await fetch(`${base}/wsman`, {
        method: 'POST',
        headers: { Authorization: `${scheme} ${type1}` },
      })
      expect(response.status).toBe(401)
      const [gotScheme, token] = (response.headers.get('www-authenticate') ?? '').split(' ')
      expect(gotScheme).toBe(scheme)
      const type2 = Buffer.from(token ?? '', 'base64')
      expect(type2.subarray(0, 12)).toEqual(hex('4e544c4d53535000 02000000'))
      expect(field(type2, 12).toString('utf16le')).toBe('CORP')
      const pairs = avPairs(field(type2, 40))
      expect(pairs.get(1)?.toString('utf16le')).toBe('KMS01')
      expect(pairs.get(2)?.toString('utf16le')).toBe('CORP')
      expect(pairs.get(3)?.toString('utf16le')).toBe('kms01.corp.example')
      expectBetween(secondsOfFiletime(pairs.get(7)?.readBigUInt64LE(0) ?? 0n), before)
      // TARGET_INFO and UNICODE: without them a client would not look where we looked.
      expect(type2.readUInt32LE(20) & 0x00800001).toBe(0x00800001)
    },
  )

  it.each(['Negotiate bm9uc2Vuc2U=', 'Negotiate ', 'Basic dXNlcjpwYXNz', `NTLM ${'A'.repeat(4000)}`])(
    'gives no challenge for "%s"',
    async (authorization) => {
      const base = await startWeb()
      const response = await fetch(`${base}/wsman`, { headers: { Authorization: authorization } })
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toMatch(/^(Negotiate|NTLM)$/)
    },
  )
})

function field(message: Buffer, at: number): Buffer {
  const start = message.readUInt32LE(at + 4)
  return message.subarray(start, start + message.readUInt16LE(at))
}

function avPairs(info: Buffer): Map<number, Buffer> {
  const pairs = new Map<number, Buffer>()
  for (let at = 0; at < info.length;) {
    const end = at + 4 + info.readUInt16LE(at + 2)
    pairs.set(info.readUInt16LE(at), info.subarray(at + 4, end))
    at = end
  }
  expect([...pairs.keys()].at(-1)).toBe(0)
  return pairs
}

describe('the page of windows_exporter', () => {
  it('shows every state of sppsvc, one of them true', async () => {
    const base = await startWeb(renderWindowsPage('kms01.corp.example', 'stop pending', clock))
    const response = await fetch(`${base}/metrics`)
    const lines = (await response.text()).split('\n')
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const states = lines.filter((line) => line.startsWith('windows_service_state{name="sppsvc"'))
    expect(states).toHaveLength(8)
    expect(states.filter((line) => line.endsWith(' 1'))).toEqual([
      'windows_service_state{name="sppsvc",state="stop pending"} 1',
    ])
    expect(lines).toContain('windows_service_start_mode{name="sppsvc",start_mode="auto"} 1')
    expect(lines).toContain('# TYPE windows_service_state gauge')
    expect(lines.filter((line) => line.startsWith('windows_service_state{')).length).toBeGreaterThan(16)
  })

  it('tells version and time, the time in the way that Go writes it', () => {
    const page = renderWindowsPage('kms01.corp.example', 'running', () => 1_754_640_000_250)
    expect(page).toContain('\nwindows_time_current_timestamp_seconds 1.75464e+09\n')
    expect(page).toMatch(
      /\nwindows_os_info\{build_number="20348",installation_type="Server",.*revision="\d+"/,
    )
    expect(page).toMatch(/windows_exporter_build_info\{.*version="0\.31\.\d+"\} 1\n/)
    for (const line of page.trimEnd().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) windows_\w+ .+|windows_\w+(\{.+\})? [\d.e+]+)$/)
    }
  })
})
