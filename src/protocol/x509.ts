// Of an X.509 certificate, the one thing that Node does not tell: by which hash it is signed, which decides how TLS
// channel bindings name it (RFC 5929 4.1). A reader of as much DER as that takes.
import { createHash } from 'node:crypto'
import { Reader } from './bytes.ts'

const SEQUENCE = 0x30
const OBJECT_IDENTIFIER = 0x06
const BIT_STRING = 0x03
const FIRST_PARAMETER = 0xa0

type HashName = 'sha224' | 'sha256' | 'sha384' | 'sha512' | 'sha512-224' | 'sha512-256'

/** Object identifiers as the hex of their contents; MD5 and SHA-1 have become SHA-256, as RFC 5929 wants. */
const SIGNATURE_HASHES: Readonly<Record<string, HashName>> = {
  '2a864886f70d010104': 'sha256', // md5WithRSAEncryption (RFC 3279, 8017)
  '2a864886f70d010105': 'sha256', // sha1WithRSAEncryption
  '2a864886f70d01010e': 'sha224',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a864886f70d01010f': 'sha512-224',
  '2a864886f70d010110': 'sha512-256',
  '2a8648ce380403': 'sha256', // dsa-with-sha1 (RFC 3279, 5758)
  '608648016503040301': 'sha224',
  '608648016503040302': 'sha256',
  '2a8648ce3d0401': 'sha256', // ecdsa-with-SHA1 (RFC 5758)
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
}
const RSASSA_PSS = '2a864886f70d01010a'
/** The hash among the parameters of RSASSA-PSS (RFC 4055 3.1). */
const PSS_HASHES: Readonly<Record<string, HashName>> = {
  '2b0e03021a': 'sha256', // SHA-1
  '608648016503040204': 'sha224',
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
}

/** The contents of the element at the cursor (X.690 8.1), which moves behind it. */
function contents(reader: Reader, tag: number): Reader {
  const found = reader.u8()
  if (found !== tag) throw reader.malformed(`DER tag ${found}, not ${tag}`)
  let length = reader.u8()
  if (length >= 0x80) {
    const count = length - 0x80
    if (count === 0 || count > 4) throw reader.malformed('DER length of another form')
    length = 0
    for (let each = 0; each < count; each++) length = length * 256 + reader.u8()
  }
  return new Reader(reader.bytes(length))
}

const hexOf = (reader: Reader): string => Buffer.from(reader.bytes(reader.remaining)).toString('hex')

/** SHA-1, which PSS means where it names no hash, becomes SHA-256 here too. */
function pssHash(parameters: Reader): HashName | undefined {
  if (parameters.remaining === 0) return 'sha256'
  const list = contents(parameters, SEQUENCE)
  if (list.remaining === 0 || list.at(list.offset).u8() !== FIRST_PARAMETER) return 'sha256'
  return PSS_HASHES[hexOf(contents(contents(contents(list, FIRST_PARAMETER), SEQUENCE), OBJECT_IDENTIFIER))]
}

/**
 * The hash of `tls-server-end-point` for a certificate in DER; undefined where RFC 5929 defines none: a signature
 * without exactly one hash (Ed25519), or one that we do not know. Throws MalformedMessage.
 */
export function endPointHash(certificate: Uint8Array): HashName | undefined {
  const outer = contents(new Reader(certificate), SEQUENCE)
  contents(outer, SEQUENCE)
  const algorithm = contents(outer, SEQUENCE)
  contents(outer, BIT_STRING)
  const identifier = hexOf(contents(algorithm, OBJECT_IDENTIFIER))
  return identifier === RSASSA_PSS ? pssHash(algorithm) : SIGNATURE_HASHES[identifier]
}

/**
 * The application data of a GSS channel binding to a TLS server's certificate (RFC 5929 4, MS-NLMP 3.1.5.1.2): a prefix
 * and the certificate's hash. Undefined where it has none.
 */
export function channelBinding(certificate: Uint8Array): Uint8Array | undefined {
  const hash = endPointHash(certificate)
  if (hash === undefined) return undefined
  const digest = createHash(hash).update(certificate).digest()
  return Buffer.concat([Buffer.from('tls-server-end-point:', 'latin1'), digest])
}
