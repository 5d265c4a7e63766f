// The port probe against real servers, none of which is a KMS host: what is told apart is who else may sit on the port,
// what a network does to a connection, and what DNS says of the name. That a bind which *is* accepted is read as such is
// shown with Samba's own interface: nothing here, and nothing that it starts, has the KMS interface.
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createDeadline } from '../../src/io/deadline.ts'
import { createIo } from '../../src/io/io.ts'
import { formatEndpoint, type Endpoint } from '../../src/model/target.ts'
import type { ResultOf } from '../../src/probes/index.ts'
import { decodeBindAnswer, encodeBind, frameRpc, KMS_INTERFACE } from '../../src/protocol/dcerpc.ts'
import type { BindAnswer, RpcInterface } from '../../src/protocol/dcerpc.ts'
import { during } from '../during.ts'
import { askOne } from './ask.ts'
import { startBind } from './servers/bind.ts'
import { startKnot } from './servers/knot.ts'
import { program, realServer } from './servers/need.ts'
import { makeNamespaceHost } from './servers/netns.ts'
import { startNginx } from './servers/nginx.ts'
import { canBind, freePort, loopbackAddress } from './servers/ports.ts'
import { launch, makeDirectory } from './servers/process.ts'
import { startSambaRpc } from './servers/samba.ts'

interface Asked {
  readonly name: string
  readonly port: number
  readonly resolvers?: readonly Endpoint[]
  /** YAML of the host's other keys. */
  readonly more?: string
  readonly timeout?: string
}

function ask({ name, port, resolvers = [], more = '', timeout = '5s' }: Asked): Promise<ResultOf<'port'>> {
  const asked = resolvers.map((each) => `"${formatEndpoint(each)}"`)
  return askOne(
    `${asked.length > 0 ? `resolvers: [${asked.join(', ')}]` : ''}
probes: { port: { timeout: ${timeout} } }
hosts: [{ name: "${name}", port: ${port}${more} }]
`,
    'port',
  )
}

/** The outcome for the only address. */
async function outcome(asked: Asked) {
  const { reading, failure } = await ask(asked)
  const [only, ...others] = reading?.addresses ?? []
  if (only === undefined || others.length > 0) throw new Error(`not one address: ${JSON.stringify(failure)}`)
  return only
}

/** One bind, as the probe makes it, but with interfaces of our choice. */
async function bindTo(
  server: Endpoint,
  callId: number,
  interfaces: readonly RpcInterface[],
): Promise<BindAnswer> {
  const io = createIo()
  const deadline = createDeadline(5)
  try {
    const line = await io.dial(server, deadline)
    const request = encodeBind({ callId, interfaces })
    const { bytes } = await io.exchange(line, request, frameRpc, deadline)
    return decodeBindAnswer(bytes, callId)
  } finally {
    deadline.close()
    io.close()
  }
}

const stranger = (): RpcInterface => ({ uuid: randomUUID(), major: 1, minor: 0 })
const ACCEPTED = { result: 'acceptance' }
/** Abstract syntax not supported (C706 12.6.3.1). */
const REJECTED = { result: 'provider_rejection', reason: 1 }

describe('samba, an RPC server without the KMS interface', () => {
  it('is called just that', async (context) => {
    realServer(context, ['samba-dcerpcd'])
    const server = await during(startSambaRpc())
    const found = await outcome({ name: server.address, port: server.port })
    expect(found).toMatchObject({ address: server.address, listener: 'other_rpc', inDns: undefined })
    expect(found.connectFailure).toBeUndefined()
    expect(found.connectSeconds).toBeGreaterThan(0)
    expect(found.bindSeconds).toBeGreaterThan(0)

    const mapper = server.endpointMapper
    expect(mapper !== undefined).toBe(await canBind({ address: loopbackAddress(), port: 135 }))
    if (mapper)
      expect(await outcome({ name: mapper.address, port: mapper.port })).toMatchObject({
        listener: 'other_rpc',
      })
  })

  it('accepts its own interface and rejects the control, as a KMS host would', async (context) => {
    realServer(context, ['samba-dcerpcd'])
    const server = await during(startSambaRpc())
    const own = server.acceptedInterface
    const bound = (...interfaces: readonly RpcInterface[]) => bindTo(server, 1, interfaces)
    expect(await bound(own, stranger())).toMatchObject({ kind: 'ack', results: [ACCEPTED, REJECTED] })
    expect(await bound(stranger(), own)).toMatchObject({ kind: 'ack', results: [REJECTED, ACCEPTED] })
    expect(await bound(KMS_INTERFACE)).toMatchObject({ kind: 'ack', results: [REJECTED] })
    expect(await bound({ ...own, major: own.major + 1 })).toMatchObject({ kind: 'ack', results: [REJECTED] })
    const many = await bound(own, ...Array.from({ length: 9 }, stranger))
    expect(many).toMatchObject({ results: [ACCEPTED, ...Array.from({ length: 9 }, () => REJECTED)] })
    expect(await bindTo(server, 0xfffffffe, [own])).toMatchObject({ kind: 'ack', results: [ACCEPTED] })
  })
})

