// HTTP answers that are no messages of WinRM: what each of them says about the way there.
import { ProbeFailure } from '../../model/failure.ts'
import type { HttpAnswer } from '../http.ts'
import type { Mask } from './reflected.ts'

export function typeOf({ headers }: HttpAnswer): string {
  return String(headers['content-type'] ?? '')
}

/** Throws ProbeFailure for all that is no message; a fault is one, whatever its status. */
export function checkStatus(answer: HttpAnswer, where: string, mask: Mask): void {
  const { status, body } = answer
  const type = typeOf(answer)
  if (status === 401)
    throw new ProbeFailure('auth_failed', `${where}: HTTP 401, on a connection that was logged on`)
  if (status === 403) throw new ProbeFailure('access_denied', `${where}: HTTP 403`)
  if (status === 404)
    throw new ProbeFailure('not_found', `${where}: HTTP 404: no WinRM listener at this path`)
  if (status === 413) throw new ProbeFailure('too_large', `${where}: HTTP 413`)
  if (body.length === 0) {
    const why = status === 500 ? ': it failed without saying why; its event log WinRM/Operational may' : ''
    throw new ProbeFailure('protocol_error', `${where}: HTTP ${status} with an empty body${why}`)
  }
  if (!/^\s*(?:application\/soap\+xml|multipart\/encrypted)\b/i.test(type)) {
    const what = type === '' ? 'no content type' : `content type ${mask(type).slice(0, 100)}`
    throw new ProbeFailure('protocol_error', `${where}: HTTP ${status} with ${what}: not WinRM`)
  }
}
