// The web configuration from its file: who may come in, and how. All that is wrong with it at once, each fault with its
// place; or the whole of it, with what the files that it names hold.
import { dirname } from 'node:path'
import * as z from 'zod'

import { readYaml } from './document.ts'
import { fileVersion, readSmallFile, type FileVersions } from './files.ts'
import { faultsOf, isRecord, writtenFor } from './issues.ts'
import { inOrder, placed, textProblems, unreadable } from './placing.ts'
import type { Fault, Problem } from './problem.ts'
import { webSchema, type WebFile } from './web-schema.ts'
import { TLS, tlsOf, type TlsConfig } from './web-tls.ts'

export interface WebConfig {
  readonly tls: TlsConfig | undefined
  /** Set on every answer, over our own. */
  readonly headers: Readonly<Record<string, string>>
  /** From name to bcrypt hash; nobody has to log on where there are none. */
  readonly users: ReadonlyMap<string, string>
  readonly rateLimit: { readonly intervalSeconds: number; readonly burst: number } | undefined
}

/** Without a file, everybody may come in. */
export const OPEN: WebConfig = { tls: undefined, headers: {}, users: new Map(), rateLimit: undefined }

export type LoadedWeb = (
  | { readonly config: WebConfig; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly Problem[] }
) & {
  /** All that was read: when one of them has changed, all of it has to be read again. */
  readonly files: FileVersions
}

const MOST_BYTES = 1024 * 1024

/** Never throws. */
export function readWebConfig(file: string): LoadedWeb {
  const own = new Map([[file, fileVersion(file)]])
  const read = readSmallFile(file, MOST_BYTES)
  if (read.problem !== undefined) return { config: undefined, problems: [unreadable(read, file)], files: own }

  const yaml = readYaml(read.text)
  const faults = textProblems(yaml, file)
  const value = yaml.value === null ? {} : yaml.value
  if (value === undefined) return { config: undefined, problems: inOrder(faults), files: own }

  const parsed = webSchema.safeParse(value)
  const written = writtenFor(value, () => z.toJSONSchema(webSchema, { io: 'input' }))
  // By itself, so that a fault elsewhere does not hide those of the files that it names.
  const ofTls = webSchema.shape.tls_server_config.safeParse(isRecord(value) ? value[TLS] : undefined)
  const tls = tlsOf(ofTls.data, dirname(file))
  const files = new Map([...own, ...tls.files])
  const found = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => faultsOf(issue, written)),
    ...tls.faults,
    ...limitFaults(parsed.data),
  ]
  const problems = [...faults, ...found.map((fault) => placed(yaml, fault, file))]
  if (problems.length > 0 || parsed.data === undefined)
    return { config: undefined, problems: inOrder(problems), files }

  const { http_server_config, basic_auth_users, rate_limit } = parsed.data
  const headers = Object.entries(http_server_config?.headers ?? {}).filter(([, text]) => text !== '')
  const { interval = 0, burst = 0 } = rate_limit ?? {}
  const config = {
    tls: tls.config,
    headers: Object.fromEntries(headers),
    users: new Map(Object.entries(basic_auth_users ?? {})),
    rateLimit: interval > 0 ? { intervalSeconds: interval, burst } : undefined,
  }
  return { config, problems: [], files }
}

function* limitFaults(file: WebFile | undefined): Generator<Fault> {
  const { interval, burst } = file?.rate_limit ?? { interval: 0, burst: 0 }
  if (interval > 0 && burst < 1)
    yield { path: ['rate_limit'], message: 'has no burst of 1 or more: nobody would ever be let in' }
}
