// Every decoder that sees bytes or text from the network or from a disk, a row each.
//
// Not here: HTTP itself, TLS and GSSAPI (undici's, OpenSSL's and MIT Kerberos's), the request side of the web server
// (express's), MD4 and RC4 (they hash and cipher, and decode nothing), and encoders, but where they undo a decoder.
import type { Codec } from '../promises.ts'
import { BINARY } from './binary.ts'
import { LOGON_CODECS } from './logon.ts'
import { OURS } from './ours.ts'
import { TEXT } from './text.ts'
import { XML } from './xml.ts'

export const CODECS: readonly Codec[] = [...BINARY, ...LOGON_CODECS, ...TEXT, ...XML, ...OURS]
