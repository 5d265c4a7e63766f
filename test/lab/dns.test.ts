// The DNS server against dig, which has its own idea of the RFCs.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest'
import type { DnsRecord, DnsServer } from '../../src/lab/dns.ts'
import { startDns } from '../../src/lab/dns.ts'
import { realServer } from '../real/servers/need.ts'
import { LOOPBACK, ask, hex, talk } from './raw-client.ts'

const srv = (name: string, target: string, port = 1688): DnsRecord => ({
  name,
  type: 'SRV',
  ttl: 600,
  data: { priority: 1, weight: 2, port, target },
})

const CORP: readonly DnsRecord[] = [
  srv('_vlmcs._tcp.corp.example', 'kms01.corp.example'),
  { name: 'kms01.corp.example', type: 'A', data: '192.0.2.1' },
  { name: 'kms01.corp.example', type: 'AAAA', data: '2001:db8::1:0:ff' },
  { name: 'alias.corp.example', type: 'CNAME', data: 'kms01.corp.example' },
  { name: 'far.corp.example', type: 'CNAME', data: 'kms.elsewhere.test' },
  { name: 'dangling.corp.example', type: 'CNAME', data: 'gone.corp.example' },
  { name: 'loop.corp.example', type: 'CNAME', data: 'loop.corp.example' },
]

const LARGE = Array.from({ length: 120 }, (_, i) => srv('_vlmcs._tcp.large.example', `kms${i}.large.example`))

let server: DnsServer
beforeAll(async () => {
  server = await startDns(
    {
      zones: {
        'corp.example': CORP,
        'large.example': LARGE,
        'sub.corp.example': [{ name: 'a.sub.corp.example', type: 'A', data: '192.0.2.9' }],
      },
      overrides: {
        'broken.corp.example': 'servfail',
        'no.corp.example': 'refused',
        'drop.corp.example': 'drop',
      },
    },
    LOOPBACK,
  )
})
afterAll(async () => {
  await server.stop()
})

interface Dug {
  readonly status: string
  readonly flags: string
  readonly answers: readonly string[]
  readonly additional: readonly string[]
  readonly text: string
}

async function dig(...question: string[]): Promise<Dug> {
  const args = ['@127.0.0.1', '-p', String(server.port), '+tries=1', '+time=2', ...question]
  const { stdout } = await promisify(execFile)('dig', args).catch((error: { stdout: string }) => error)
  const section = (name: string): string[] =>
    (new RegExp(`;; ${name} SECTION:\n([^;]*)`).exec(stdout)?.[1] ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.replaceAll(/\s+/g, ' '))
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? 'none',
    flags: /flags: ([^;]+);/.exec(stdout)?.[1] ?? '',
    answers: section('ANSWER'),
    additional: section('ADDITIONAL'),
    text: stdout,
  }
}

const needsDig = (context: TestContext): void => realServer(context, ['dig'])

describe('dig over UDP', () => {
  beforeEach(needsDig)

  it('gets an SRV record, with the addresses of its target', async () => {
    const { status, flags, answers, additional, text } = await dig('_vlmcs._tcp.corp.example', 'SRV')
    expect(status).toBe('NOERROR')
    expect(flags).toBe('qr aa rd')
    expect(answers).toEqual(['_vlmcs._tcp.corp.example. 600 IN SRV 1 2 1688 kms01.corp.example.'])
    expect(additional).toEqual([
      'kms01.corp.example. 3600 IN A 192.0.2.1',
      'kms01.corp.example. 3600 IN AAAA 2001:db8::1:0:ff',
    ])
    expect(text).not.toContain('malformed')
  })

  it.each([
    [['KMS01.Corp.Example', 'A'], ['kms01.corp.example. 3600 IN A 192.0.2.1']],
    [['kms01.corp.example', 'AAAA', '+noedns'], ['kms01.corp.example. 3600 IN AAAA 2001:db8::1:0:ff']],
    [['a.sub.corp.example', 'A'], ['a.sub.corp.example. 3600 IN A 192.0.2.9']],
    [
      ['alias.corp.example', 'A'],
      ['alias.corp.example. 3600 IN CNAME kms01.corp.example.', 'kms01.corp.example. 3600 IN A 192.0.2.1'],
    ],
    [['alias.corp.example', 'CNAME'], ['alias.corp.example. 3600 IN CNAME kms01.corp.example.']],
    [['far.corp.example', 'A'], ['far.corp.example. 3600 IN CNAME kms.elsewhere.test.']],
  ])('%j', async (question, expected) => {
    const { status, answers } = await dig(...question)
    expect(status).toBe('NOERROR')
    expect(answers).toEqual(expected)
  })

  it.each([
    ['a name that is not there', 'nowhere.corp.example', 'NXDOMAIN', 0],
    ['a record type that is not there', 'kms01.corp.example', 'NOERROR', 0],
    ['a name with only children', '_tcp.corp.example', 'NOERROR', 0],
    ['an alias that leads to nothing', 'dangling.corp.example', 'NXDOMAIN', 1],
  ])('says of %s whose zone it is', async (_name, name, status, answers) => {
    const dug = await dig(name, 'SRV')
    expect(dug.status).toBe(status)
    expect(dug.answers).toHaveLength(answers)
    expect(dug.text).toMatch(/AUTHORITY SECTION:\ncorp\.example\.\s+60\s+IN\s+SOA\s+ns\.corp\.example\./)
  })

  it('ends a circle of aliases', async () => {
    const { status, answers } = await dig('loop.corp.example', 'A')
    expect(status).toBe('NOERROR')
    expect(answers.length).toBeGreaterThan(0)
  })

  it.each([
    ['other.test', 'REFUSED'],
    ['no.corp.example', 'REFUSED'],
    ['broken.corp.example', 'SERVFAIL'],
  ])('%s is %s', async (name, status) => {
    expect((await dig(name, 'A')).status).toBe(status)
  })

  it('gets nothing for a name whose questions are dropped', async () => {
    expect((await dig('drop.corp.example', 'A', '+time=1')).status).toBe('none')
  })

  it('sees changes at once', async () => {
    server.setRecords('new.example', [{ name: 'a.new.example', type: 'A', data: '192.0.2.7' }])
    expect((await dig('a.new.example', 'A')).answers).toEqual(['a.new.example. 3600 IN A 192.0.2.7'])
    server.setRecords('new.example', [])
    expect((await dig('a.new.example', 'A')).status).toBe('NXDOMAIN')
    server.setOverride('a.new.example', 'servfail')
    expect((await dig('a.new.example', 'A')).status).toBe('SERVFAIL')
    server.setOverride('a.new.example', null)
    expect((await dig('a.new.example', 'A')).status).toBe('NXDOMAIN')
  })
})

