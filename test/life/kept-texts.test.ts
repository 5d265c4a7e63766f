// What is kept of a long text, of a name or a reason, does not keep the text: V8's slices would, a megabyte for each. Live
// memory after collections, as V8 counts it.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { run } from '../../src/engine/run.ts'
import { createIo } from '../../src/io/io.ts'
import { ProbeFailure } from '../../src/model/failure.ts'
import { silentLog } from '../../src/model/log.ts'
import { licensing } from '../../src/probes/licensing.ts'
import { taskOf } from '../engine/support.ts'
import { estate, visitTo, WINRM } from '../probes/fake-windows.ts'
import { askOne, readingOf } from '../real/ask.ts'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

const TIMES = 12
const TEXT_BYTES = 2 ** 20
/** Of each time; what else comes to stay while code is compiled is far less than a text. */
const MOST_KEPT_BYTES = TEXT_BYTES / 4

async function liveBytes(): Promise<number> {
  for (let time = 0; time < 4; time += 1) {
    gc()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().heapUsed
}

/** Of what `make` returns, each time of another text. */
async function keptBytes(make: (filling: string) => Promise<unknown>): Promise<number> {
  const filling = (time: number): string => String.fromCharCode(97 + time).repeat(TEXT_BYTES)
  const kept: unknown[] = [await make(filling(TIMES))]
  const before = await liveBytes()
  for (let time = 0; time < TIMES; time += 1) kept.push(await make(filling(time)))
  const after = await liveBytes()
  expect(kept).toHaveLength(TIMES + 1)
  return (after - before) / TIMES
}

/** As whoever decodes a text does. */
const cutFrom = (filling: string, part: string): string => {
  const text = [part, filling].join('\n')
  return text.slice(0, text.indexOf('\n'))
}

it('a slice keeps its text, or there is nothing to be seen here', async () => {
  expect(await keptBytes(async (filling) => cutFrom(filling, 'kms01.corp.example'))).toBeGreaterThan(
    MOST_KEPT_BYTES * 3,
  )
})

it('a configuration does not', async () => {
  const kept = await keptBytes(async (filling) => {
    const yaml = `# ${filling}\nhosts:\n  - { name: a-long-name-of-a-host.corp.example, labels: { site: somewhere-far-away } }\n`
    const { config } = parseConfig(yaml, { file: 'test.yml', checkCron: () => undefined })
    return config?.hosts[0]
  })
  expect(kept).toBeLessThan(MOST_KEPT_BYTES)
})

it('a page of windows_exporter does not', async () => {
  let page = ''
  const server = createServer((_request, response) => response.end(page))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const windows = `{ via: windows_exporter, url: "http://127.0.0.1:${port}/metrics" }`
  const kept = await keptBytes(async (filling) => {
    page = `# HELP windows_os_info ${filling}
windows_os_info{product="Windows Server 2022 Datacenter",build_number="20348",revision="3091"} 1
windows_service_state{name="sppsvc",state="running"} 1
`
    const reading = readingOf(await askOne(`hosts: [{ name: 127.0.0.1, windows: ${windows} }]`, 'service'))
    expect(reading.os?.caption).toBe('Windows Server 2022 Datacenter')
    return reading
  })
  expect(kept).toBeLessThan(MOST_KEPT_BYTES)
})

it('what Windows says by WinRM does not', async () => {
  const [target] = licensing.targets(estate({ hosts: [{ name: 'kms01.corp.example', windows: WINRM }] }))
  if (target === undefined) throw new Error('no target')
  let Caption = ''
  const { visit } = visitTo({
    classes: {
      Win32_Service: [{ State: 'Stopped', StartMode: 'Auto' }],
      Win32_OperatingSystem: () => [{ Caption, BuildNumber: '20348', ProductType: '3' }],
    },
  })
  const kept = await keptBytes(async (filling) => {
    Caption = cutFrom(filling, 'Microsoft Windows Server 2022 Datacenter')
    const reading = await licensing.measure(target, visit)
    expect(reading.os?.caption).toBe('Microsoft Windows Server 2022 Datacenter')
    return reading
  })
  expect(kept).toBeLessThan(MOST_KEPT_BYTES)
})

it('the reason of a failure does not', async () => {
  const io = createIo()
  onTestFinished(() => io.close())
  const kept = await keptBytes(async (filling) => {
    const detail = cutFrom(filling, 'the server says that it has no such class')
    const task = taskOf({
      key: 'kms01.corp.example',
      measure: () => Promise.reject(new ProbeFailure('not_found', `of WinRM: ${detail}`)),
    })
    // Not looked at: that alone would make one string of its parts.
    return (await run(task, { io, log: silentLog })).failure
  })
  expect(kept).toBeLessThan(MOST_KEPT_BYTES)
})
