// Asks one probe as the daemon does: real configuration text, real targets, real input and output. Nothing is simulated
// here; what answers is up to the test.
import { parseConfig } from '../../src/config/load.ts'
import { estateOf } from '../../src/config/targets.ts'
import { checkCron } from '../../src/engine/cron.ts'
import { plan } from '../../src/engine/plan.ts'
import { run } from '../../src/engine/run.ts'
import { createIo } from '../../src/io/io.ts'
import { silentLog } from '../../src/model/log.ts'
import { probes, type ProbeName, type ResultOf } from '../../src/probes/index.ts'

/**
 * One result a target, in the order of the configuration. Rejects when the configuration is wrong. The machine's own
 * resolvers and search domains play no part.
 */
export async function askProbe<Name extends ProbeName>(
  yaml: string,
  name: Name,
): Promise<readonly ResultOf<Name>[]> {
  const { config, problems } = parseConfig(yaml, { file: '/nowhere/winkms.yml', checkCron })
  if (config === undefined) throw new Error(JSON.stringify(problems))
  const tasks = plan(estateOf(config, { resolvers: [], searchDomains: [] }, []), [probes[name]])
  const io = createIo()
  try {
    return await Promise.all(
      tasks.map(async (task) => (await run(task, { io, log: silentLog })) as ResultOf<Name>),
    )
  } finally {
    io.close()
  }
}

/** The only result. Rejects when there are none or several. */
export async function askOne<Name extends ProbeName>(yaml: string, name: Name): Promise<ResultOf<Name>> {
  const [result, ...others] = await askProbe(yaml, name)
  if (result === undefined || others.length > 0) throw new Error('the configuration names no single target')
  return result
}

/** The reading. Throws what was said instead, when the question went unanswered. */
export function readingOf<Reading>(result: {
  readonly reading?: Reading | undefined
  readonly failure?: unknown
}): Reading {
  if (result.reading === undefined) throw new Error(`unanswered: ${JSON.stringify(result.failure)}`)
  return result.reading
}
