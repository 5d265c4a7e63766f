// The rules of deploy/prometheus, played by promtool: each alert fires, and does not, recovers, survives a gap, is absent
// when nobody knows; and what a person gets to read.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import { ALERTS, GROUPS } from '../../deploy/prometheus/rules/index.ts'
import { alertNameOf, RUNBOOK_NAMES } from '../../src/runbooks/names.ts'
import { realServer } from '../real/servers/need.ts'
import { playAll } from './play.ts'
import { breaches, casesOf, isSlow, nameOf, ripeAt, ruleOf, seriesOf, sick } from './rule-cases.ts'
import { COMPANY } from './rule-company.ts'
import { SCENES, type Said } from './rule-scenes.ts'

const RULES = fileURLToPath(new URL('../../deploy/prometheus/winkms.rules.yml', import.meta.url))
const PATIENCE = 120_000

beforeEach((context) => realServer(context, ['promtool']))

describe('the rules', () => {
  it('are what promtool finds nothing to say about', async () => {
    const { stdout } = await promisify(execFile)('promtool', [
      'check',
      'rules',
      '--lint=all',
      '--lint-fatal',
      RULES,
    ])
    expect(stdout).toMatch(/SUCCESS: \d+ rules found/)
  })

  it('have an alert for every runbook, and no other', () => {
    expect(new Set(ALERTS.map(({ runbook }) => runbook))).toEqual(new Set(RUNBOOK_NAMES))
  })

  it('have a scene for every alert', () => {
    const played = new Set([
      ...SCENES.map(ruleOf),
      ...ALERTS.filter(({ runbook, severity }) =>
        COMPANY.some(
          ({ alert, expected }) =>
            alert === alertNameOf(runbook) && expected.some((each) => each.startsWith(severity)),
        ),
      ),
    ])
    expect(ALERTS.filter((rule) => !played.has(rule))).toEqual([])
  })

  it('use every record, and none that is not there', async () => {
    const text = await readFile(RULES, 'utf8')
    const records = GROUPS.flatMap(({ rules }) =>
      rules.flatMap((rule) => ('record' in rule ? [rule.record] : [])),
    )
    const used = new Set([...text.matchAll(/winkms:\w+:\w+/g)].map(([name]) => name))
    expect(used).toEqual(new Set(records))
    for (const record of records) expect(text.split(record).length, record).toBeGreaterThan(2)
  })
})

describe('each alert fires when it has to, and no longer and no sooner', () => {
  it('within hours', { timeout: PATIENCE }, async () => {
    const cases = SCENES.flatMap((scene, index) => (isSlow(scene) ? [] : casesOf(scene, index)))
    expect(cases.length).toBeGreaterThan(300)
    expect(await breaches(cases)).toEqual([])
  })

  it('within days', { timeout: PATIENCE }, async () => {
    const cases = SCENES.flatMap((scene, index) => (isSlow(scene) ? casesOf(scene, index) : []))
    expect(cases.length).toBeGreaterThan(10)
    expect(await breaches(cases)).toEqual([])
  })
})

describe('what a person gets', () => {
  const url: Said = { series: 'winkms_exporter_external_url_info{url="https://mon.example/kms"}', sick: 1 }
  const more = [url, { series: 'winkms_host_info{host="a",port="1689"}', sick: 1 }]

  it('has the values, the remedy, the link, and no template that failed', { timeout: PATIENCE }, async () => {
    const some = SCENES.filter((scene) => !isSlow(scene))
    const played = await playAll(
      some.map((scene) => ({
        name: scene.runbook,
        alert: alertNameOf(scene.runbook),
        at: ripeAt(scene),
        series: seriesOf([...scene.said, ...more], ripeAt(scene), sick),
      })),
    )
    for (const [index, scene] of some.entries()) {
      const fired = played[index]?.find(
        ({ labels }) => labels['severity'] === scene.severity && labels['scope'] === ruleOf(scene).scope,
      )
      const { summary = '', description = '', runbook_url: link } = fired?.annotations ?? {}
      const what = nameOf(scene, index)
      expect(`${summary} ${description}`, what).toContain(scene.says)
      expect(summary, what).toMatch(/^[^\n]{10,140}\.$/)
      expect(`${summary}${description}`, what).not.toMatch(/<error|<no value>|%!|\{\{|NaN/)
      expect(link, what).toBe(`https://mon.example/kms/runbooks/${scene.runbook}`)
    }
  })

  it('has the names of the host in the command', { timeout: PATIENCE }, async () => {
    const scene = SCENES.find(
      ({ runbook, severity }) => runbook === 'port_blocked' && severity === 'critical',
    )
    if (scene === undefined) throw new Error('there is no such scene')
    const [fired = []] = await playAll([
      { name: 'x', alert: 'WinkmsPortBlocked', at: 30, series: seriesOf([...scene.said, ...more], 30, sick) },
    ])
    expect(fired[0]?.annotations['description']).toContain('Command: Test-NetConnection a -Port 1689')
  })
})
