import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { channelBinding, endPointHash } from '../../src/protocol/x509.ts'
import { program, realServer } from '../real/servers/need.ts'
import { expectNothingElse, expectTruncationsRefused, fromHex, malformedBy } from './support.ts'

/** A certificate in DER that openssl has signed with `key` as told. */
function signed(key: readonly string[], how: readonly string[] = []): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'x509-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const out = join(directory, 'certificate.pem')
  const args = [
    'req',
    '-x509',
    '-subj',
    '/CN=kms01.corp.example',
    '-nodes',
    '-keyout',
    join(directory, 'key'),
    '-out',
    out,
  ]
  execFileSync(program('openssl'), [...args, '-newkey', ...key, ...how], { stdio: 'pipe' })
  return new Uint8Array(new X509Certificate(readFileSync(out)).raw)
}

const RSA = ['rsa:2048']
const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
const PSS = ['-sigopt', 'rsa_padding_mode:pss']

describe('endPointHash', () => {
  it.for<readonly [string, string | undefined, readonly string[], readonly string[]]>([
    ['MD5 and RSA, which becomes SHA-256', 'sha256', RSA, ['-md5']],
    ['SHA-1 and RSA, which becomes SHA-256', 'sha256', RSA, ['-sha1']],
    ['SHA-224 and RSA', 'sha224', RSA, ['-sha224']],
    ['SHA-256 and RSA', 'sha256', RSA, ['-sha256']],
    ['SHA-384 and RSA', 'sha384', RSA, ['-sha384']],
    ['SHA-512 and RSA', 'sha512', RSA, ['-sha512']],
    ['SHA-512/256 and RSA', 'sha512-256', RSA, ['-sha512-256']],
    ['SHA-1 and PSS, which becomes SHA-256', 'sha256', RSA, ['-sha1', ...PSS]],
    ['SHA-256 and PSS', 'sha256', RSA, ['-sha256', ...PSS]],
    ['SHA-384 and PSS', 'sha384', RSA, ['-sha384', ...PSS]],
    ['SHA-512 and PSS', 'sha512', RSA, ['-sha512', ...PSS]],
    ['SHA-1 and ECDSA, which becomes SHA-256', 'sha256', P256, ['-sha1']],
    ['SHA-256 and ECDSA', 'sha256', P256, ['-sha256']],
    ['SHA-384 and ECDSA', 'sha384', P256, ['-sha384']],
    ['SHA-512 and ECDSA', 'sha512', P256, ['-sha512']],
    ['Ed25519, which has none', undefined, ['ed25519'], []],
  ])('of a certificate signed with %s', ([, hash, key, how], context) => {
    realServer(context, ['openssl'])
    const certificate = signed(key, how)
    expect(endPointHash(certificate)).toBe(hash)
    const expected =
      hash &&
      Buffer.concat([Buffer.from('tls-server-end-point:'), createHash(hash).update(certificate).digest()])
    expect(channelBinding(certificate)).toEqual(expected)
  })

  it('refuses every truncation, and gives a hash or a MalformedMessage for any bytes', (context) => {
    realServer(context, ['openssl'])
    const certificates = [signed(P256), signed(RSA, ['-sha384', ...PSS])]
    for (const certificate of certificates) expectTruncationsRefused(certificate, endPointHash)
    expectNothingElse(certificates, endPointHash)
  })

  it.each([
    ['no length', '30', 'ends early'],
    ['a length without an end', '3080', 'another form'],
    ['a length of eight bytes', '308800000000000000000000', 'another form'],
    ['a length of four gigabytes', '3084ffffffff00', 'ends early'],
    ['a context tag', 'a000', 'tag'],
  ])('refuses %s', (_, hex, says) => {
    expect(malformedBy(() => endPointHash(fromHex(hex)))?.message).toContain(says)
  })
})
