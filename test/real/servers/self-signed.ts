// Certificates that sign themselves, by the openssl command: for whoever trusts one, it is authority and leaf at once,
// server and client alike. Their kind is free, unlike that of certificate.ts's.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { CertificateFiles } from './certificate.ts'
import { program } from './need.ts'

const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] as const

export interface SelfSignedOptions {
  /** As openssl's -newkey takes it, with its options; P-256 unless told. */
  readonly key?: readonly string[]
  readonly hash?: 'sha256' | 'sha384' | 'sha512'
}

/** `NAME.pem` and `NAME.key` in `directory`, for `CN=NAME`, localhost and 127.0.0.1. Rejects when openssl complains. */
export async function makeSelfSigned(
  directory: string,
  name: string,
  { key = P256, hash = 'sha256' }: SelfSignedOptions = {},
): Promise<CertificateFiles> {
  const [certificateFile, keyFile] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)]
  // prettier-ignore
  await promisify(execFile)(program('openssl'), ['req', '-x509', '-newkey', ...key, '-nodes', `-${hash}`, '-subj',
    `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2', '-keyout', keyFile, '-out',
    certificateFile], { timeout: 15_000 })
  return { certificateFile, keyFile, authorityFile: certificateFile }
}
