// Kerberos by the system's MIT libgssapi_krb5, through koffi: the little of GSS-API (RFC 2744, RFC 5588) that a client
// needs. Both are optional and loaded at the first logon. Whatever the library hands out is given back here.
import { promisify } from 'node:util'
import { MalformedMessage, ProbeFailure, type Reason } from '../../../model/failure.ts'
import { loadKoffi } from '../../koffi.ts'

/** Whose tickets. */
export interface TicketSource {
  /** `user@REALM`; that of the key or the cache when not given. */
  readonly principal?: string | undefined
  /** Where the library finds the key or keeps tickets (`client_keytab`, `ccache`); the process's own when empty. */
  readonly store: Readonly<Record<string, string>>
}

export interface SecurityContext {
  /** Takes the server's proof (AP-REP). Throws ProbeFailure `auth_failed` for one that is none. */
  finish(proof: Uint8Array): void
  /** Sealed, as RFC 4121 4.2.6.2. Throws ProbeFailure `protocol_error`. */
  wrap(text: Uint8Array): Uint8Array
  /** Throws MalformedMessage for what was altered, repeated, left out, or not sealed. */
  unwrap(token: Uint8Array): Uint8Array
  /** Idempotent. What is never released is, once nobody refers to it any more. */
  release(): void
}

type Handle = bigint | null
interface Filled {
  length?: number
  value?: Handle
}

const NEEDS =
  "kerberos needs the optional package koffi and the system's MIT libgssapi_krb5.so.2 (Debian: libgssapi-krb5-2)"

// RFC 2744 3.9.1: errors are in the upper half; the lower tells of repeated, old and missing messages.
const CONTINUE_NEEDED = 1
const ERRORS = 0xffff0000
const MAJOR = 1
const MINOR = 2
const INITIATE = 1
// Mutual, replay and sequence detection, confidentiality, integrity.
const FLAGS = 0x02 | 0x04 | 0x08 | 0x10 | 0x20

async function load() {
  if (process.platform === 'win32')
    throw new ProbeFailure('not_configured', 'kerberos is not there for an exporter on Windows: use ntlm')
  try {
    const koffi = await loadKoffi()
    const gss = koffi.load('libgssapi_krb5.so.2')
    const krb5 = koffi.load('libkrb5.so.3')
    type Spec = Parameters<typeof koffi.sizeof>[0]
    const u32 = 'uint32_t'
    const handle = 'void *'
    const buffer = koffi.struct({ length: 'size_t', value: handle })
    const bytes = koffi.pointer(buffer)
    const pair = koffi.struct({ key: 'str', value: 'str' })
    const store = koffi.pointer(koffi.struct({ count: u32, elements: koffi.pointer(pair) }))
    const oids = koffi.pointer(koffi.struct({ count: 'size_t', elements: handle }))
    const bindings = koffi.pointer(
      koffi.struct({ fromType: u32, from: buffer, toType: u32, to: buffer, data: buffer }),
    )
    const out = (type: Spec) => koffi.out(koffi.pointer(type))
    const inout = (type: Spec) => koffi.inout(koffi.pointer(type))
    const oid = (name: string): Handle => koffi.decode(gss.symbol(name), handle) as Handle
    // prettier-ignore
    return {
      koffi,
      krb5Mechanism: oid('gss_mech_krb5'),
      principalName: oid('GSS_KRB5_NT_PRINCIPAL_NAME'),
      serviceName: oid('GSS_C_NT_HOSTBASED_SERVICE'),
      importName: gss.func('gss_import_name', u32, [out(u32), bytes, handle, out(handle)]),
      releaseName: gss.func('gss_release_name', u32, [out(u32), inout(handle)]),
      acquire: gss.func('gss_acquire_cred_from', u32,
        [out(u32), handle, u32, oids, 'int', store, out(handle), handle, handle]),
      releaseCredential: gss.func('gss_release_cred', u32, [out(u32), inout(handle)]),
      init: gss.func('gss_init_sec_context', u32,
        [out(u32), handle, inout(handle), handle, handle, u32, u32, bindings, bytes, handle, out(buffer), handle, handle]),
      deleteContext: gss.func('gss_delete_sec_context', u32, [out(u32), inout(handle), handle]),
      wrap: gss.func('gss_wrap', u32, [out(u32), handle, 'int', u32, bytes, out('int'), out(buffer)]),
      unwrap: gss.func('gss_unwrap', u32, [out(u32), handle, bytes, out(buffer), out('int'), handle]),
      releaseBuffer: gss.func('gss_release_buffer', u32, [out(u32), inout(buffer)]),
      displayStatus: gss.func('gss_display_status', u32, [out(u32), u32, 'int', handle, inout(u32), out(buffer)]),
      initContext: krb5.func('krb5_init_context', 'int32_t', [out(handle)]),
      freeContext: krb5.func('krb5_free_context', 'void', [handle]),
      resolveCache: krb5.func('krb5_cc_resolve', 'int32_t', [handle, 'str', out(handle)]),
      destroyCache: krb5.func('krb5_cc_destroy', 'int32_t', [handle, handle]),
    }
  } catch (error) {
    throw new ProbeFailure('not_configured', NEEDS, { cause: error })
  }
}

