// The pages in a real browser: of any size, in light and dark, on a phone, for a keyboard and a screen reader, and with
// all that a hostile peer can write into them.
import { describe, expect, it } from 'vitest'
import { cannotTell, named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { fakeDaemon, serve } from '../server/serve.ts'
import { diagnosis, evidence, host, HOSTILE, view } from '../views/scenes.ts'
import { expectAccessible, expectNoSidewaysScrolling, inPage, open, useBrowser } from './chromium.ts'
import { estateOf, hostsOf } from './estates.ts'

useBrowser()

const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }
const HOST = '/hosts/kms0000.site0.corp.example'

async function serving(count: number): Promise<string> {
  const seen = estateOf(hostsOf(count))
  return (await serve(fakeDaemon({ snapshot: () => seen }))).url
}

/** What has the focus, and whether one can see that. */
const FOCUSED = `(() => {
  const at = document.activeElement
  const { outlineStyle, outlineWidth } = getComputedStyle(at)
  const { height, top } = at.getBoundingClientRect()
  const visible = outlineStyle !== 'none' && outlineWidth !== '0px' && height > 0 && top >= 0
  return { name: at.id || at.textContent, visible }
})()`

/** Each word with a shape, as it is drawn. */
const BADGES = `[...document.querySelectorAll('table.hosts .badge')].map((each) =>
  each.textContent + ' ' + getComputedStyle(each, '::before').content.slice(1, 2))`

describe('the estate', () => {
  it.for([
    [4, 4],
    [100, 100],
    [2_000, 100],
  ] as const)('of %d hosts shows %d, the worst first', async ([count, rows], context) => {
    const { page, complaints } = await open(context, await serving(count))
    const states = await page
      .locator('table.hosts tbody tr')
      .evaluateAll((all) => all.map((row) => row.getAttribute('data-state')))
    expect(states).toHaveLength(rows)
    const ranks = states.map((state) => ['not_serving', 'unknown', 'warning', 'serving'].indexOf(state ?? ''))
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b))
    await expectNoSidewaysScrolling(page)
    expect(complaints).toEqual([])
  })

  it('leads on by its pages, and keeps what was asked for', async (context) => {
    const { page } = await open(context, `${await serving(2_000)}/?label=tier%3D1`)
    await page.getByRole('link', { name: 'Next' }).click()
    await page.waitForURL(/\?label=tier%3D1&page=2$/)
    expect(await page.locator('#matches').innerText()).toBe(
      '667 of 2,000 match, 101 to 200 shown, worst first',
    )
    expect(await page.getByLabel('Label', { exact: true }).inputValue()).toBe('tier=1')
  })
})

describe('for everybody', () => {
  it.for([
    ['the estate', '/', 'light'],
    ['the estate', '/', 'dark'],
    ['an estate that nobody matches', '/?q=nobody&state=unknown', 'light'],
    ['a host that does not serve', HOST, 'light'],
    ['a host that does not serve', HOST, 'dark'],
    ['a runbook', '/runbooks/service_stopped', 'light'],
    ['a runbook', '/runbooks/clock_skew', 'dark'],
    ['the runbooks', '/runbooks', 'light'],
    ['a host that serves', '/hosts/kms0004.site4.corp.example', 'light'],
    ['a host of which nothing is known', '/hosts/kms0002.site2.corp.example', 'dark'],
  ] as const)('axe finds nothing: %s (%s, %s)', async ([, path, colorScheme], context) => {
    const { page, complaints } = await open(context, (await serving(10)) + path, { colorScheme })
    await expectAccessible(page)
    expect(complaints).toEqual([])
  })

  it.for(['/', HOST, '/runbooks', '/runbooks/version_mismatch'])(
    'axe finds nothing on a phone, and nothing sticks out: %s',
    async (path, context) => {
      const { page } = await open(context, (await serving(10)) + path, PHONE)
      await expectNoSidewaysScrolling(page)
      await expectAccessible(page)
    },
  )

  it('a keyboard reaches everything, and one sees where it is', async (context) => {
    const { page } = await open(context, await serving(4))
    const reached: string[] = []
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press('Tab')
      const { name, visible } = await inPage<{ name: string; visible: boolean }>(page, FOCUSED)
      expect([name, visible]).toEqual([name, true])
      reached.push(name)
      if (name.startsWith('kms0003')) break
    }
    const order = [
      'Skip to the content',
      'Hosts',
      'Runbooks',
      'Metrics',
      'Configuration',
      'pause',
      'f-q',
      'f-state',
      'f-cause',
      'f-domain',
      'f-label',
      'Apply',
    ]
    expect(reached.filter((name) => order.includes(name))).toEqual(order)
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/hosts\/kms0003/)
  })

  it('the way past the navigation leads to the content', async (context) => {
    const { page } = await open(context, await serving(4))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    expect(await inPage(page, 'document.activeElement.id')).toBe('main')
  })

  it('words and shapes say what colours say', async (context) => {
    const { page } = await open(context, await serving(5), { forcedColors: 'active' })
    expect(await inPage(page, BADGES)).toEqual([
      'not serving ✕',
      'not serving ✕',
      'cannot tell ?',
      'serving ✓',
      'warning !',
      'serving ✓',
    ])
  })
})

