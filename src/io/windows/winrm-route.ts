// The way to one WinRM listener, as the configuration says it.
import { isIP } from 'node:net'
import type { Credential } from '../../config/schema.ts'
import type { WindowsAccess } from '../../config/targets.ts'
import { ProbeFailure } from '../../model/failure.ts'
import type { Endpoint } from '../../model/target.ts'
import type { WindowsHost } from './windows.ts'

export type WinrmAccess = Extract<WindowsAccess, { via: 'winrm' }>

export interface Route {
  /** Who may share a connection: those who go the same way with the same credential. */
  readonly key: string
  /** `https://kms01.corp.example:5986/wsman`. */
  readonly where: string
  readonly path: string
  readonly secure: boolean
  /** A name or an address, without brackets. */
  readonly name: string
  readonly port: number
  /** Where to connect instead of to what `name` resolves to. */
  readonly address: string | undefined
  /** The name that the service goes by: the host's own, where the URL has only an address. */
  readonly serviceHost: string
  readonly credential: Credential
  readonly tls: WinrmAccess['tls']
  readonly resolvers: readonly Endpoint[]
}

/** Throws ProbeFailure `not_configured` where a password would go over the wire as it is and nobody allowed that. */
export function routeTo(host: WindowsHost, access: WinrmAccess): Route {
  const { credential, tls } = access
  const url = new URL(access.url)
  const secure = url.protocol === 'https:'
  const where = `${url.protocol}//${url.host}${url.pathname}`
  if (!secure && credential.auth === 'basic' && !access.allowUnencrypted) {
    const way = 'use https, ntlm or kerberos, or say allow_unencrypted'
    throw new ProbeFailure('not_configured', `${where}: auth basic would show the password: ${way}`)
  }
  if (!secure && credential.auth === 'certificate')
    throw new ProbeFailure('not_configured', `${where}: auth certificate needs https`)
  const name = url.hostname.replace(/^\[|\]$/g, '')
  // Another machine may stand in the URL, and that one has its own address.
  const own = name.toLowerCase() === host.name.toLowerCase()
  const address = isIP(name) === 0 ? (own ? host.connectTo : undefined) : name
  return {
    key: JSON.stringify([where, address, credential, tls]),
    where,
    path: `${url.pathname}${url.search}`,
    secure,
    name,
    port: Number(url.port) || (secure ? 443 : 80),
    address,
    serviceHost: isIP(name) === 0 ? name : host.name,
    credential,
    tls,
    resolvers: host.resolvers,
  }
}