type Gss = Awaited<ReturnType<typeof load>>

let loading: Promise<Gss> | undefined

/** Loaded once; what is missing may be there the next time. */
function library(): Promise<Gss> {
  if (loading !== undefined) return loading
  loading = load()
  loading.catch(() => (loading = undefined))
  return loading
}

/** What the library wrote, and it back to the library. */
function taken(gss: Gss, filled: Filled): Uint8Array {
  const { length = 0, value = null } = filled
  const copy =
    value === null || length === 0
      ? new Uint8Array(0)
      : Uint8Array.from(gss.koffi.decode(value, 'uint8_t', length) as ArrayLike<number>)
  gss.releaseBuffer([0], filled)
  return copy
}

const KRB5 = -1765328384
const K5G = 39756032

/** The reasons of libkrb5's and the mechanism's error tables (krb5_err.et, gssapi_err_krb5.et); else `auth_failed`. */
const REASONS: readonly (readonly [Reason, readonly number[]])[] = [
  // Service principal unknown, expired, or of no realm that we know.
  ['not_found', [2, 7, 26, 68, 155].map((offset) => KRB5 + offset)],
  ['connect_unreachable', [29, 156, 220].map((offset) => KRB5 + offset)],
  // Nobody was asked: a ticket that has expired, no key, no cache, no realm, no encryption type in common.
  [
    'not_configured',
    [32, 133, 134, 135, 136, 139, 140, 141, 143, 154, 181, 193, 194].map((offset) => KRB5 + offset),
  ],
  ['not_configured', [195, 199, 200, 203, 212, 213, 217, 224, 235, 236, 237].map((offset) => KRB5 + offset)],
  ['not_configured', [0, 1, 2, 12].map((offset) => K5G + offset)],
  // ENOENT and EACCES.
  ['not_configured', [2, 13]],
]

/** What the library's own words leave out. */
const HINTS: Readonly<Record<number, string>> = {
  [KRB5 + 37]: 'a clock here or there is wrong',
  [KRB5 + 148]: 'a clock here or there is wrong',
  [KRB5 + 141]: 'there is no ticket, be it by keytab_file, in cache_file, or of the process itself',
  [KRB5 + 195]: 'and no key of the principal in the keytab',
}

/** In the library's words, of which the details stay behind in the thread that made the call. */
function textOf(gss: Gss, code: number, kind: number): string {
  const text: Filled = {}
  gss.displayStatus([0], code, kind, gss.krb5Mechanism, [0], text)
  const said = Buffer.from(taken(gss, text)).toString('utf8')
  return said.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)
}

function failureOf(gss: Gss, what: string, major: number, minor = 0): ProbeFailure {
  const code = minor | 0
  // A minor code of zero comes back as another number, for `Success`.
  const detail = textOf(gss, minor, MINOR)
  const said = ['', 'Success'].includes(detail) ? textOf(gss, major, MAJOR) : detail
  const reason = REASONS.find(([, codes]) => codes.includes(code))?.[0] ?? 'auth_failed'
  const hint = HINTS[code]
  return new ProbeFailure(reason, `${what}: ${said}${hint === undefined ? '' : ` (${hint})`}`)
}

function nameOf(gss: Gss, text: string, type: Handle): Handle {
  const value = Buffer.from(text, 'utf8')
  const minor = [0]
  const name: Handle[] = [null]
  const major = gss.importName(minor, { length: value.length, value }, type, name) as number
  if ((major & ERRORS) !== 0) throw failureOf(gss, `kerberos: ${text} is no name`, major, minor[0])
  return name[0] ?? null
}

/** What one context holds in the library. */
interface Held {
  context: Handle
  credential: Handle
  target: Handle
}

function giveBack(gss: Gss, held: Held): void {
  if (held.context !== null) gss.deleteContext([0], [held.context], null)
  if (held.credential !== null) gss.releaseCredential([0], [held.credential])
  if (held.target !== null) gss.releaseName([0], [held.target])
  Object.assign(held, { context: null, credential: null, target: null })
}

// A connection that the peer closes tells nobody: what it held is given back with its last reference.
const forgotten = new FinalizationRegistry<{ gss: Gss; held: Held }>(({ gss, held }) => giveBack(gss, held))