describe('somebody else on the port', () => {
  it('nginx is no RPC server', async (context) => {
    realServer(context, ['nginx'])
    const server = await during(startNginx())
    const found = await outcome({ name: server.address, port: server.port })
    expect(found).toMatchObject({ listener: 'not_rpc' })
    expect(found.connectSeconds).toBeGreaterThan(0)
  })

  it('nginx with TLS is none either', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const server = await during(startNginx({ tls: {} }))
    expect(await outcome({ name: server.address, port: server.port })).toMatchObject({ listener: 'not_rpc' })
  })

  it('Knot loses patience, and hangs up', async (context) => {
    realServer(context, ['knotd'])
    const server = await during(startKnot({}))
    const found = await outcome({ name: server.address, port: server.port, timeout: '10s' })
    expect(found).toMatchObject({ listener: 'closes' })
    expect(found.bindSeconds).toBeUndefined()
  })

  it('BIND waits for the rest of what it takes for a long question', async (context) => {
    realServer(context, ['named'])
    const server = await during(startBind({}))
    const found = await outcome({ name: server.address, port: server.port, timeout: '700ms' })
    expect(found).toMatchObject({ listener: 'silent' })
    expect(found.bindSeconds).toBeUndefined()
    expect(found.connectSeconds).toBeGreaterThan(0)
  })
})

describe('a network in between', () => {
  it('drops, rejects and resets, each told apart', async (context) => {
    realServer(context, ['ip', 'nft', 'nginx', 'namespaces'])
    const host = await during(makeNamespaceHost('ports'))
    const server = await during(startNginx({ within: host, port: 1688 }))
    const at = async (port: number) => outcome({ name: host.address, port, timeout: '1500ms' })
    expect(await at(1688)).toMatchObject({ listener: 'not_rpc' })
    expect(await at(1689)).toMatchObject({ connectFailure: 'connect_refused' })
    await host.drop(1001)
    await host.rejectUnreachable(1002)
    await host.rejectReset(server.port)
    const dropped = await at(1001)
    expect(dropped).toMatchObject({ connectFailure: 'connect_timeout' })
    expect(dropped.connectSeconds).toBeUndefined()
    expect(dropped.listener).toBeUndefined()
    expect(await at(1002)).toMatchObject({ connectFailure: 'connect_unreachable' })
    expect(await at(1688)).toMatchObject({ connectFailure: 'connect_refused' })
  })
})

const HEAD = '$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 300\n@ IN NS ns\nns IN A 127.0.0.1\n'

/** DNS that knows these names in corp.example; a zone that it cannot load, and nothing else. */
const zones = (names: string) => ({
  'corp.example': `${HEAD}${names}`,
  'broken.example': 'this is no zone\n',
})

function hasIpv6(): boolean {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return all.some(({ address }) => address === '::1')
}

