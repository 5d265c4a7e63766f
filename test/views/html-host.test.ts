// The page of one host: the cause first, the whole decision tree in its order, the last hours in words as well.
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES, TREE } from '../../src/diagnosis/causes.ts'
import { named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { probes } from '../../src/probes/index.ts'
import type { Site } from '../../src/views/html-frame.ts'
import { hostPage } from '../../src/views/html-host.ts'
import { activityReading, asleep, licensingReading, product } from '../diagnosis/scene.ts'
import { checkPage, rowWith, textOf } from './html-check.ts'
import {
  answered,
  AT,
  diagnosis,
  estate,
  evidence,
  EVERYTHING,
  failed,
  first,
  HEALTHY,
  host,
  portResult,
  STOPPED,
  UNKNOWN,
  view,
} from './scenes.ts'

const SITE: Site = { prefix: '/kms', telemetryPath: '/metrics', version: '1.2.3' }
const all = estate(EVERYTHING)
const srvTarget = first(probes.srv.targets(all))
const licensingTarget = first(probes.licensing.targets(all))
const activityTarget = first(probes.activity.targets(all))

function pageOf(...given: Parameters<typeof view>): string {
  const page = hostPage(view(...given), AT, SITE)
  checkPage(page)
  return page
}

/** The item of the tree that has this cause, as a person reads it. */
function branch(page: string, cause: string): string {
  const from = page.indexOf(`<li id="cause-${cause}">`)
  expect(from).toBeGreaterThan(0)
  const next = page.slice(from + 1).search(/<li id="(?:cause|question)-|<\/ol>/)
  return textOf(page.slice(from, from + 1 + next))
}

describe('the page of one host', () => {
  it.each([
    ['a healthy host', HEALTHY, 'kms01.corp.example <span class="badge good">serving</span>'],
    ['a stopped service', STOPPED, 'kms01.corp.example <span class="badge bad">not serving</span>'],
    ['cannot tell', UNKNOWN, 'kms02.corp.example <span class="badge unknown">cannot tell</span>'],
  ])('says first how it is: %s', (_what, of, heading) => {
    const page = pageOf(of, [portResult()])
    expect(page).toContain(`<h1>${heading}</h1>`)
    expect(textOf(page)).toContain('for 1 h 0 min, since 2027-01-15 07:00:00 UTC')
  })

  it('has the named cause before everything else, with remedy, command, evidence and runbook', () => {
    const page = pageOf(STOPPED)
    const text = textOf(page)
    expect(text).toContain(
      "The Software Protection service is stopped service_stopped Clients see 0xC004F074 no KMS host could be contacted Do this Start the Software Protection service (sppsvc) on the host, and read its event log for why it stopped. Command net start sppsvc Because Windows says that sppsvc is stopped service kms01.corp.example, 2027-01-15 08:00:00 UTC 192.0.2.10 refuses connections: the machine answers, nobody listens there port kms01.corp.example, 2027-01-15 08:00:00 UTC Although ntp says +1.2 ms ± 0.4 ms from the exporter's clock clock kms01.corp.example, 2027-01-15 08:00:00 UTC Read on Runbook",
    )
    expect(page.indexOf('id="why-service_stopped"')).toBeLessThan(page.indexOf('The last hours'))
    expect(page).toContain('href="/kms/runbooks/service_stopped"')
  })

  it('says that nobody knows why', () => {
    expect(pageOf(diagnosis({ serving: false }))).toContain(
      '<strong class="unknown">cannot tell why</strong>',
    )
    for (const of of [STOPPED, UNKNOWN]) expect(pageOf(of)).not.toContain('cannot tell why')
  })

  it('puts the names of the host into remedy and command', () => {
    const text = textOf(pageOf(diagnosis({ serving: false }, named('port_blocked', []))))
    expect(text).toContain('Open TCP 1688 from the clients to the host')
    expect(text).toContain('Test-NetConnection kms01.corp.example -Port 1688')
  })

  it('warns, where all is well still', () => {
    const warned = {
      ...ruledOut('count_below_threshold', [evidence('50')]),
      warning: 'in 23 days <it> is low',
    }
    const page = pageOf(diagnosis({ serving: true }, warned))
    expect(textOf(page)).toContain('warning in 23 days <it> is low count_below_threshold Runbook')
    expect(branch(page, 'count_below_threshold')).toMatch(
      /^warning Too few clients have asked count_below_threshold in 23 days/,
    )
  })
})

describe('the decision tree', () => {
  it('has every question and every cause, in their order', () => {
    const page = pageOf(HEALTHY)
    const places = [...page.matchAll(/<li id="(?:cause-([a-z_]+)|question-\d)">/g)]
    expect(places.map(([, cause]) => cause).filter(Boolean)).toEqual(TREE.flatMap(({ causes }) => causes))
    expect(places).toHaveLength(CAUSE_NAMES.length + TREE.length)
    for (const { question } of TREE) expect(page).toContain(`<h3>${question} <span class="badge`)
  })

  it('answers its questions, and with yes only where nothing that stops clients is open', () => {
    const answers = (page: string) =>
      [...page.matchAll(/\? <span class="badge (\w+)">([^<]+)<\/span><\/h3>/g)].map(
        ([, tone, word]) => `${tone} ${word}`,
      )
    const unknown = 'unknown cannot tell'
    expect(answers(pageOf(UNKNOWN))).toEqual([unknown, unknown, unknown, unknown, unknown])
    expect(answers(pageOf(HEALTHY))).toEqual(['good yes', 'good yes', 'good yes', 'good yes', unknown])
    expect(answers(pageOf(STOPPED))).toEqual([unknown, unknown, 'bad no', unknown, unknown])
    // What does not stop clients has no say.
    const readable = ['kms_not_enabled', 'host_not_licensed', 'count_below_threshold'] as const
    const unread = diagnosis(
      {},
      ...readable.map((cause) => ruledOut(cause, [])),
      named('event_log_unreadable', []),
    )
    expect(answers(pageOf(unread)).at(-1)).toBe('good yes')
  })

  it('says on what each verdict rests, from whom and when, or what is missing', () => {
    const page = pageOf(STOPPED)
    expect(branch(page, 'service_stopped')).toMatch(
      /^this is it .* Windows says that sppsvc is stopped service kms01.corp.example, 2027-01-15 08:00:00 UTC .* although ntp says/,
    )
    expect(branch(page, 'port_blocked')).toBe(
      'cannot tell The KMS port is blocked port_blocked a port cannot be tested while its service is stopped',
    )
    expect(branch(page, 'host_unreachable')).toMatch(/^ruled out The host cannot be reached at all/)
  })

  it('folds long evidence away, but never that of a named cause', () => {
    const many = Array.from({ length: 5 }, (_, index) => evidence(`evidence ${index}`))
    const page = pageOf(
      diagnosis({ serving: false }, ruledOut('srv_missing', many), named('clock_skew', many)),
    )
    expect(branch(page, 'srv_missing')).toContain(
      'evidence 1 port kms01.corp.example, 2027-01-15 08:00:00 UTC 3 more evidence 2',
    )
    expect(page.match(/<details/g)).toHaveLength(1)
    expect(page).toContain('<details id="more-srv_missing-against">')
  })
})

describe('the last runs', () => {
  it('say how they ended, when, and how long they took', () => {
    const page = pageOf(STOPPED, [portResult(), answered('clock', srvTarget, { samples: [] })])
    expect(rowWith(page, 'connect_timeout')).toBe(
      'port no answer connect_timeout at connect: nobody is there 2027-01-15 08:00:00 UTC 0 s ago 500 ms',
    )
    expect(rowWith(page, 'clock answered')).toContain('clock answered 2027-01-15 08:00:00 UTC')
  })

  it('say of a run over WinRM that failed what it takes', () => {
    const [, asked] = all.hosts
    const page = pageOf(diagnosis({ host: asked ?? host() }), [
      failed('licensing', licensingTarget, '<5986>'),
    ])
    expect(textOf(page)).toContain('connect_timeout at connect: <5986> It takes a listener there, and')
  })
})

describe('what Windows says', () => {
  it('of licence, count, system and log', () => {
    const office = product({
      product: 'office2021',
      licenseStatus: 'notification',
      licenseReason: '0xC004F009',
      currentClients: 3,
      requiredClients: 5,
    })
    const page = pageOf(HEALTHY, [
      answered('licensing', licensingTarget, licensingReading({ products: [product(), office] })),
      answered(
        'activity',
        activityTarget,
        activityReading({ lastRequestSeconds: AT, duplicateClientIds: 2 }),
      ),
    ])
    const text = textOf(page.slice(page.indexOf('What Windows says')))
    for (const row of [
      'System Windows Server 2022 Datacenter 20348.2322',
      'KMS enabled',
      'Listens on port 1688',
      'Publishes itself in DNS yes',
      'Key ws2022 licensed ; 50 clients (full), 25 required',
      'Key office2021 notification 0xC004F009 ; 3 clients, 5 required',
      'Last request 2027-01-15 08:00:00 UTC',
      'Different clients 20 in 24 hours, 60 in 7 days, 60 in 30 days',
      'Ids that several clients share 2',
      'First client to expire in 100.0 days',
    ])
      expect(text).toContain(row)
    expect(text).not.toContain('still being read')
  })

  it('of where it publishes itself, and of a system that may be later than its kernel', () => {
    const textWith = (...changes: Parameters<typeof licensingReading>): string =>
      textOf(pageOf(HEALTHY, [answered('licensing', licensingTarget, licensingReading(...changes))]))
    const publishList = [{ domain: '<b>.example', priority: 10, weight: 20 }]
    const os = { caption: 'Windows', build: 20_348, ubr: 1, ubrSource: 'kernel_file' } as const
    const text = textWith({}, { publishList, os: { ...os, productType: 'server' } })
    expect(text).toContain('Publishes itself in DNS in <b>.example (priority 10, weight 20)')
    expect(text).toContain('Windows 20348.1 or later (by its kernel)')
    expect(textWith({ service: { dnsPublishing: false } }, { publishList })).toContain('in DNS no')
  })

  it('of a log that is still being read, that there may be more', () => {
    const distinctClients = { '1h': 0, '24h': 0, '7d': 3, '30d': 9 }
    const reading = activityReading({ caughtUp: false, lastRequestSeconds: undefined, distinctClients })
    const text = textOf(pageOf(HEALTHY, [answered('activity', activityTarget, reading)]))
    expect(text).toContain('at least 0 in 24 hours')
    expect(text).toContain('none so far in the event log')
    expect(text).toContain('is still being read')
  })

  it.each([
    [61, 'in 61.0 days'],
    [59, '<strong class="warning">in 59.0 days</strong>'],
    [29, '<strong class="bad">in 29.0 days</strong>: soon'],
    [-2, '<strong class="bad">2.0 days ago</strong>'],
  ])('of the first client to expire, %d days ahead, by the levels of the alerts', (days, html) => {
    const reading = activityReading({ earliestExpirySeconds: days * 86_400 })
    expect(pageOf(HEALTHY, [answered('activity', activityTarget, reading)])).toContain(html)
  })

  it('of what is not known, nothing', () => {
    const os = undefined
    expect(pageOf(HEALTHY, [answered('licensing', licensingTarget, { ...asleep, os })])).not.toContain(
      'What Windows says',
    )
    expect(pageOf(HEALTHY)).not.toContain('What Windows says')
    const part = textOf(
      pageOf(HEALTHY, [
        answered(
          'licensing',
          licensingTarget,
          licensingReading({
            service: { kmsEnabled: false, listeningPort: undefined, dnsPublishing: undefined },
            products: [product({ licenseStatus: undefined, currentClients: undefined })],
          }),
        ),
        answered(
          'activity',
          activityTarget,
          activityReading({ lastRequestSeconds: undefined, caughtUp: false, sampledOneIn: 2 }),
        ),
      ]),
    )
    expect(part).toContain('KMS not enabled')
    expect(part).toContain('unknown ; no client counted yet')
    expect(part).toContain('none so far in the event log')
    expect(part).toContain('about 20 in 24 hours')
    expect(part).toContain('is still being read')
    expect(part).not.toMatch(/Listens on|Publishes itself/)
  })
})
