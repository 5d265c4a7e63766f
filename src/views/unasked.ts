// What could not be asked, and what it takes to have an answer: for the person who set it up, and for who reads a report.
import type { Host } from '../config/targets.ts'
import type { Failure, Result } from '../model/result.ts'
import type { Reason } from '../model/failure.ts'

interface Unasked {
  /** The probe, and of whom where that is not the host. */
  readonly subjects: readonly string[]
  readonly failure: Failure
  /** Undefined where the failure says it all, or nobody knows. */
  readonly itTakes: string | undefined
}

const LISTENER =
  'a listener there, and a firewall that lets this machine through: Windows Server listens on 5985 (http) unless 5986 (https) was set up'

/** Over WinRM; the details of other reasons say themselves what is missing. */
const WINRM_TAKES: Readonly<Partial<Record<Reason, string>>> = {
  connect_refused: LISTENER,
  connect_timeout: LISTENER,
  connect_unreachable: LISTENER,
  tls_untrusted:
    "windows.tls: ca_file for the authority that signed the host's certificate, server_name for the name in it, or fingerprint for that one certificate",
  tls_expired: "a new certificate for the host's HTTPS listener",
  tls_failed: 'TLS on that port: 5986 is for https, 5985 for http',
  auth_failed: 'the right user name and password, and the right to log on there (docs/permissions.md)',
  access_denied: 'a right that the account has not (docs/permissions.md; Test-KmsReader.ps1 says which)',
  timeout: 'more time (probes, timeout), or a host that is less busy',
  protocol_error:
    'a look by us, if nothing stands between: please report it, with what diagnose --json prints',
}

const ASK_WINDOWS = ['licensing', 'activity', 'service']

export function whatItTakes({ windows }: Host, { probe, failure }: Result): string | undefined {
  if (failure === undefined || windows?.via !== 'winrm' || !ASK_WINDOWS.includes(probe)) return undefined
  return WINRM_TAKES[failure.reason]
}

/** Runs that failed for one and the same reason are one. */
export function unasked(host: Host, results: readonly Result[]): readonly Unasked[] {
  const found = new Map<string, { subjects: string[]; failure: Failure; itTakes: string | undefined }>()
  for (const result of results) {
    const { probe, target, failure } = result
    if (failure === undefined) continue
    const subject = target.key === host.name ? probe : `${probe} ${target.key}`
    const itTakes = whatItTakes(host, result)
    const same = JSON.stringify([failure, itTakes])
    const known = found.get(same)
    if (known === undefined) found.set(same, { subjects: [subject], failure, itTakes })
    else known.subjects.push(subject)
  }
  return [...found.values()]
}
