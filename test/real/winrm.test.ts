// The WinRM client against an acceptor that is not of our making: logons, sealing and channel bindings by MIT's libgssapi
// and gss-ntlmssp. It knows no WS-Management, and answers every question with one fault.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Credential } from '../../src/config/schema.ts'
import { MalformedMessage } from '../../src/model/failure.ts'
import { during } from '../during.ts'
import { failureOf, reasonOf, tcpPeer } from '../io/support.ts'
import { accessTo, HOST, SERVICE, visitOf, winrmPool } from '../io/windows/winrm-support.ts'
import { realGss, startGss, type GssOptions } from './servers/gss.ts'

/** Of no message in particular, so that it answers any. */
const FAULT =
  '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body><s:Fault><s:Reason><s:Text>' +
  'Ung\u00fcltige Klasse</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="u" Code="2147749904"/></s:Detail>' +
  '</s:Fault></s:Body></s:Envelope>'

async function ntlm(password: string): Promise<Credential> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-ntlm-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'password'), password)
  return { auth: 'ntlm', username: 'LAB\\monitor', password_file: join(folder, 'password') }
}

function acceptor(options: GssOptions) {
  return during(startGss({ answer: FAULT, encryptedOnly: true, ...options }))
}

describe('the WinRM client', () => {
  it('asks sealed, over http, again and again on one logon', async (context) => {
    realGss(context)
    const { port } = await acceptor({})
    const access = accessTo(`http://127.0.0.1:${port}/wsman`, await ntlm('P@ssw0rd-\u00e41'), {
      allowUnencrypted: false,
    })
    const pool = winrmPool()
    for (const stages of [['resolve', 'connect', 'logon', 'ask'], ['ask']]) {
      const visit = visitOf()
      const reader = await pool.open(HOST, access, visit)
      expect(await failureOf(reader.query(SERVICE))).toMatchObject({
        reason: 'not_found',
        message: expect.stringContaining('Ung\u00fcltige Klasse'),
      })
      expect(visit.stages).toEqual(stages)
    }
  })

  it('logs on anew, once, when a connection that was logged on is so no more', async (context) => {
    realGss(context)
    const server = await acceptor({})
    let forgetful = true
    const between = await tcpPeer((socket) => {
      const upstream = connect(server.port, server.address)
      upstream.pipe(socket).on('close', () => upstream.destroy())
      let answers = 0
      socket.on('data', (chunk: Buffer) => {
        // Two legs of the logon and one question; the next is refused.
        if (chunk.includes('POST ') && ++answers > 3 && forgetful)
          socket.write('HTTP/1.1 401 \r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n')
        else upstream.write(chunk)
      })
    })
    const access = accessTo(`http://127.0.0.1:${between.port}/wsman`, await ntlm('P@ssw0rd-\u00e41'))
    const pool = winrmPool()
    const ask = async (visit = visitOf()) => {
      const reader = await pool.open(HOST, access, visit)
      return reasonOf(reader.query(SERVICE))
    }
    expect(await ask()).toBe('not_found')
    const again = visitOf()
    expect(await ask(again)).toBe('not_found')
    expect(again.stages.filter((stage) => stage === 'logon')).toHaveLength(1)
    forgetful = false
    expect(await ask()).toBe('not_found')
  })

  it('asks over https, bound to the certificate of the server', async (context) => {
    realGss(context)
    const server = await acceptor({ tls: { names: ['IP:127.0.0.1'] }, cbt: 'required', encryptedOnly: false })
    const { authorityFile } = server
    if (authorityFile === undefined) throw new Error('no authority')
    const credential = await ntlm('P@ssw0rd-\u00e41')
    const access = accessTo(`https://127.0.0.1:${server.port}/wsman`, credential, {
      tls: { ca_file: authorityFile },
    })
    const reader = await winrmPool().open(HOST, access, visitOf())
    expect(await reasonOf(reader.query(SERVICE))).toBe('not_found')
    const untrusting = accessTo(access.url, credential)
    expect(await reasonOf(winrmPool().open(HOST, untrusting, visitOf()))).toBe('tls_untrusted')
  })

  it('tries a wrong password once', async (context) => {
    realGss(context)
    const { port } = await acceptor({})
    const access = accessTo(`http://127.0.0.1:${port}/wsman`, await ntlm('wrong'))
    const pool = winrmPool()
    const first = await failureOf(pool.open(HOST, access, visitOf()))
    const second = await failureOf(pool.open(HOST, access, visitOf()))
    expect([first.reason, second.reason]).toEqual(['auth_failed', 'auth_failed'])
    expect(first.message).not.toContain('not tried again')
    expect(second.message).toContain('not tried again before')
  })

  it('reads nothing that was altered on its way', async (context) => {
    realGss(context)
    const { port } = await acceptor({ corruptAnswers: true })
    const access = accessTo(`http://127.0.0.1:${port}/wsman`, await ntlm('P@ssw0rd-\u00e41'))
    const reader = await winrmPool().open(HOST, access, visitOf())
    await expect(reader.query(SERVICE)).rejects.toThrow(MalformedMessage)
  })
})
