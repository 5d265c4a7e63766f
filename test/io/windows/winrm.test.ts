import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/io/clock.ts'
import type { WindowsReader } from '../../../src/io/windows/windows.ts'
import { textOf } from '../../../src/protocol/cim.ts'
import { AMPLE_SECONDS, closedPort, expectHandles, failureOf, reasonOf, settledHandles } from '../support.ts'
import { enumerated, fragment, pulled, winrmPeer, wmiFault, type Heard } from './hostile-winrm.ts'
import {
  accessTo,
  basicCredential,
  HOST,
  PRODUCTS,
  readerOf,
  SERVICE,
  visitOf,
  winrmPool,
} from './winrm-support.ts'

const RUNNING = fragment('<Name>sppsvc</Name><State>Running</State>')

function product(number: number): string {
  return fragment(`<ID>${number}</ID><Description>VOLUME_KMS channel ${'x'.repeat(600)}</Description>`)
}

function products(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => product(from + index)).join('')
}

function ids(rows: Awaited<ReturnType<WindowsReader['query']>>['rows']): (string | undefined)[] {
  return rows.map((row) => textOf(row, 'ID'))
}

describe('a question by WinRM', () => {
  it('of one row takes one round trip, between the two moments that it names', async () => {
    const peer = await winrmPeer((heard) => heard.say(enumerated(RUNNING)))
    const { credential } = await basicCredential()
    const visit = visitOf()
    const began = systemClock.monotonicSeconds()
    const reader = await winrmPool().open(HOST, accessTo(peer.url, credential), visit)
    const { rows, complete, roundTrips, sent, received } = await reader.query(SERVICE)
    expect(rows.map((row) => [...row])).toEqual([
      [
        ['name', 'sppsvc'],
        ['state', 'Running'],
      ],
    ])
    expect([complete, roundTrips]).toEqual([true, 1])
    expect(began <= sent.monotonicSeconds && sent.monotonicSeconds <= received.monotonicSeconds).toBe(true)
    expect(visit.stages).toEqual(['resolve', 'connect', 'logon', 'ask'])
    expect(peer.heard.map(({ kind }) => kind)).toEqual(['Identify', 'Enumerate'])
    const [, asked] = peer.heard
    expect(asked?.wql).toBe("SELECT Name, State FROM Win32_Service WHERE Name = 'sppsvc'")
    expect(asked?.authorization).toBe(`Basic ${Buffer.from('reader:right').toString('base64')}`)
    expect(asked?.messageId).toMatch(/^uuid:[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/)
    expect(asked?.text).toContain('MaxEnvelopeSize s:mustUnderstand="true">153600<')
  })

  it('of 300 products goes on over several pulls, each with the newest context', async () => {
    const peer = await winrmPeer((heard) => {
      // Windows puts one instance into its first answer, however many it was asked for.
      if (heard.kind === 'Enumerate') return heard.say(enumerated(product(0), 'uuid:1'))
      const from = Number(heard.context?.slice(5))
      const to = Math.min(300, from + 90)
      heard.say(to === 300 ? pulled(products(from, to)) : pulled(products(from, to), `uuid:${to}`))
    })
    const { rows, complete, roundTrips } = await (await readerOf(peer.url)).query(PRODUCTS)
    expect(ids(rows)).toEqual(Array.from({ length: 300 }, (_, index) => String(index)))
    expect([complete, roundTrips]).toEqual([true, 5])
    expect(peer.heard.flatMap(({ context }) => context ?? [])).toEqual([
      'uuid:1',
      'uuid:91',
      'uuid:181',
      'uuid:271',
    ])
    expect(peer.connections).toBe(1)
  })

  it('of no row is an answer', async () => {
    const peer = await winrmPeer((heard) => heard.say(enumerated('')))
    expect(await (await readerOf(peer.url)).query(SERVICE)).toMatchObject({ rows: [], complete: true })
  })

  it('reads no more rows than are wanted, says so, and lets go of the rest', async () => {
    const peer = await winrmPeer((heard) => {
      if (heard.kind === 'Enumerate') return heard.say(enumerated(product(0), 'uuid:first'))
      heard.say(pulled(products(1, 1 + heard.maxElements), 'uuid:second'))
    })
    const { rows, complete } = await (await readerOf(peer.url)).query(PRODUCTS, { mostRows: 5 })
    expect(ids(rows)).toEqual(['0', '1', '2', '3', '4'])
    expect(complete).toBe(false)
    expect(peer.heard.map(({ kind, context }) => [kind, context])).toEqual([
      ['Identify', undefined],
      ['Enumerate', undefined],
      ['Pull', 'uuid:first'],
      ['Release', 'uuid:second'],
    ])
  })

  it('is complete with exactly as many rows as were wanted', async () => {
    const peer = await winrmPeer((heard) => heard.say(enumerated(products(0, 5))))
    expect(await (await readerOf(peer.url)).query(PRODUCTS, { mostRows: 5 })).toMatchObject({
      complete: true,
    })
  })

  it('keeps its rows when letting go fails', async () => {
    const peer = await winrmPeer(
      (heard) => {
        if (heard.kind === 'Release') heard.response.destroy()
        else heard.say(heard.kind === 'Enumerate' ? enumerated(products(0, 3), 'uuid:1') : '<x/>')
      },
      { everything: true },
    )
    expect((await (await readerOf(peer.url)).query(PRODUCTS, { mostRows: 2 })).rows).toHaveLength(2)
  })
})

describe('a fault', () => {
  it.each([
    ['of the WMI namespace', wmiFault(0x8033_8104, 0x8004_1003), 'access_denied', 'Remote Enable'],
    ['of WinRM itself', wmiFault(5), 'access_denied', 'Remote Management Users'],
    ['of a provider', wmiFault(0x8033_8105), 'access_denied', 'closed to it'],
    ['of a class that is not there', wmiFault(0x8033_801a), 'not_found', '0x8033801A'],
    ['of the operation being over time', wmiFault(0x8033_8029), 'timeout', 'not done in time'],
    ['of a row that fits no envelope', wmiFault(0x8033_8048), 'too_large', 'one row'],
    ['of a quota', wmiFault(0x8033_81a6), 'protocol_error', 'quota'],
    ['that nobody has heard of', wmiFault(0x8033_9999), 'protocol_error', '0x80339999'],
  ])('%s has its reason, and leaves the connection as it is', async (_name, fault, reason, words) => {
    const peer = await winrmPeer((heard) => heard.say(peer.heard.length < 3 ? fault : enumerated(RUNNING)))
    const reader = await readerOf(peer.url)
    expect(await failureOf(reader.query(SERVICE))).toMatchObject({
      reason,
      message: expect.stringContaining(words),
    })
    expect((await reader.query(SERVICE)).rows).toHaveLength(1)
    expect(peer.connections).toBe(1)
  })

  it.each([
    [403, 'access_denied'],
    [404, 'not_found'],
    [413, 'too_large'],
    [503, 'protocol_error'],
  ] as const)('of HTTP %s is %s', async (status, reason) => {
    const peer = await winrmPeer(({ response }) => void response.writeHead(status).end('<html/>'))
    expect(await reasonOf((await readerOf(peer.url)).query(SERVICE))).toBe(reason)
  })

  it('with an empty body is told in a sentence', async () => {
    const peer = await winrmPeer(({ response }) => void response.writeHead(500).end())
    expect(await failureOf((await readerOf(peer.url)).query(SERVICE))).toMatchObject({
      reason: 'protocol_error',
      message: expect.stringContaining('HTTP 500 with an empty body'),
    })
  })
})

describe('the registry', () => {
  const UBR = { key: 'SOFTWARE\\A & B', name: 'UBR', type: 'dword' } as const
  const output = (method: string, inside: string): string =>
    `<q:${method}_OUTPUT xmlns:q="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/StdRegProv">${inside}</q:${method}_OUTPUT>`

  const reading = async (say: (heard: Heard) => void) => {
    const peer = await winrmPeer(say)
    return { peer, reader: await readerOf(peer.url, { rest: { registry: true } }) }
  }

  it('is read by the getter of the type, under HKEY_LOCAL_MACHINE', async () => {
    const inside = '<q:ReturnValue>0</q:ReturnValue><q:uValue>2322</q:uValue>'
    const { peer, reader } = await reading((heard) => heard.say(output('GetDWORDValue', inside)))
    expect(await reader.readRegistry(UBR)).toBe(2322)
    expect(peer.heard[1]?.text).toContain('StdRegProv/GetDWORDValue</a:Action>')
    expect(peer.heard[1]?.text).toContain('hDefKey>2147483650<')
    expect(peer.heard[1]?.text).toContain('SOFTWARE\\A &#38; B<')
  })

  it('gives lists, and nothing for a value that is not there', async () => {
    const inside =
      '<q:ReturnValue>0</q:ReturnValue><q:sValue>corp.example</q:sValue><q:sValue>lab.example</q:sValue>'
    const { reader } = await reading((heard) => heard.say(output('GetMultiStringValue', inside)))
    expect(await reader.readRegistry({ ...UBR, type: 'multi_string' })).toEqual([
      'corp.example',
      'lab.example',
    ])
    const none = await reading((heard) =>
      heard.say(output('GetDWORDValue', '<q:ReturnValue>2</q:ReturnValue>')),
    )
    expect(await none.reader.readRegistry(UBR)).toBeUndefined()
  })

  it('says which right is missing', async () => {
    const { reader } = await reading((heard) =>
      heard.say(output('GetDWORDValue', '<q:ReturnValue>5</q:ReturnValue>')),
    )
    expect(await reasonOf(reader.readRegistry(UBR))).toBe('access_denied')
  })

  it('is not read at all unless the configuration says so', async () => {
    const peer = await winrmPeer((heard) => heard.say(''))
    expect(await reasonOf((await readerOf(peer.url)).readRegistry(UBR))).toBe('not_configured')
    expect(peer.heard.map(({ kind }) => kind)).toEqual(['Identify'])
  })
})

describe('one connection a host', () => {
  it('serves visit after visit, with one logon', async () => {
    const peer = await winrmPeer((heard) => heard.say(enumerated(RUNNING)))
    const { credential } = await basicCredential()
    const pool = winrmPool()
    for (let turn = 0; turn < 3; turn++) {
      const visit = visitOf()
      await (await pool.open(HOST, accessTo(peer.url, credential), visit)).query(SERVICE)
      expect(visit.stages).toEqual(turn === 0 ? ['resolve', 'connect', 'logon', 'ask'] : ['ask'])
      visit.deadline.close()
    }
    expect(peer.connections).toBe(1)
    expect(peer.heard.filter(({ kind }) => kind === 'Identify')).toHaveLength(1)
  })

  it('has one question on the wire at a time, and visits take turns between the pages of a long list', async () => {
    let under = 0
    let most = 0
    const peer = await winrmPeer(async (heard) => {
      most = Math.max(most, ++under)
      await pause(5)
      under--
      if (heard.wql.includes('Win32_Service')) return heard.say(enumerated(RUNNING))
      if (heard.kind === 'Enumerate') return heard.say(enumerated(product(0), 'uuid:1'))
      const next = Number(heard.context?.slice(5)) + 1
      heard.say(next > 6 ? pulled(product(next)) : pulled(product(next), `uuid:${next}`))
    })
    const { credential } = await basicCredential()
    const pool = winrmPool()
    const open = () => pool.open(HOST, accessTo(peer.url, credential), visitOf())
    const [long, short] = await Promise.all([open(), open()])
    const [list, one] = await Promise.all([long.query(PRODUCTS), short.query(SERVICE)])
    expect(list.rows).toHaveLength(7)
    expect(one.rows).toHaveLength(1)
    expect(most).toBe(1)
    expect(peer.connections).toBe(1)
    expect(peer.heard.findIndex(({ wql }) => wql.includes('Win32_Service'))).toBeLessThan(5)
  })

  it('is another one for another credential', async () => {
    const peer = await winrmPeer((heard) => heard.say(enumerated(RUNNING)))
    const pool = winrmPool()
    for (const name of ['one', 'two']) {
      const { credential } = await basicCredential('right', name)
      await (await pool.open(HOST, accessTo(peer.url, credential), visitOf())).query(SERVICE)
    }
    expect(peer.connections).toBe(2)
  })

  it('is made anew, once, when the old one was closed while nobody used it', async () => {
    const peer = await winrmPeer((heard) => heard.say(enumerated(RUNNING)))
    const { credential } = await basicCredential()
    const pool = winrmPool()
    await (await pool.open(HOST, accessTo(peer.url, credential), visitOf())).query(SERVICE)
    peer.heard[1]?.hangUp()
    await (await pool.open(HOST, accessTo(peer.url, credential), visitOf())).query(SERVICE)
    expect(peer.connections).toBe(2)
  })

  it('is made anew when the old one is closed instead of an answer, but not when the new one is too', async () => {
    let answers = 2
    const peer = await winrmPeer((heard) => {
      if (answers-- > 0) heard.say(enumerated(RUNNING))
      else heard.hangUp()
    })
    const { credential } = await basicCredential()
    const pool = winrmPool()
    const ask = async () => (await pool.open(HOST, accessTo(peer.url, credential), visitOf())).query(SERVICE)
    await ask()
    answers = 0
    expect(await reasonOf(ask())).toBe('connect_reset')
    expect(peer.connections).toBe(2)
    expect(peer.heard.map(({ kind, connection }) => [kind, connection])).toEqual([
      ['Identify', 1],
      ['Enumerate', 1],
      ['Enumerate', 1],
      ['Identify', 2],
      ['Enumerate', 2],
    ])
  })

  it('goes on with a list when it was closed between two pages', async () => {
    const peer = await winrmPeer((heard) => {
      if (heard.kind === 'Pull') return heard.say(pulled(product(1)))
      heard.response.shouldKeepAlive = false
      heard.say(enumerated(product(0), 'uuid:1'))
    })
    expect(ids((await (await readerOf(peer.url)).query(PRODUCTS)).rows)).toEqual(['0', '1'])
    expect(peer.connections).toBe(2)
  })

  it('is not made again and again for one visit', async () => {
    const peer = await winrmPeer((heard) => {
      heard.response.shouldKeepAlive = false
      heard.say(heard.kind === 'Enumerate' ? enumerated(product(0), 'uuid:1') : pulled(product(1), 'uuid:1'))
    })
    expect(await reasonOf((await readerOf(peer.url)).query(PRODUCTS))).toBe('connect_reset')
    expect(peer.connections).toBe(2)
  })

  it('does not ask a second time for a page that got lost', async () => {
    const peer = await winrmPeer((heard) => {
      if (heard.kind === 'Enumerate') heard.say(enumerated(product(0), 'uuid:1'))
      else heard.hangUp()
    })
    const { credential } = await basicCredential()
    const pool = winrmPool()
    for (let turn = 0; turn < 2; turn++) {
      const reader = await pool.open(HOST, accessTo(peer.url, credential), visitOf())
      expect(await reasonOf(reader.query(PRODUCTS))).toBe('connect_reset')
    }
    expect(peer.heard.filter(({ kind }) => kind === 'Pull')).toHaveLength(2)
  })

  it('waits for its turn no longer than the deadline, and others are served after a visit that timed out', async () => {
    const held: ServerResponse[] = []
    const peer = await winrmPeer((heard) => {
      if (peer.heard.length === 2) held.push(heard.response)
      else heard.say(enumerated(RUNNING))
    })
    const { credential } = await basicCredential()
    const pool = winrmPool()
    const open = (seconds: number) => pool.open(HOST, accessTo(peer.url, credential), visitOf(seconds))
    const [slow, hasty, patient] = [await open(0.4), await open(0.1), await open(AMPLE_SECONDS)]
    const stuck = reasonOf(slow.query(SERVICE))
    expect(await failureOf(hasty.query(SERVICE))).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('busy with other questions'),
    })
    const served = patient.query(SERVICE)
    expect(await stuck).toBe('timeout')
    expect((await served).rows).toHaveLength(1)
    expect(peer.connections).toBe(2)
  })

  it('is closed when nobody wants it for a while, and made anew when somebody does', async () => {
    const peer = await winrmPeer((heard) => heard.say(enumerated(RUNNING)))
    const { credential } = await basicCredential()
    const pool = winrmPool({ idleSeconds: 0.02 })
    for (const connection of [1, 2]) {
      const visit = visitOf()
      const reader = await pool.open(HOST, accessTo(peer.url, credential), visit)
      expect((await reader.query(SERVICE)).rows).toHaveLength(1)
      visit.deadline.close()
      await peer.closed(connection)
    }
    expect(peer.connections).toBe(2)
  })

  it('is closed with the pool, and nothing stays open', async () => {
    const before = await settledHandles()
    const peer = await winrmPeer((heard) => heard.say(enumerated(RUNNING)))
    const { credential } = await basicCredential()
    const pool = winrmPool()
    await (await pool.open(HOST, accessTo(peer.url, credential), visitOf())).query(SERVICE)
    pool.close()
    await peer.stop()
    await expectHandles(before)
    expect(await reasonOf(pool.open(HOST, accessTo(peer.url, credential), visitOf()))).toMatch(
      /timeout|connect/,
    )
  })
})