describe('a large answer', () => {
  beforeEach(needsDig)

  it.each([[['+noedns']], [['+bufsize=1232']]])('is cut off over UDP with %j', async (options) => {
    const { flags, answers } = await dig('_vlmcs._tcp.large.example', 'SRV', '+ignore', ...options)
    expect(flags).toBe('qr aa tc rd')
    expect(answers).toEqual([])
  })

  it('fits into the size that a client allows', async () => {
    const { flags, answers } = await dig('_vlmcs._tcp.large.example', 'SRV', '+ignore', '+bufsize=16000')
    expect(flags).toBe('qr aa rd')
    expect(answers).toHaveLength(120)
  })

  it.each([[['+tcp']], [['+bufsize=1232']]])('comes whole over TCP with %j', async (options) => {
    const { flags, answers, text } = await dig('_vlmcs._tcp.large.example', 'SRV', ...options)
    expect(flags).toBe('qr aa rd')
    expect(answers).toHaveLength(120)
    expect(text).toContain('(TCP)')
  })
})

describe('a message that is no question', () => {
  it.each([
    ['two questions', hex('0001 0100 0002 0000 0000 0000 00 0001 0001 00 0001 0001'), 1],
    ['a name that runs out', hex('0001 0100 0001 0000 0000 0000 3f 61'), 1],
    ['a pointer', hex('0001 0100 0001 0000 0000 0000 c00c 0001 0001'), 1],
    ['an OPT that runs out', hex('0001 0100 0001 0000 0000 0001 00 0001 0001 00 0029 04d0'), 1],
    ['an update', hex('0001 2800 0001 0000 0000 0000 00 0006 0001'), 4],
    ['another class', hex('0001 0100 0001 0000 0000 0000 00 0001 0003'), 5],
  ])('%s is refused with its code', async (_name, bytes, code) => {
    const answer = await ask(server, bytes)
    expect(answer?.readUInt16BE(0)).toBe(1)
    expect((answer?.readUInt8(3) ?? 0) & 15).toBe(code)
  })

  it.each([
    ['an answer', hex('0001 8100 0001 0000 0000 0000 00 0001 0001')],
    ['half a header', hex('0001 0100 0001')],
  ])('%s is not answered', async (_name, bytes) => {
    expect(await ask(server, bytes, 300)).toBeUndefined()
  })

  it('an EDNS version of the future is told so', async (context) => {
    needsDig(context)
    expect((await dig('kms01.corp.example', 'A', '+edns=1', '+noednsneg')).status).toBe('BADVERS')
  })

  it('two questions over one TCP connection, byte by byte, get two answers', async () => {
    const one = hex('0011 0007 0100 0001 0000 0000 0000 00 0001 0001')
    const { received } = await talk(server, Buffer.concat([one, one]), { enough: 38, split: true })
    expect(received.toString('hex', 0, 6)).toBe('001100078105')
    expect(received).toHaveLength(38)
  })
})