describe('without scripts', () => {
  it('everything is there, filters work, and the page loads itself again', async (context) => {
    const { page, complaints } = await open(context, await serving(2_000), { javaScriptEnabled: false })
    expect(await page.locator('table.hosts tbody tr').count()).toBe(100)
    expect(await page.locator('meta[http-equiv=refresh]').getAttribute('content')).toBe('30')
    expect(await page.locator('#live').isVisible()).toBe(false)
    await page.getByLabel('Name or label').fill('kms0003')
    await page.getByLabel('State').selectOption('warning')
    await page.getByRole('button', { name: 'Apply' }).click()
    await page.waitForURL(/\?q=kms0003&state=warning/)
    expect(await page.locator('table.hosts tbody tr').count()).toBe(1)
    await page.locator('a.name').click()
    await page.waitForURL(/\/hosts\/kms0003/)
    expect(await page.locator('h1').innerText()).toContain('kms0003')
    expect(complaints).toEqual([])
  })
})

describe('what peers write', () => {
  const PAYLOADS = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    'javascript:alert(1)',
    '</title></style></main><iframe src=javascript:alert(1)>',
    `${'a'.repeat(9_000)}<b>`,
    '{{constructor.constructor("alert(1)")()}}',
    HOSTILE.toWellFormed(),
    '\u202egnp.exe\nsecond line',
  ]

  /** A host that has it in every place. */
  function sick(payload: string) {
    const said = evidence(payload, payload)
    const of = {
      host: host({ name: payload.toLowerCase(), labels: { site: payload } }),
      domains: [payload],
      serving: false,
    }
    return view(
      diagnosis(
        of,
        named('srv_missing', [said], [said]),
        ruledOut('port_blocked', [said, said, said, said]),
        cannotTell('clock_skew', payload),
      ),
    )
  }

  it('is text to the browser', async (context) => {
    const seen = estateOf(PAYLOADS.map(sick), { nothingFound: PAYLOADS.join('\n') })
    const { url, errors } = await serve(fakeDaemon({ snapshot: () => seen }))
    const { page, complaints } = await open(context, url, { viewport: { width: 360, height: 740 } })
    await expectNoSidewaysScrolling(page)
    // The script carries it over, too.
    await inPage(page, "document.dispatchEvent(new Event('visibilitychange'))")
    const links = await page
      .locator('a.name')
      .evaluateAll((all) => all.map((link) => String(link.getAttribute('href'))))
    expect(links).toHaveLength(PAYLOADS.length)
    const queries = PAYLOADS.map((payload) => encodeURIComponent(payload.slice(0, 1_000)))
    for (const path of [...links, ...queries.map((query) => `/?q=${query}&label=${query}&domain=${query}`)]) {
      expect((await page.goto(url + path))?.status()).toBe(200)
      await expectNoSidewaysScrolling(page)
      expect(await page.locator('script:not([src]), iframe, img, svg svg, b b').count()).toBe(0)
    }
    expect(complaints).toEqual([])
    expect(errors).toEqual([])
  })
})
