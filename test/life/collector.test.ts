// The daemon's young generation stays as small as V8 makes it at first, beside one whose V8 is left to itself: without that, the
// test would hold of anything.
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { startRpc } from '../../src/lab/rpc.ts'
import { build, until } from '../e2e/built.ts'
import { freePort } from '../real/servers/ports.ts'
import { hostsAt, metrics, serve, type Exporter } from './exporter.ts'

const HOSTS = 3_000
/** What it has grown to while the program was loaded; by itself it grows to 32 MB (Node.js 20) or 128 (24). */
const SMALL_BYTES = 8 * 2 ** 20

const LEFT_ALONE = `require('node:v8').setFlagsFromString = () => {}`

beforeAll(build)

async function youngBytes(exporter: Exporter): Promise<number> {
  const all = await until(50, 'all are asked', async () => {
    const text = await metrics(exporter)
    const asked = text.match(/^winkms_probe_success\{.*probe="port"\} [01]$/gm)?.length
    return asked === HOSTS ? text : undefined
  })
  return Number(/^nodejs_heap_space_size_total_bytes\{space="new"\} (\d+)$/m.exec(all)?.[1])
}

it('does not let the young generation grow', async () => {
  const port = await freePort()
  const peer = await startRpc('kms', { address: '127.0.0.1', port })
  onTestFinished(() => peer.stop())
  const yaml = hostsAt(port, HOSTS, '5s', '5s')
  expect(await youngBytes(await serve(yaml, { planted: LEFT_ALONE }))).toBeGreaterThan(2 * SMALL_BYTES)
  expect(await youngBytes(await serve(yaml))).toBeLessThanOrEqual(SMALL_BYTES)
}, 120_000)
