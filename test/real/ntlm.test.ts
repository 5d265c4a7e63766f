// The clock probe's NTLM source against an acceptor that others wrote. Only the first of NTLM's three messages is sent.
import { describe, expect, it } from 'vitest'
import { reconcile } from '../../src/diagnosis/rules/drift.ts'
import type { Endpoint } from '../../src/model/target.ts'
import type { ClockSource } from '../../src/config/schema.ts'
import type { ResultOf } from '../../src/probes/index.ts'
import { during } from '../during.ts'
import { askOne } from './ask.ts'
import { realApache, startApache } from './servers/apache.ts'
import { startChrony } from './servers/chrony.ts'
import { realServer } from './servers/need.ts'
import { startNginx } from './servers/nginx.ts'
import { startSamba } from './servers/samba.ts'

/** What libfaketime rounds, and the moments between its reading of the clock and ours. */
const SLACK_SECONDS = 0.02

function askClock(servers: Partial<Record<ClockSource, Endpoint>>): Promise<ResultOf<'clock'>> {
  const ports = Object.entries(servers).map(([source, { port }]) => `${source}: ${port}`)
  const yaml = `hosts: [{ name: kms01.corp.example, connect_to: 127.0.0.1 }]
probes:
  clock: { timeout: 5s, sources: [${Object.keys(servers).join(', ')}], ports: { ${ports.join(', ')} } }
`
  return askOne(yaml, 'clock')
}

describe('the time in an NTLM challenge', () => {
  it.for([0, 18_000, -14_460])('is that of an Apache that is %d s ahead', async (skewSeconds, context) => {
    realServer(context, ['faketime'])
    realApache(context)
    const ntlm = await during(startApache({ skewSeconds }))
    const { failure, reading } = await askClock({ ntlm })
    expect(failure).toBeUndefined()
    expect(reading?.failures).toEqual([])
    expect(reading?.samples.map(({ source }) => source)).toEqual(['ntlm'])
    const { low, high } = reading?.samples[0]?.offset ?? { low: NaN, high: NaN }
    expect(low).toBeLessThanOrEqual(skewSeconds + SLACK_SECONDS)
    expect(high).toBeGreaterThanOrEqual(skewSeconds - SLACK_SECONDS)
    expect(high - low).toBeLessThan(2)
  })

  it('is absent where a web server does not speak NTLM', async (context) => {
    realServer(context, ['nginx'])
    const ntlm = await during(startNginx())
    const { failure, reading } = await askClock({ ntlm })
    expect(reading).toBeUndefined()
    expect(failure).toMatchObject({ stage: 'ask', reason: 'not_found' })
  })

  it.for(['ntlm', 'smb2'] as const)(
    'of four sources, %s lies alone and moves nothing',
    async (liar, context) => {
      realServer(context, ['smbd', 'chronyd', 'nginx', 'faketime'])
      realApache(context)
      const skewOf = (source: ClockSource) => ({ skewSeconds: source === liar ? 18_000 : 0 })
      const [smb2, ntp, http, ntlm] = await Promise.all([
        during(startSamba(skewOf('smb2'))),
        during(startChrony()),
        during(startNginx()),
        during(startApache(skewOf('ntlm'))),
      ])
      const { reading } = await askClock({ smb2, ntp, http, ntlm })
      const samples = reading?.samples ?? []
      expect(samples.map(({ source }) => source)).toEqual(['smb2', 'ntp', 'http', 'ntlm'])
      const { interval, agrees } = reconcile(samples.map(({ offset }) => offset))
      expect(agrees).toEqual(samples.map(({ source }) => source !== liar))
      expect(interval?.low).toBeLessThanOrEqual(SLACK_SECONDS)
      expect(interval?.high).toBeGreaterThanOrEqual(-SLACK_SECONDS)
    },
  )
})
