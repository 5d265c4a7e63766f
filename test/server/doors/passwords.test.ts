// Basic authentication against hashes of htpasswd's making: who is let in, what that costs, and what guessing costs.
import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createBasicAuth, parseBasic } from '../../../src/server/basic-auth.ts'
import { createPasswords, type Passwords } from '../../../src/server/bcrypt.ts'
import { program, realServer } from '../../real/servers/need.ts'
import { later, PAGE } from '../serve.ts'
import { basic, doorBehind, knock } from './door.ts'

function hashOf(password: string, cost = 4): string {
  const line = execFileSync(program('htpasswd'), ['-nbBC', String(cost), 'user', password], {
    encoding: 'utf8',
  })
  return line.trim().slice('user:'.length)
}

describe('passwords', () => {
  it('let in whoever has one, on every path but those for supervisors', async (context) => {
    realServer(context, ['htpasswd'])
    const door = await doorBehind(
      `basic_auth_users: { alice: '${hashOf('wonder:land')}', bob: '${hashOf('')}' }\n`,
    )
    for (const headers of [basic('alice', 'wonder:land'), basic('bob', '')])
      expect(await knock(door, { headers })).toMatchObject({ status: 200, text: PAGE })
    const others = [
      {},
      basic('alice', 'wonderland'),
      basic('bob', 'wonder:land'),
      basic('carol', ''),
      { authorization: 'Bearer x' },
    ]
    for (const headers of others) {
      for (const path of ['/metrics', '/', '/probe?target=kms01.corp.example', '/config', '/nowhere']) {
        const answer = await knock(door, { path, headers })
        expect([path, answer.status, answer.text]).toEqual([path, 401, 'Unauthorized\n'])
        expect(answer.headers['www-authenticate']).toBe('Basic realm="winkms-exporter", charset="UTF-8"')
        expect(answer.headers['x-content-type-options']).toBe('nosniff')
      }
    }
    for (const path of ['/-/healthy', '/-/ready']) expect((await knock(door, { path })).status).toBe(200)
    expect(await door.refused()).toEqual({ password: 25 })
  })

  it('are asked for from the next request on, and no longer when they are gone', async (context) => {
    realServer(context, ['htpasswd'])
    const door = await doorBehind('')
    expect((await knock(door)).status).toBe(200)
    await door.write(`basic_auth_users: { alice: '${hashOf('old')}' }\n`)
    expect((await knock(door)).status).toBe(401)
    expect((await knock(door, { headers: basic('alice', 'old') })).status).toBe(200)
    await door.write(`basic_auth_users: { alice: '${hashOf('newer')}' }\n`)
    expect((await knock(door, { headers: basic('alice', 'old') })).status).toBe(401)
    expect((await knock(door, { headers: basic('alice', 'newer') })).status).toBe(200)
  })

  it.each(['$2y$', '$2a$', '$2b$'])('are right against a hash that begins with %s', async (context_) => {
    const passwords = createPasswords()
    onTestFinished(() => passwords.close())
    const hash = hashOf('täst').replace('$2y$', context_)
    expect(await passwords.isRight('täst', hash)).toBe(true)
    expect(await passwords.isRight('tast', hash)).toBe(false)
  })
})

/** Counts what it is asked, and answers when told to. */
function slowPasswords() {
  const asked: { password: string; hash: string; answer: ReturnType<typeof later<boolean | undefined>> }[] =
    []
  const passwords: Passwords = {
    isRight(password, hash) {
      const answer = later<boolean | undefined>()
      asked.push({ password, hash, answer })
      return answer.promise
    },
    close: async () => {},
  }
  return { asked, auth: createBasicAuth(passwords) }
}