describe('the way', () => {
  it('is not taken with a password in clear text, unless that is allowed', async () => {
    const { credential } = await basicCredential()
    const access = accessTo('http://127.0.0.1:1/wsman', credential, { allowUnencrypted: false })
    expect(await reasonOf(winrmPool().open(HOST, access, visitOf()))).toBe('not_configured')
  })

  it('leads to connect_to where the URL names the host itself, and not where it names another', async () => {
    const peer = await winrmPeer((heard) => heard.say(enumerated(RUNNING)))
    const { credential } = await basicCredential()
    const host = { ...HOST, connectTo: '127.0.0.1' }
    const urlOf = (name: string): string => `http://${name}:${peer.port}/wsman`
    const reader = await winrmPool().open(host, accessTo(urlOf('KMS01.corp.example'), credential), visitOf())
    expect((await reader.query(SERVICE)).rows).toHaveLength(1)
    const other = winrmPool().open(host, accessTo(urlOf('other.corp.example'), credential), visitOf(0.5))
    expect(await reasonOf(other)).toMatch(/^resolve_/)
  })

  it('that nobody listens at is connect_refused', async () => {
    const { credential } = await basicCredential()
    const { port } = await closedPort()
    const access = accessTo(`http://127.0.0.1:${port}/wsman`, credential)
    const visit = visitOf()
    expect(await reasonOf(winrmPool().open(HOST, access, visit))).toBe('connect_refused')
    expect(visit.stages).toEqual(['resolve', 'connect'])
  })
})

