// The clock probes against time servers that others wrote: samba (SMB2), chrony (NTP), nginx (Date), right and wrong by
// hours. What they must show is that the interval holds the true skew; how narrow it is depends on the machine.
import { describe, expect, it } from 'vitest'
import { beyond, corrected, reconcile } from '../../src/diagnosis/rules/drift.ts'
import type { Interval } from '../../src/model/interval.ts'
import { formatEndpoint, type Endpoint } from '../../src/model/target.ts'
import type { ClockSource } from '../../src/config/schema.ts'
import type { ClockReading } from '../../src/probes/clock.ts'
import { during } from '../during.ts'
import { askOne, readingOf } from './ask.ts'
import { startChrony } from './servers/chrony.ts'
import { realServer } from './servers/need.ts'
import { makeNamespaceHost } from './servers/netns.ts'
import { startNginx } from './servers/nginx.ts'
import { startSamba } from './servers/samba.ts'

/** Five hours ahead; four hours and a minute behind: beyond what KMS tolerates, on both sides. */
const SKEWS = [0, 18_000, -14_460]
/** What KMS tolerates. */
const FOUR_HOURS = 14_400
/** Between libfaketime's clock and ours: what it rounds, and the clocks that it reads at different moments. */
const SLACK_SECONDS = 0.02

type Servers = Partial<Record<ClockSource, Endpoint>>

/** A host on 127.0.0.1 with these servers, in order of preference. */
function configuration(servers: Servers): string {
  const ports = Object.entries(servers).map(([source, { port }]) => `${source}: ${port}`)
  return `
hosts:
  - name: kms01.corp.example
    connect_to: 127.0.0.1
probes:
  clock: { timeout: 5s, sources: [${Object.keys(servers).join(', ')}], ports: { ${ports.join(', ')} } }
`
}

async function readClock(servers: Servers): Promise<ClockReading> {
  return readingOf(await askOne(configuration(servers), 'clock'))
}

function offsetOf({ samples }: ClockReading, source: ClockSource): Interval {
  const sample = samples.find((each) => each.source === source)
  if (sample === undefined) throw new Error(`no sample of ${source}`)
  return sample.offset
}

/** The narrower it must be, the less does it hold by chance. */
function expectToHold({ low, high }: Interval, skewSeconds: number, mostSeconds: number): void {
  expect(low).toBeLessThanOrEqual(skewSeconds + SLACK_SECONDS)
  expect(high).toBeGreaterThanOrEqual(skewSeconds - SLACK_SECONDS)
  expect(low).toBeLessThanOrEqual(high)
  expect(high - low).toBeLessThan(mostSeconds)
}

describe('one source', () => {
  it.for(SKEWS)('samba’s SMB2 clock is %d s ahead', async (skewSeconds, context) => {
    realServer(context, ['smbd', 'faketime'])
    const smb2 = await during(startSamba({ skewSeconds }))
    const reading = await readClock({ smb2 })
    expect(reading).toMatchObject({ address: '127.0.0.1', failures: [] })
    expectToHold(offsetOf(reading, 'smb2'), skewSeconds, 1)
  })

  it.for(SKEWS)('chrony’s clock is %d s ahead', async (skewSeconds, context) => {
    realServer(context, ['chronyd', 'faketime'])
    const ntp = await during(startChrony({ skewSeconds }))
    const reading = await readClock({ ntp })
    expect(reading).toMatchObject({ address: '127.0.0.1', failures: [] })
    expectToHold(offsetOf(reading, 'ntp'), skewSeconds, 1)
  })

  // Not whole seconds: where the Date's second turns over is what has to be found.
  it.for([0, 18_000.37, -14_460.61])(
    'nginx’s Date, narrowed, is %d s ahead',
    async (skewSeconds, context) => {
      realServer(context, ['nginx', 'faketime'])
      const http = await during(startNginx({ skewSeconds }))
      const reading = await readClock({ http })
      expect(reading.failures).toEqual([])
      expectToHold(offsetOf(reading, 'http'), skewSeconds, 0.15)
    },
  )

  it('a chrony that is not synchronised is asked for its clock all the same', async (context) => {
    realServer(context, ['chronyd', 'faketime'])
    const ntp = await during(startChrony({ synchronised: false, skewSeconds: 18_000 }))
    expectToHold(offsetOf(await readClock({ ntp }), 'ntp'), 18_000, 1)
  })

  it('refused: nobody listens any more', async (context) => {
    realServer(context, ['chronyd', 'smbd'])
    const [ntp, smb2] = await Promise.all([during(startChrony()), during(startSamba())])
    await Promise.all([ntp.stop(), smb2.stop()])
    for (const servers of [{ ntp }, { smb2 }]) {
      const { reading, failure } = await askOne(configuration(servers), 'clock')
      expect(reading).toBeUndefined()
      expect(failure).toMatchObject({ stage: 'ask', reason: 'connect_refused' })
    }
  })

  it('a web server on the port of SMB2 is no clock', async (context) => {
    realServer(context, ['nginx'])
    const smb2 = await during(startNginx())
    const { failure } = await askOne(configuration({ smb2 }), 'clock')
    expect(failure).toMatchObject({ stage: 'ask', reason: 'protocol_error' })
  })
})