function contextOf(gss: Gss, held: Held): SecurityContext {
  // Each method keeps the anchor, and so what it is an anchor for.
  const anchor = { held }
  forgotten.register(anchor, { gss, held }, anchor)
  return {
    finish(proof) {
      const { held } = anchor
      const [minor, context, token]: [number[], Handle[], Filled] = [[0], [held.context], {}]
      const input = { length: proof.length, value: Buffer.from(proof) }
      // The last leg is arithmetic only: no KDC is asked.
      // prettier-ignore
      const major = gss.init(minor, held.credential, context, held.target, gss.krb5Mechanism, FLAGS, 0, null,
        input, null, token, null, null) as number
      held.context = context[0] ?? null
      taken(gss, token)
      if (major === 0) return
      const { message } = failureOf(gss, 'kerberos: the server did not prove itself', major, minor[0])
      throw new ProbeFailure('auth_failed', message)
    },
    wrap(text) {
      const [minor, sealed, token]: [number[], number[], Filled] = [[0], [0], {}]
      const input = { length: text.length, value: Buffer.from(text) }
      const major = gss.wrap(minor, anchor.held.context, 1, 0, input, sealed, token) as number
      const wrapped = taken(gss, token)
      if (major === 0 && sealed[0] !== 0) return wrapped
      const { message } = failureOf(gss, 'kerberos: a message cannot be sealed', major, minor[0])
      throw new ProbeFailure('protocol_error', message)
    },
    unwrap(token) {
      const [minor, sealed, text]: [number[], number[], Filled] = [[0], [0], {}]
      const input = { length: token.length, value: Buffer.from(token) }
      const major = gss.unwrap(minor, anchor.held.context, input, text, sealed, null) as number
      const plain = taken(gss, text)
      if (major === 0 && sealed[0] !== 0) return plain
      if (major === 0) throw new MalformedMessage('a Kerberos message that is only signed', 0)
      throw new MalformedMessage(failureOf(gss, 'a sealed Kerberos message', major, minor[0]).message, 0)
    },
    release() {
      forgotten.unregister(anchor)
      giveBack(gss, anchor.held)
    },
  }
}

/**
 * The first leg: a ticket for the service `target` (`HTTP@host`), and the token that shows it, bound to the channel
 * (RFC 5554; the application data). Asks KDCs in a thread of its own, for as long as krb5.conf lets it: it cannot be
 * called off. Rejects with ProbeFailure `not_configured`, `not_found` (no such service), `connect_unreachable` (no KDC)
 * or `auth_failed`.
 */
export async function startContext(
  { principal, store }: TicketSource,
  target: string,
  bindings: Uint8Array | undefined,
): Promise<{ readonly context: SecurityContext; readonly token: Uint8Array }> {
  const gss = await library()
  const { koffi } = gss
  const held: Held = { context: null, credential: null, target: null }
  const minor = [0]
  // Memory that stays where it is while another thread reads it.
  const bound = bindings === undefined ? null : (koffi.alloc('uint8_t', bindings.length) as bigint)
  let wanted: Handle = null
  try {
    held.target = nameOf(gss, target, gss.serviceName)
    if (principal !== undefined) wanted = nameOf(gss, principal, gss.principalName)
    const elements = Object.entries(store).map(([key, value]) => ({ key, value }))
    const from = elements.length === 0 ? null : { count: elements.length, elements }
    const mechanisms = { count: 1, elements: gss.krb5Mechanism }
    const credential: Handle[] = [null]
    // prettier-ignore
    const acquired = (await promisify(gss.acquire.async)(minor, wanted, 0, mechanisms, INITIATE, from, credential,
      null, null)) as number
    held.credential = credential[0] ?? null
    if ((acquired & ERRORS) !== 0) throw failureOf(gss, 'kerberos: our own ticket', acquired, minor[0])
    const nobody = { length: 0, value: null }
    if (bound !== null && bindings !== undefined) koffi.encode(bound, 'uint8_t', bindings, bindings.length)
    const data = { length: bindings?.length ?? 0, value: bound }
    const channel = bound === null ? null : { fromType: 0, from: nobody, toType: 0, to: nobody, data }
    const [context, output]: [Handle[], Filled] = [[null], {}]
    // prettier-ignore
    const major = (await promisify(gss.init.async)(minor, held.credential, context, held.target, gss.krb5Mechanism,
      FLAGS, 0, channel, null, null, output, null, null)) as number
    held.context = context[0] ?? null
    const token = taken(gss, output)
    if ((major & ERRORS) !== 0) throw failureOf(gss, `kerberos: a ticket for ${target}`, major, minor[0])
    if (major !== CONTINUE_NEEDED)
      throw new ProbeFailure('auth_failed', 'kerberos: the server need not prove itself')
    return { context: contextOf(gss, held), token }
  } catch (error) {
    giveBack(gss, held)
    throw error
  } finally {
    if (wanted !== null) gss.releaseName([0], [wanted])
    if (bound !== null) koffi.free(bound)
  }
}

/** Throws away the tickets of a cache in memory, so that new ones are asked for. */
export async function forgetTickets(cache: string): Promise<void> {
  const gss = await library()
  const [krb5, found]: [Handle[], Handle[]] = [[null], [null]]
  if (gss.initContext(krb5) !== 0) return
  if (gss.resolveCache(krb5[0], cache, found) === 0) gss.destroyCache(krb5[0], found[0])
  gss.freeContext(krb5[0])
}