describe('a refused logon', () => {
  const refusing = (password: string) => {
    const right = `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`
    return winrmPeer(
      (heard) => {
        if (heard.authorization !== right)
          heard.response.writeHead(401, { 'www-authenticate': 'Basic' }).end()
        else heard.say(heard.kind === 'Identify' ? '' : enumerated(RUNNING))
      },
      { everything: true },
    )
  }

  it('is tried once, however many visits come, until the password changes', async () => {
    const peer = await refusing('right')
    const { credential, change } = await basicCredential('wrong')
    const pool = winrmPool()
    const open = () => pool.open(HOST, accessTo(peer.url, credential), visitOf())
    const reasons = await Promise.all([reasonOf(open()), reasonOf(open()), reasonOf(open())])
    expect(reasons).toEqual(['auth_failed', 'auth_failed', 'auth_failed'])
    const { message } = await failureOf(open())
    expect(message).toMatch(
      /not tried again before \d\d:\d\d:\d\d UTC, so that the account is not locked out/,
    )
    expect(message).not.toContain('wrong')
    expect(peer.heard).toHaveLength(1)
    await change('right')
    expect((await (await open()).query(SERVICE)).rows).toHaveLength(1)
  })

  it('is tried at a few hosts only', async () => {
    const peers = await Promise.all(Array.from({ length: 6 }, () => refusing('right')))
    const { credential } = await basicCredential('wrong')
    const pool = winrmPool()
    const reasons = peers.map(({ url }) => reasonOf(pool.open(HOST, accessTo(url, credential), visitOf())))
    expect(new Set(await Promise.all(reasons))).toEqual(new Set(['auth_failed']))
    expect(peers.flatMap(({ heard }) => heard).length).toBeLessThanOrEqual(4)
  })

  it('does not come of a password that changed while a connection stood', async () => {
    let right = 'old'
    const peer = await winrmPeer(
      (heard) => {
        if (heard.authorization !== `Basic ${Buffer.from(`reader:${right}`).toString('base64')}`)
          heard.response.writeHead(401).end()
        else heard.say(heard.kind === 'Identify' ? '' : enumerated(RUNNING))
      },
      { everything: true },
    )
    const { credential, change } = await basicCredential(right)
    const pool = winrmPool()
    const ask = async () => (await pool.open(HOST, accessTo(peer.url, credential), visitOf())).query(SERVICE)
    await ask()
    right = 'new'
    await change(right)
    expect((await ask()).rows).toHaveLength(1)
    expect(peer.connections).toBe(2)
  })

  it('is not held against an account that was never named: NTLM is not offered', async () => {
    const peers = await Promise.all(
      Array.from({ length: 4 }, () =>
        winrmPeer(({ response }) => void response.writeHead(401, { 'www-authenticate': 'Kerberos' }).end(), {
          everything: true,
        }),
      ),
    )
    const { credential } = await basicCredential()
    const pool = winrmPool()
    for (const { url } of peers) {
      const access = accessTo(url, { ...credential, auth: 'ntlm' })
      expect(await failureOf(pool.open(HOST, access, visitOf()))).toMatchObject({
        reason: 'auth_failed',
        message: expect.stringContaining('does not offer'),
      })
    }
    expect(peers.map(({ heard }) => heard.length)).toEqual([1, 1, 1, 1])
  })

  it('on a connection that was logged on drops it, and is held against the account', async () => {
    let refuse = false
    const peer = await winrmPeer((heard) => {
      if (refuse) heard.response.writeHead(401).end()
      else heard.say(enumerated(RUNNING))
    })
    const { credential } = await basicCredential()
    const pool = winrmPool()
    const ask = async () => (await pool.open(HOST, accessTo(peer.url, credential), visitOf())).query(SERVICE)
    await ask()
    refuse = true
    expect(await reasonOf(ask())).toBe('auth_failed')
    expect(await reasonOf(ask())).toBe('auth_failed')
    expect(peer.heard.map(({ kind }) => kind)).toEqual(['Identify', 'Enumerate', 'Enumerate'])
  })
})
