// The rules of deploy/prometheus, where more than one host or exporter is concerned; played by promtool.
import { beforeEach, expect, it } from 'vitest'
import { realServer } from '../real/servers/need.ts'
import { playAll } from './play.ts'
import { breachesOf, COMPANY, playOf } from './rule-company.ts'

beforeEach((context) => realServer(context, ['promtool']))

it('in company, whoever has to be told is told, and once', { timeout: 120_000 }, async () => {
  expect(COMPANY.length).toBeGreaterThan(40)
  expect(await breachesOf(COMPANY)).toEqual([])
})

it('exporters that do not agree are named, with what each says', { timeout: 60_000 }, async () => {
  const [serves, why] = COMPANY.filter(
    ({ alert, expected }) => alert === 'WinkmsReplicasDisagree' && expected.length > 0,
  )
  if (serves === undefined || why === undefined) throw new Error('there are no such rows')
  const [[first] = [], [second] = []] = await playAll([playOf(serves), playOf(why)])
  expect(first?.annotations['description']).toContain(
    'It serves by one:11688 and not by two:11688. Causes: none;',
  )
  expect(second?.annotations['description']).toContain(
    'It serves by none and not by one:11688, two:11688. Causes: port_blocked by one:11688; service_stopped by two:11688;',
  )
})