describe('what a password costs', () => {
  const USERS = new Map([
    ['alice', '$2y$04$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
    ['bob', '$2y$10$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'],
  ])
  const header = (user: string, password: string): string => basic(user, password)['authorization'] ?? ''

  it('a right one is hashed once, a wrong one each time', async () => {
    const { asked, auth } = slowPasswords()
    const first = auth.check(header('alice', 'a'), USERS)
    // The same at the same moment shares it.
    const second = auth.check(header('alice', 'a'), USERS)
    asked[0]?.answer.resolve(true)
    expect(await Promise.all([first, second])).toEqual(['right', 'right'])
    expect(await auth.check(header('alice', 'a'), USERS)).toBe('right')
    expect(asked).toHaveLength(1)
    for (const count of [2, 3]) {
      const wrong = auth.check(header('alice', 'b'), USERS)
      expect(asked).toHaveLength(count)
      asked.at(-1)?.answer.resolve(false)
      expect(await wrong).toBe('wrong')
    }
    // Other users in force: nothing is remembered of these.
    void auth.check(header('alice', 'a'), new Map(USERS))
    expect(asked).toHaveLength(4)
  })

  it('somebody unknown costs a hash of the dearest kind, and is never right', async () => {
    const { asked, auth } = slowPasswords()
    const unknown = auth.check(header('carol', 'a'), USERS)
    expect(asked.map(({ hash }) => hash)).toEqual([USERS.get('bob')])
    asked[0]?.answer.resolve(true)
    expect(await unknown).toBe('wrong')
    void auth.check(header('bob', 'a'), USERS)
    expect(asked).toHaveLength(2)
  })

  it('when nobody can tell, nobody is let in, and nothing is remembered', async () => {
    const { asked, auth } = slowPasswords()
    const first = auth.check(header('alice', 'a'), USERS)
    asked[0]?.answer.resolve(undefined)
    expect(await first).toBe('cannot tell')
    void auth.check(header('alice', 'a'), USERS)
    expect(asked).toHaveLength(2)
  })

  it('many that guess at once wait for one thread, and more than 32 are told so', async (context) => {
    realServer(context, ['htpasswd'])
    const door = await doorBehind(`basic_auth_users: { alice: '${hashOf('right', 8)}' }\n`)
    expect((await knock(door, { headers: basic('alice', 'right') })).status).toBe(200)
    const guesses = Array.from({ length: 60 }, (_, index) =>
      knock(door, { headers: basic('alice', `no ${index}`) }),
    )
    const statuses = (await Promise.all(guesses)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set([401, 503]))
    // Whoever was let in before does not wait with them.
    const more = Array.from({ length: 60 }, (_, index) =>
      knock(door, { headers: basic('alice', `nor ${index}`) }),
    )
    expect((await knock(door, { headers: basic('alice', 'right') })).status).toBe(200)
    await Promise.all(more)
  })
})

describe('the header', () => {
  it('is Basic with a name and a password, or nothing', () => {
    const encode = (text: string): string => Buffer.from(text).toString('base64')
    expect(parseBasic(`Basic ${encode('a:b:c')}`)).toEqual({ user: 'a', password: 'b:c' })
    expect(parseBasic(`bAsIc   ${encode('ä:ö')} `)).toEqual({ user: 'ä', password: 'ö' })
    expect(parseBasic(`Basic ${encode(':')}`)).toEqual({ user: '', password: '' })
    for (const wrong of [
      undefined,
      '',
      'Basic',
      'Basic ',
      `Basic ${encode('ab')}`,
      `Digest ${encode('a:b')}`,
      'Basic a:b',
      `Basic ${encode('a:b')} x`,
    ])
      expect(parseBasic(wrong)).toBeUndefined()
  })

  it('can be anything', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseBasic(text)))
    fc.assert(
      fc.property(fc.stringMatching(/^[^:]*$/), fc.string(), (user, password) => {
        const text = Buffer.from(`${user}:${password}`).toString('base64')
        expect(parseBasic(`Basic ${text}`)).toEqual({
          user: user.toWellFormed(),
          password: password.toWellFormed(),
        })
      }),
    )
  })
})
