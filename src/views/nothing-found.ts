// What a person has to be told while no KMS host is known: which names were asked where, what came back, what to do.
import type { Estate } from '../config/targets.ts'
import { CLIENT_ERRORS } from '../kms/error-codes.ts'
import { clientErrorOf, ownerName } from '../kms/srv.ts'
import { formatEndpoint } from '../model/target.ts'
import type { ResultOf } from '../probes/index.ts'
import { printable } from './printable.ts'

export function nothingFound(estate: Estate, answers: readonly ResultOf<'srv'>[]): string {
  if (estate.domains.length === 0) {
    return 'No KMS host is known, and this machine has no search domain to ask. Name hosts or domains in a configuration file (winkms-exporter config example).'
  }
  if (estate.domains.every(({ resolvers }) => resolvers.length === 0)) {
    return 'No KMS host is known, and this machine has no DNS resolver to ask. Name resolvers in a configuration file.'
  }
  const asked = estate.domains.flatMap(({ name, resolvers }) =>
    resolvers.map((resolver) => {
      const where = `${ownerName(name)} at ${formatEndpoint(resolver)}`
      const answer = answers.find(({ target }) => target.domain.name === name && target.resolver === resolver)
      if (answer === undefined) return `${where}: not answered yet`
      if (answer.failure !== undefined)
        return `${where}: ${answer.failure.reason} (${printable(answer.failure.detail)})`
      const code = clientErrorOf(answer.reading)
      const clients =
        code === undefined ? '' : `; a client would show ${code} (${CLIENT_ERRORS[code].meaning})`
      return `${where}: ${answer.reading.rcode}, ${answer.reading.recordCount} records${clients}`
    }),
  )
  return [
    'No KMS host is known. Asked for:',
    ...asked.map((line) => `  ${line}`),
    'Publish the host in DNS (slmgr /sdns on the host, then restart sppsvc), or name hosts or domains in a configuration file (winkms-exporter config example). The question is asked again on schedule.',
  ].join('\n')
}