describe('several sources', () => {
  it.for(['smb2', 'ntp', 'http'] as const)('%s lies, the others are honest', async (liar, context) => {
    realServer(context, ['smbd', 'chronyd', 'nginx', 'faketime'])
    const skewOf = (source: ClockSource) => ({ skewSeconds: source === liar ? -14_460 : 18_000 })
    const [smb2, ntp, http] = await Promise.all([
      during(startSamba(skewOf('smb2'))),
      during(startChrony(skewOf('ntp'))),
      during(startNginx(skewOf('http'))),
    ])
    const reading = await readClock({ smb2, ntp, http })
    expect(reading.samples.map(({ source }) => source)).toEqual(['smb2', 'ntp', 'http'])
    const { interval, agrees } = reconcile(reading.samples.map(({ offset }) => offset))
    expect(agrees).toEqual(reading.samples.map(({ source }) => source !== liar))
    expectToHold(interval ?? { low: Infinity, high: -Infinity }, 18_000, 2)
  })

  it('one that is filtered keeps nobody waiting, on the real ports', async (context) => {
    realServer(context, ['ip', 'nft', 'namespaces', 'smbd', 'chronyd', 'nginx', 'faketime'])
    const within = await during(makeNamespaceHost('clocks'))
    await Promise.all([
      during(startSamba({ within })),
      during(startChrony({ within, skewSeconds: 18_000 })),
      during(startNginx({ within, port: 5985, skewSeconds: 18_000 })),
    ])
    await within.drop(445)
    const yaml = `
hosts: [{ name: kms01.corp.example, connect_to: ${within.address} }]
probes: { clock: { timeout: 20s, schedule: 1m, sources: [smb2, ntp, http] } }
`
    const result = await askOne(yaml, 'clock')
    const reading = readingOf(result)
    expectToHold(offsetOf(reading, 'ntp'), 18_000, 1)
    expectToHold(offsetOf(reading, 'http'), 18_000, 2)
    expect(reading.samples).toHaveLength(2)
    expect(reading.failures).toMatchObject([{ source: 'smb2', reason: 'timeout' }])
    expect(result.durationSeconds).toBeLessThan(10)
  })
})

describe('the reference', () => {
  const askReference = async (endpoint: Endpoint) =>
    askOne(`probes: { clock: { references: ['${formatEndpoint(endpoint)}'] } }`, 'reference')

  it.for(SKEWS)('chrony is %d s ahead of the exporter', async (skewSeconds, context) => {
    realServer(context, ['chronyd', 'faketime'])
    const server = await during(startChrony({ skewSeconds }))
    const { address, offset } = readingOf(await askReference(server))
    expect(address).toBe('127.0.0.1')
    expectToHold(offset, skewSeconds, 1)
  })

  it('clears a host of which only the exporter believes that it is wrong', async (context) => {
    realServer(context, ['chronyd', 'smbd', 'faketime'])
    const [server, smb2] = await Promise.all([
      during(startChrony({ skewSeconds: 18_000 })),
      during(startSamba({ skewSeconds: 18_000 })),
    ])
    const host = offsetOf(await readClock({ smb2 }), 'smb2')
    const { offset } = readingOf(await askReference(server))
    expect(beyond(host, FOUR_HOURS)).toBe('beyond')
    expect(beyond(corrected(host, offset), FOUR_HOURS)).toBe('within')
    expectToHold(corrected(host, offset), 0, 2)
  })

  it('that does not answer leaves the question open', async (context) => {
    realServer(context, ['chronyd'])
    const server = await during(startChrony())
    await server.stop()
    expect((await askReference(server)).failure).toMatchObject({ stage: 'ask', reason: 'connect_refused' })
  })
})
