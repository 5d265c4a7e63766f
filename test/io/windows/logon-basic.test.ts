import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Credential } from '../../../src/config/schema.ts'
import { passwordOf } from '../../../src/config/secrets.ts'
import { systemClock } from '../../../src/io/clock.ts'
import { openConnection } from '../../../src/io/http.ts'
import { logonBasic } from '../../../src/io/windows/logon/basic.ts'
import { listenServer } from '../../../src/lab/listener.ts'
import { during } from '../../during.ts'
import { UNGUARDED, AMPLE_SECONDS, deadlineOf, failureOf, LOOPBACK } from '../support.ts'

/** A server that takes anybody and says how they named themselves, and a logon to it. */
async function meet(credential: Partial<Credential>) {
  const seen: (string | undefined)[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization)
    request.resume().on('end', () => response.end('ä'))
  })
  const endpoint = await during(listenServer(server, LOOPBACK))
  const deadline = deadlineOf(AMPLE_SECONDS)
  const connection = await openConnection({ endpoint, host: 'localhost' }, deadline, systemClock)
  onTestFinished(() => connection.close())
  const context = { connection, path: '/wsman', host: 'localhost', deadline }
  return {
    seen,
    connection,
    deadline,
    logon: async () => {
      const password = passwordOf(credential).reveal()
      return logonBasic({ ...context, ...UNGUARDED, credential: { auth: 'basic', ...credential }, password })
    },
  }
}

async function passwordFile(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'basic-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'password')
  await writeFile(file, text)
  return file
}

describe('logonBasic', () => {
  it('asks nothing itself, and then goes with each request, in UTF-8', async () => {
    const password_file = await passwordFile('P@ss:wörd\n')
    const { seen, connection, deadline, logon } = await meet({ username: 'mönitor', password_file })
    const channel = await logon()
    expect(seen).toEqual([])
    for (const text of ['<s:Envelope>€</s:Envelope>', '']) {
      const { contentType, body } = channel.wrap(text)
      expect(contentType).toBe('application/soap+xml;charset=UTF-8')
      expect(Buffer.from(body).toString('utf8')).toBe(text)
      const headers = { ...channel.headers, 'content-type': contentType }
      const answer = await connection.ask({ method: 'POST', path: '/wsman', headers, body }, 1024, deadline)
      expect(channel.unwrap({ contentType: 'application/soap+xml', body: answer.body })).toBe('ä')
    }
    // "mönitor:P@ss:wörd", by `base64`.
    expect(seen).toEqual(Array(2).fill('Basic bcO2bml0b3I6UEBzczp3w7ZyZA=='))
  })

  it.each<readonly [string, Partial<Credential>]>([
    ['user name', { password_env: 'PATH' }],
    ['password', { username: 'monitor', password_env: 'NO_SUCH_VARIABLE' }],
    ['password file', { username: 'monitor', password_file: '/nonexistent/password' }],
  ])('has nothing to say without a %s', async (_, credential) => {
    const { seen, logon } = await meet(credential)
    expect((await failureOf(logon())).reason).toBe('not_configured')
    expect(seen).toEqual([])
  })
})
