// May the host activate at all? Whether KMS is enabled on it, and whether its own keys are activated.
import type { Evidence, Finding } from '../../model/finding.ts'
import type { KmsProduct } from '../../probes/licensing.ts'
import type { Cause } from '../causes.ts'
import {
  canariesTold,
  cannotTell,
  cite,
  isRecent,
  kmsEnabledOn,
  kmsOf,
  named,
  ruledOut,
  type HostEvidence,
} from '../evidence.ts'

/** Event 12291, of the last day. */
function startFailures({ activity }: HostEvidence): readonly Evidence[] {
  const failure = activity?.reading?.lastInitFailure
  if (activity === undefined || failure === undefined) return []
  if (!isRecent(failure.atSeconds, activity)) return []
  return [cite(activity, `KMS failed to start on the host: event 12291, ${failure.code ?? 'no code'}`)]
}

export function judgeEnabled(known: HostEvidence, bound: boolean | undefined): Finding<Cause> {
  const cause = 'kms_not_enabled'
  const clues = [...startFailures(known), ...canariesTold(known, '0xC004F039')]
  const told = kmsOf(known)
  if (told.kms === undefined) {
    const { lastLicences } = known
    return lastLicences !== undefined && kmsEnabledOn(known) === false
      ? named(cause, [
          cite(lastLicences, 'Windows said that KMS is not enabled, before sppsvc stopped'),
          ...clues,
        ])
      : cannotTell(cause, told.missing, { for: clues })
  }
  const { kmsEnabled } = told.kms.service
  if (kmsEnabled === undefined)
    return cannotTell(cause, 'Windows does not say whether KMS is enabled', { for: clues })
  if (kmsEnabled) return ruledOut(cause, [cite(told.result, 'Windows says that KMS is enabled')])
  const { port } = known
  const against =
    bound === true && port !== undefined ? [cite(port, 'the KMS RPC interface accepts a bind')] : []
  const evidence = [cite(told.result, 'Windows says that KMS is not enabled'), ...clues]
  // "KMS activation planning" (Microsoft): no key that is installed there makes it one.
  if (known.licensing?.reading?.os?.caption.includes('Azure Edition') === true)
    evidence.push(cite(told.result, 'it is a Windows Server Azure Edition, which cannot be a KMS host'))
  return named(cause, evidence, against)
}

function sayLicence({ product, licenseStatus = 'unlicensed', licenseReason }: KmsProduct): string {
  const reason = licenseReason === undefined || licenseStatus === 'licensed' ? '' : ` (${licenseReason})`
  return `the key ${product} is in state ${licenseStatus.replaceAll('_', ' ')}${reason}`
}

export function judgeLicensed(known: HostEvidence): Finding<Cause> {
  const cause = 'host_not_licensed'
  const canaries = canariesTold(known, '0xC004F041')
  const told = kmsOf(known)
  if (told.kms === undefined) return cannotTell(cause, told.missing, { for: canaries })
  const { products } = told.kms
  const say = (some: readonly KmsProduct[]): readonly Evidence[] =>
    some.map((product) => cite(told.result, sayLicence(product)))
  const stated = products.filter(({ licenseStatus }) => licenseStatus !== undefined)
  const licensed = say(stated.filter(({ licenseStatus }) => licenseStatus === 'licensed'))
  const wanting = say(stated.filter(({ licenseStatus }) => licenseStatus !== 'licensed'))
  if (wanting.length > 0) return named(cause, [...wanting, ...canaries], licensed)
  if (products.length > 0 && stated.length === products.length) return ruledOut(cause, licensed)
  const missing =
    products.length === 0
      ? 'no KMS host key is installed'
      : 'Windows does not say of every key how it is licensed'
  return cannotTell(cause, missing, { for: canaries, against: licensed })
}
