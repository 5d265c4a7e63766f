// The daemon within the test's own process, on real input and output, ended with the test.
import { onTestFinished } from 'vitest'
import { createDaemon, type Daemon, type DaemonOptions } from '../src/app.ts'
import type { Config } from '../src/config/schema.ts'
import { createIo } from '../src/io/io.ts'
import { silentLog } from '../src/model/log.ts'

/** Started already. The machine's own resolvers and search domains play no part. */
export function startDaemon(config: Config, more: Partial<DaemonOptions> = {}): Daemon {
  const io = createIo()
  const machine = { resolvers: [], searchDomains: [] }
  const build = { version: 'test', revision: 'test' }
  const daemon = createDaemon({ config, machine, io, log: silentLog, build, ...more })
  onTestFinished(async () => {
    await daemon.stop()
    io.close()
  })
  daemon.start()
  return daemon
}

/** The whole of `/metrics` as text. */
export async function expose(daemon: Pick<Daemon, 'metrics'>): Promise<string> {
  let text = ''
  for await (const piece of daemon.metrics('text')) text += Buffer.from(piece).toString()
  return text
}
