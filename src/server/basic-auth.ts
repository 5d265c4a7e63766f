// HTTP Basic authentication (RFC 7617) against bcrypt hashes. What was right once is remembered, as a keyed digest, so that
// a scrape does not cost a hash each time; what was wrong is not, and costs one, known user or not.
import { createHmac, randomBytes } from 'node:crypto'
import type { Passwords } from './bcrypt.ts'

/** From name to bcrypt hash. */
type Users = ReadonlyMap<string, string>

export type Verdict = 'right' | 'wrong' | 'cannot tell'

export interface BasicAuth {
  /** `authorization`: the header as it came. */
  check(authorization: string | undefined, users: Users): Promise<Verdict>
}

export function createBasicAuth(passwords: Passwords): BasicAuth {
  const secret = randomBytes(32)
  /** Digests of what was right, while these users are in force. */
  const right = new WeakMap<Users, Set<string>>()
  /** The same that is asked twice at once is hashed once. */
  const asking = new Map<string, Promise<boolean | undefined>>()

  async function isRight(user: string, password: string, users: Users): Promise<boolean | undefined> {
    const hash = users.get(user)
    // Somebody unknown waits as long as somebody known does.
    const against = hash ?? costliest(users)
    const digest = createHmac('sha256', secret)
      .update(JSON.stringify([user, against, password]))
      .digest('base64')
    const known = right.get(users) ?? new Set()
    right.set(users, known)
    if (known.has(digest)) return true
    const asked = asking.get(digest) ?? passwords.isRight(password, against)
    asking.set(digest, asked)
    try {
      const same = await asked
      if (hash === undefined) return same === undefined ? undefined : false
      if (same === true) known.add(digest)
      return same
    } finally {
      asking.delete(digest)
    }
  }

  return {
    async check(authorization, users) {
      const given = parseBasic(authorization)
      if (given === undefined) return 'wrong'
      const same = await isRight(given.user, given.password, users)
      if (same === undefined) return 'cannot tell'
      return same ? 'right' : 'wrong'
    },
  }
}

/** Undefined for whatever is not Basic, or not as RFC 7617 has it. */
export function parseBasic(header: string | undefined): { user: string; password: string } | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  return colon === -1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

function costliest(users: Users): string {
  return [...users.values()].toSorted((a, b) => Number(b.slice(4, 6)) - Number(a.slice(4, 6)))[0] ?? ''
}