describe('a name', () => {
  it('has as many outcomes as addresses', async (context) => {
    realServer(context, ['named', 'nginx', 'samba-dcerpcd'])
    const rpc = await during(startSambaRpc())
    const { port } = rpc
    const web = await during(startNginx({ address: loopbackAddress(), port }))
    const nobody = loopbackAddress()
    const dns = await during(
      startBind(zones(`kms01 A ${rpc.address}\nkms01 A ${web.address}\nkms01 AAAA ::1\nalias CNAME kms01\n`)),
    )
    const configured = `, addresses: ["${rpc.address}", "${nobody}"]`
    const { reading } = await ask({
      name: 'KMS01.corp.example',
      port,
      resolvers: [dns],
      more: configured,
      timeout: '2s',
    })
    const outcomes = new Map(reading?.addresses.map((each) => [each.address, each]))
    expect([...outcomes.keys()].toSorted()).toEqual(['::1', rpc.address, web.address, nobody].toSorted())
    expect(outcomes.get(rpc.address)).toMatchObject({ inDns: true, expected: true, listener: 'other_rpc' })
    expect(outcomes.get(web.address)).toMatchObject({ inDns: true, expected: false, listener: 'not_rpc' })
    expect(outcomes.get(nobody)).toMatchObject({
      inDns: false,
      expected: true,
      connectFailure: 'connect_refused',
    })
    expect(outcomes.get('::1')).toMatchObject({
      inDns: true,
      expected: false,
      connectFailure: hasIpv6() ? 'connect_refused' : 'connect_unreachable',
    })
    expect(reading?.resolveFailure).toBeUndefined()

    const alias = await ask({ name: 'alias.corp.example', port, resolvers: [dns], timeout: '2s' })
    expect(alias.reading?.addresses.map(({ address }) => address).toSorted()).toEqual(
      ['::1', rpc.address, web.address].toSorted(),
    )
  })

  it('that is not asked for has no record', async (context) => {
    realServer(context, ['nginx'])
    const { address, port } = await during(startNginx())
    const found = await outcome({ name: 'kms01.corp.example', port, more: `, connect_to: ${address}` })
    expect(found).toMatchObject({ address, listener: 'not_rpc' })
    expect(found.inDns).toBeUndefined()
  })

  it.for([
    { name: 'gone.corp.example', reason: 'resolve_nxdomain' },
    { name: 'text.corp.example', reason: 'resolve_nodata' },
    { name: 'dangling.corp.example', reason: 'resolve_nxdomain' },
    { name: 'kms01.broken.example', reason: 'resolve_servfail' },
    { name: 'kms01.elsewhere.example', reason: 'resolve_refused' },
  ])('$name: $reason', async ({ name, reason }, context) => {
    realServer(context, ['named', 'nginx'])
    const dns = await during(startBind(zones('text TXT "no address"\ndangling CNAME gone\n')))
    const { failure, reading } = await ask({ name, port: 1688, resolvers: [dns] })
    expect(reading).toBeUndefined()
    expect(failure).toMatchObject({ stage: 'resolve', reason })

    const { address, port } = await during(startNginx())
    const known = await ask({ name, port, resolvers: [dns], more: `, addresses: [${address}]` })
    expect(known.reading?.resolveFailure).toMatchObject({ reason })
    expect(known.reading?.addresses).toMatchObject([
      { address, inDns: false, expected: true, listener: 'not_rpc' },
    ])
  })

  it('is asked of the next resolver when one fails, refuses or is silent, but not when it denies', async (context) => {
    realServer(context, ['named', 'knotd', 'nginx'])
    const web = await during(startNginx())
    const name = 'kms01.corp.example'
    const right = await during(startKnot(zones(`kms01 A ${web.address}\n`)))
    const refusing = await during(startBind({}))
    const failing = await during(startBind({ 'corp.example': 'this is no zone\n' }))
    const denying = await during(startBind(zones('')))
    const silent = { address: '127.0.0.1', port: await freePort() }
    for (const first of [refusing, failing, silent]) {
      const found = await outcome({ name, port: web.port, resolvers: [first, right], timeout: '2s' })
      expect(found).toMatchObject({ address: web.address, listener: 'not_rpc' })
    }
    const denied = await ask({ name, port: web.port, resolvers: [denying, right] })
    expect(denied.failure).toMatchObject({ stage: 'resolve', reason: 'resolve_nxdomain' })
    const unheard = await ask({ name, port: web.port, resolvers: [silent], timeout: '700ms' })
    expect(unheard.failure).toMatchObject({ stage: 'resolve', reason: 'resolve_timeout' })
    // Nor does it take the time for asking an address that is known without it.
    const more = `, addresses: [${web.address}]`
    const known = await ask({ name, port: web.port, resolvers: [silent], timeout: '2s', more })
    expect(known.reading?.resolveFailure).toMatchObject({ reason: 'resolve_timeout' })
    expect(known.reading?.addresses).toMatchObject([{ address: web.address, listener: 'not_rpc' }])
  })

  it('with more addresses than fit a datagram is read over TCP', async (context) => {
    realServer(context, ['named'])
    const port = await freePort('127.0.0.1')
    const names = Array.from({ length: 60 }, (_, index) => `kms01 A 127.200.1.${index + 1}\n`).join('')
    const dns = await during(startBind(zones(names), { maxUdpSize: 512 }))
    const { reading } = await ask({ name: 'kms01.corp.example', port, resolvers: [dns] })
    expect(reading?.addresses).toHaveLength(16)
    for (const each of reading?.addresses ?? [])
      expect(each).toMatchObject({ connectFailure: 'connect_refused' })
  })

  it('that has an IPv6 address only leads there', async (context) => {
    realServer(context, ['named', 'nginx'])
    if (!hasIpv6()) context.skip('this machine has no ::1')
    const port = await freePort()
    const directory = await makeDirectory('nginx6')
    const file = join(directory, 'nginx.conf')
    await writeFile(
      file,
      `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr;
events { worker_connections 16; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${directory}/${kind};`).join(' ')}
  server { listen 127.0.0.1:${port}; listen [::1]:${port}; return 200; }
}
`,
    )
    // The harness sees who holds an IPv4 port only; this server listens on both.
    await during(
      launch({
        name: 'nginx',
        command: program('nginx'),
        args: ['-e', 'stderr', '-p', directory, '-c', file],
        directory,
        listens: [{ protocol: 'tcp', address: '127.0.0.1', port }],
      }),
    )
    const dns = await during(startBind(zones('kms01 AAAA ::1\n')))
    const found = await outcome({ name: 'kms01.corp.example', port, resolvers: [dns] })
    expect(found).toMatchObject({ address: '::1', inDns: true, listener: 'not_rpc' })
    expect(await outcome({ name: '::1', port })).toMatchObject({ address: '::1', listener: 'not_rpc' })
  })
})
