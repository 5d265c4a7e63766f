// Whom to trust over TLS, as the configuration says it.
import type { WindowsConfig } from '../../config/schema.ts'
import { readSmallFile } from '../../config/files.ts'
import { ProbeFailure } from '../../model/failure.ts'
import type { TlsOptions } from '../http.ts'

const MOST_CA_BYTES = 4 * 1024 * 1024

/** Read at each connection, so that a renewed authority needs no reload. Throws ProbeFailure `not_configured`. */
export function trustOf(tls: WindowsConfig['tls']): TlsOptions {
  const file = tls?.ca_file
  const read = file === undefined ? undefined : readSmallFile(file, MOST_CA_BYTES)
  if (read?.problem !== undefined)
    throw new ProbeFailure('not_configured', `ca_file names a file that ${read.problem}`)
  return { ca: read?.text, serverName: tls?.server_name, fingerprint: tls?.fingerprint }
}
