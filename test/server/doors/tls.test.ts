// TLS as the web configuration says, against clients of OpenSSL's: who is let in, by which version, and what becomes of it
// when the file or a certificate changes while the server runs.
import { copyFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { alternativeNames } from '../../../src/server/client-certificate.ts'
import { dial, PAGE } from '../serve.ts'
import { doorBehind, identity, knock, tlsYaml, type Door, type Identity, type Knock } from './door.ts'
import { makeCertificate } from '../../real/servers/certificate.ts'
import { makeDirectory } from '../../real/servers/process.ts'

// Made once: openssl takes a while.
let server: Identity
let known: Identity
let stranger: Identity

async function keep(names: readonly string[], usage: 'serverAuth' | 'clientAuth'): Promise<Identity> {
  const { readFile } = await import('node:fs/promises')
  const files = await makeCertificate(await makeDirectory('doors'), { names, usage })
  const read = (file: string) => readFile(file, 'utf8')
  return {
    ...files,
    cert: await read(files.certificateFile),
    key: await read(files.keyFile),
    ca: await read(files.authorityFile),
  }
}

beforeAll(async () => {
  server = await keep(['IP:127.0.0.1', 'DNS:localhost'], 'serverAuth')
  known = await keep(['DNS:prometheus.example', 'IP:192.0.2.7', 'URI:spiffe://corp/prom'], 'clientAuth')
  stranger = await keep(['DNS:prometheus.example'], 'clientAuth')
})

const status = async (door: Door, knocking: Knock = {}): Promise<number | string> => {
  try {
    return (await knock(door, { ca: server.ca, ...knocking })).status
  } catch {
    return 'no answer'
  }
}

const inClear = (door: Door): Promise<number | string> =>
  knock(door).then(
    (answer) => answer.status,
    () => 'no answer',
  )

describe('over TLS', () => {
  it('the page is the same, and in clear there is none', async () => {
    const door = await doorBehind(tlsYaml(server))
    expect(door.url).toMatch(/^https:/)
    expect((await knock(door, { ca: server.ca })).text).toBe(PAGE)
    await expect(knock(door)).rejects.toThrow()
    expect(await door.refused()).toEqual({ handshake: 1 })
  })

  it('certificate and key may stand in the file itself', async () => {
    const indented = (text: string): string => text.trim().replace(/^/gm, '    ')
    const door = await doorBehind(
      `tls_server_config:\n  cert: |\n${indented(server.cert)}\n  key: |\n${indented(server.key)}\n`,
    )
    expect(await status(door)).toBe(200)
  })

  it.each([
    ['', 'TLSv1.2', 200],
    ['', 'TLSv1.3', 200],
    ['min_version: TLS13', 'TLSv1.2', 'no answer'],
    ['min_version: TLS13', 'TLSv1.3', 200],
    ['max_version: TLS12', 'TLSv1.3', 200],
  ] as const)('with "%s" a client of %s at most gets %s', async (yaml, maxVersion, expected) => {
    expect(await status(await doorBehind(tlsYaml(server, yaml)), { maxVersion })).toBe(expected)
  })

  it('offers the cipher suites that are listed, and those of TLS 1.3', async () => {
    const yaml = 'cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\ncurve_preferences: [CurveP384]\n'
    const door = await doorBehind(tlsYaml(server, yaml))
    const by = (ciphers: string) => status(door, { ciphers, maxVersion: 'TLSv1.2' })
    expect(await by('ECDHE-ECDSA-AES256-GCM-SHA384')).toBe(200)
    expect(await by('ECDHE-ECDSA-AES128-GCM-SHA256')).toBe('no answer')
    expect(await status(door, { maxVersion: 'TLSv1.3' })).toBe(200)
  })

  it('a client that never shakes hands is let go, and nobody waits for it', async () => {
    const door = await doorBehind(tlsYaml(server))
    const silent = await dial(door.port, '')
    silent.resume()
    const gone = new Promise((resolve) => silent.once('close', resolve))
    expect(await status(door)).toBe(200)
    await gone
  })
})

describe('client certificates', () => {
  const cases: readonly (readonly [string, number | string, number | string, number | string])[] = [
    // policy, nobody, stranger, known
    ['NoClientCert', 200, 200, 200],
    ['RequestClientCert', 200, 200, 200],
    ['RequireAnyClientCert', 'no answer', 200, 200],
    ['RequireClientCert', 'no answer', 200, 200],
    ['VerifyClientCertIfGiven', 200, 'no answer', 200],
    ['RequireAndVerifyClientCert', 'no answer', 'no answer', 200],
  ]
  it.each(cases)('%s: nobody %s, a stranger %s, somebody known %s', async (type, ...expected) => {
    const authority = type === 'NoClientCert' ? '' : `client_ca_file: ${known.authorityFile}\n`
    const door = await doorBehind(tlsYaml(server, `client_auth_type: ${type}\n${authority}`))
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const seen = [
        await status(door, { maxVersion }),
        await status(door, { maxVersion, as: stranger }),
        await status(door, { maxVersion, as: known }),
      ]
      expect([maxVersion, ...seen]).toEqual([maxVersion, ...expected])
    }
  })

  it.each([
    ['prometheus.example', 200],
    ['192.0.2.7', 200],
    ['spiffe://corp/prom', 200],
    ['PROMETHEUS.example', 'no answer'],
    ['*.example', 'no answer'],
    ['example', 'no answer'],
    ['192.0.2.70', 'no answer'],
    ['localhost', 'no answer'],
  ])('one that has to name %s: %s', async (name, expected) => {
    const yaml = `client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: ${known.authorityFile}\nclient_allowed_sans: ['${name}']\n`
    const door = await doorBehind(tlsYaml(server, yaml))
    expect(await status(door, { as: known })).toBe(expected)
    expect(await door.refused()).toEqual(expected === 200 ? {} : { certificate: 1 })
  })
})

