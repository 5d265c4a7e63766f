import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES, CAUSES, TREE } from '../../src/diagnosis/causes.ts'
import { cannotTell, named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { reportPage, type ReportFacts } from '../../src/views/report.ts'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import {
  AT,
  diagnosis,
  evidence,
  failed,
  HARMFUL,
  HEALTHY,
  host,
  HOSTILE,
  portResult,
  STOPPED,
  UNKNOWN,
} from './scenes.ts'

const FACTS: ReportFacts = {
  version: '1.2.3',
  revision: 'abc1234',
  node: 'v20.1.2',
  platform: 'linux',
  askedFrom: 'monitor.corp.example',
  configFile: '/etc/winkms/winkms.yml',
  atSeconds: AT,
}

const text = (html: string): string =>
  html
    .replace(/<style>[^]*?<\/style>/, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')

describe('a report', () => {
  const page = reportPage([{ diagnosis: STOPPED, results: [portResult()] }], FACTS)

  it('says what was asked, when, from where and by which exporter', () => {
    for (const said of [
      'Made 2027-01-15 08:00:00 UTC',
      'winkms-exporter 1.2.3 (abc1234), Node.js v20.1.2, linux',
      'Asked from monitor.corp.example',
      '/etc/winkms/winkms.yml',
    ])
      expect(text(page)).toContain(said)
  })

  it('begins with the answer, then the cause with what clients see, the remedy and the command', () => {
    expect(page).toMatch(/<title>KMS host \S+: not serving<\/title>/)
    const order = [
      'not serving',
      CAUSES.service_stopped.title,
      '0xC004F074',
      'net start sppsvc',
      'The decision tree',
    ]
    const places = order.map((each) => text(page).indexOf(each))
    expect(places.every((place) => place >= 0)).toBe(true)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
  })

  it('has every question of the tree, and every cause in it once', () => {
    for (const { question } of TREE) expect(page).toContain(`<h3>${question} `)
    for (const cause of CAUSE_NAMES) expect(page.split(`id="host-1-cause-${cause}"`), cause).toHaveLength(2)
  })

  it('has every run with its stages, and all of it as JSON that is JSON', () => {
    expect(text(page)).toContain('connect 250 ms')
    expect(text(page)).toContain('connect_timeout at connect : nobody is there')
    const [, raw = ''] = /<pre>([^]*?)<\/pre>/.exec(page) ?? []
    const json = JSON.parse(
      raw
        .replaceAll('&quot;', '"')
        .replaceAll('&#39;', "'")
        .replaceAll('&lt;', '<')
        .replaceAll('&gt;', '>')
        .replaceAll('&amp;', '&'),
    ) as {
      causes: string[]
      results: { probe: string }[]
    }
    expect([json.causes, json.results.map(({ probe }) => probe)]).toEqual([['service_stopped'], ['port']])
  })

  it('of several hosts says how many do not serve', () => {
    const examined = [HEALTHY, STOPPED, UNKNOWN].map((each) => ({ diagnosis: each, results: [] }))
    const page = reportPage(examined, FACTS)
    expect(page).toContain('<h1>KMS hosts: 1 of 3 do not serve, cannot tell about 1</h1>')
    const certain = reportPage(examined.slice(0, 2), FACTS)
    expect(certain).toContain('<h1>KMS hosts: 1 of 2 do not serve</h1>')
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
    expect(ids.length).toBeGreaterThan(60)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('is never green for what is not known', () => {
    const unknown = reportPage([{ diagnosis: UNKNOWN, results: [] }], FACTS)
    expect(unknown).toMatch(/<h2[^>]*>[^<]* <span class="badge unknown">cannot tell<\/span>/)
    const row = /id="host-1-cause-clock_skew"><div class="verdict"><span class="([^"]*)">([^<]*)/.exec(
      unknown,
    )
    expect(row?.slice(1)).toEqual(['badge unknown', 'cannot tell'])
  })

  it('names its configuration only where there is one', () => {
    const without = reportPage([{ diagnosis: HEALTHY, results: [] }], { ...FACTS, configFile: undefined })
    expect(text(without)).toContain('Configuration none')
  })
})

describe('the file', () => {
  const hostile = diagnosis(
    { host: host({ name: HOSTILE }), domains: [HOSTILE], serving: false },
    named('host_unreachable', [evidence(HOSTILE, HOSTILE)], [evidence(HOSTILE, HOSTILE)]),
    ruledOut('port_blocked', [evidence(HOSTILE, HOSTILE)]),
    cannotTell('clock_skew', HOSTILE),
    { ...ruledOut('count_below_threshold', [evidence(HOSTILE)]), warning: HOSTILE },
  )
  const run = failed('port', { ...portResult().target, key: HOSTILE }, HOSTILE)
  const page = reportPage([{ diagnosis: hostile, results: [run] }], { ...FACTS, configFile: HOSTILE })

  it('is complete in itself: it loads nothing and runs nothing, whatever peers said', () => {
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\bhref=|\bsrc=|\bon\w+=|url\(/i)
    expect(page).toContain(`default-src 'none'`)
    expect(page).not.toMatch(HARMFUL)
  })

  it('is well formed', () => {
    const body = page.replace(/<!doctype html>/, '').replaceAll(/<meta[^>]*>|<br>/g, '')
    expect(XMLValidator.validate(body)).toBe(true)
    const parsed = new XMLParser({ ignoreAttributes: false, htmlEntities: true }).parse(body) as {
      html: { body: object }
    }
    expect(Object.keys(parsed.html.body)).toEqual(['header', 'main'])
  })
})