describe('while the server runs', () => {
  const shown = (door: Door): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: door.port, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? 'none')
        socket.destroy()
      })
      socket.on('error', reject)
    })

  it('a renewed certificate is shown to whoever comes next', async () => {
    const [old, renewed] = [await identity(), await identity()]
    const door = await doorBehind(tlsYaml(old))
    const before = await shown(door)
    await copyFile(renewed.certificateFile, old.certificateFile)
    // Half of it is there: what was in force stays.
    expect(await shown(door)).toBe(before)
    expect(door.errors).toEqual(['the web configuration was not loaded; the one before stays in force'])
    await copyFile(renewed.keyFile, old.keyFile)
    const after = await shown(door)
    expect(after).not.toBe(before)
    expect(await status(door, { ca: renewed.ca })).toBe(200)
  })

  it('a connection under the old rules does not outlive them by much, nor does its session', async () => {
    const asks = (identityOf: Identity) =>
      tlsYaml(
        server,
        `client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: ${identityOf.authorityFile}\n`,
      )
    const door = await doorBehind(asks(known))
    let session: Buffer | undefined
    const socket = connect({
      host: '127.0.0.1',
      port: door.port,
      ca: server.ca,
      cert: known.cert,
      key: known.key,
    })
    socket.on('session', (given) => (session = given))
    onTestFinished(() => void socket.destroy())
    socket.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => socket.once('data', resolve))
    socket.resume()
    const gone = new Promise((resolve) => socket.once('close', resolve))
    await expect.poll(() => session).toBeDefined()

    await door.write(asks(stranger))
    expect(await status(door, { as: stranger })).toBe(200)
    expect(await status(door, { as: known })).toBe('no answer')
    await gone
    const again = await new Promise((resolve) => {
      const resumed = connect({
        host: '127.0.0.1',
        port: door.port,
        ca: server.ca,
        cert: known.cert,
        key: known.key,
        session,
      })
      resumed.on('error', () => resolve('refused'))
      resumed.on('close', () => resolve('refused'))
      resumed.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
      resumed.once('data', () => resolve('let in'))
      onTestFinished(() => void resumed.destroy())
    })
    expect(again).toBe('refused')
  })

  it('TLS can be turned on and off, and clients be asked, at the same port', async () => {
    const door = await doorBehind('')
    expect(await inClear(door)).toBe(200)
    await door.write(tlsYaml(server))
    // The connection that notices belongs to neither: it is closed.
    await inClear(door)
    await expect.poll(() => status(door)).toBe(200)
    expect(await inClear(door)).toBe('no answer')
    await door.write(
      tlsYaml(
        server,
        `client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: ${known.authorityFile}\n`,
      ),
    )
    await status(door)
    await expect.poll(() => status(door, { as: known })).toBe(200)
    expect(await status(door)).toBe('no answer')
    await door.write('')
    await status(door)
    await expect.poll(() => inClear(door)).toBe(200)
    expect(door.errors).toEqual([])
  })

  it('a file that is wrong, or gone, changes nothing', async () => {
    const door = await doorBehind(tlsYaml(server))
    for (const wrong of ['tls_server_config: [', 'tls_server_config: { cert_file: x }', 'nonsense: 1']) {
      await door.write(wrong)
      expect(await status(door)).toBe(200)
      await expect(knock(door)).rejects.toThrow()
    }
    await writeFile(server.authorityFile, server.ca)
    expect(door.errors).toHaveLength(3)
  })
})

describe('what stands in a certificate', () => {
  // The text that Node gives of it: https://nodejs.org/api/crypto.html#x509subjectaltname
  it.each([
    ['DNS:a.example, DNS:*.b.example', ['a.example', '*.b.example']],
    [
      'URI:"https://x.example/?a, DNS:prometheus.example", DNS:c',
      ['https://x.example/?a, DNS:prometheus.example', 'c'],
    ],
    [String.raw`DNS:"a\u0000.example", email:me@x.example`, ['a\u0000.example', 'me@x.example']],
    ['IP Address:192.0.2.1, othername:<unsupported>, DirName:"CN = \\"a, DNS:b", DNS:d', ['d']],
    ['DNS:a", DNS:b', []],
    ['', []],
    [undefined, []],
  ])('is read as what it is: %s', (text, names) => {
    expect(alternativeNames(text)).toEqual(names)
  })
})
