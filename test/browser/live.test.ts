// The pages' script in a real browser: what changes at the exporter changes on the page, and what the reader is doing
// stays as it is.
import type { Locator } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { startHttp } from '../../src/lab/http.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import type { HostView, Snapshot } from '../../src/views/snapshot.ts'
import { startDaemon } from '../daemon.ts'
import { freePort, loopbackAddress } from '../real/servers/ports.ts'
import { fakeDaemon, serve } from '../server/serve.ts'
import { AT, diagnosis, evidence, HEALTHY, host, STOPPED, view } from '../views/scenes.ts'
import { inPage, open, SOON, useBrowser } from './chromium.ts'
import { estateOf, hostsOf } from './estates.ts'

useBrowser()

/** An exporter whose snapshot the test changes. */
async function changing(hosts: readonly HostView[]) {
  const now: { seen: Snapshot; asked: number } = { seen: estateOf(hosts), asked: 0 }
  const snapshot = (): Snapshot => {
    now.asked += 1
    return now.seen
  }
  const { url } = await serve(fakeDaemon({ snapshot }))
  return { url, now }
}

const healthy = (name: string): HostView => view({ ...HEALTHY, host: host({ name }) })
const stopped = (name: string): HostView => view({ ...STOPPED, host: host({ name }) })

const isFocused = (locator: Locator): Promise<boolean> =>
  locator.evaluate((element: { matches(selector: string): boolean }) => element.matches(':focus'))

const hidden = (value: boolean): string =>
  `Object.defineProperty(document, 'hidden', { value: ${value}, configurable: true }); ${ASK}`

/** Asks at once, as when a tab comes to the front again. */
const ASK = "document.dispatchEvent(new Event('visibilitychange'))"

describe('what changes at the exporter', () => {
  it('changes on the page by itself, is told, and the page is not loaded again', async (context) => {
    const { url, now } = await changing([healthy('a.example'), healthy('b.example')])
    const { page, complaints } = await open(context, url)
    await inPage(page, "document.body.setAttribute('data-mine', 'still')")
    now.seen = estateOf([healthy('a.example'), stopped('b.example')], { atSeconds: AT + 60 })
    await page.locator('h1', { hasText: '1 of 2 KMS hosts does not serve' }).waitFor()
    expect(await page.title()).toBe('1 of 2 KMS hosts does not serve')
    expect(await page.locator('a.name').allInnerTexts()).toEqual(['b.example', 'a.example'])
    expect(await page.locator('#news').textContent()).toBe(
      '1 of 2 KMS hosts does not serve. b.example: not serving',
    )
    expect(await page.locator('tr.changed').count()).toBe(1)
    expect(await page.locator('#as-of').innerText()).toContain('08:01:00')
    expect(await page.locator('body').getAttribute('data-mine')).toBe('still')
    expect(complaints).toEqual([])
  })

  it('takes neither focus nor scroll nor what is being typed', async (context) => {
    const hosts = hostsOf(60)
    const { url, now } = await changing(hosts)
    const { page } = await open(context, url)
    const link = page.getByRole('link', { name: 'kms0059.site19.corp.example' })
    await link.focus()
    await inPage(page, 'scrollTo(0, 1500)')
    const before = await link.boundingBox()
    now.seen = estateOf(hosts, { nothingFound: undefined, failures: [] })
    const rows = page.locator('table.hosts tbody tr')
    await inPage(page, ASK)
    await expect.poll(() => page.locator('#failures').count(), SOON).toBe(0)
    expect(await isFocused(link)).toBe(true)
    expect(await inPage(page, 'scrollY')).toBe(1_500)
    expect(await link.boundingBox()).toEqual(before)
    // A host that gets worse goes up, and takes the focus along.
    const sick = hosts.map((each) =>
      each.diagnosis.host.name.startsWith('kms0059') ? stopped(each.diagnosis.host.name) : each,
    )
    now.seen = estateOf(sick)
    await inPage(page, ASK)
    await expect
      .poll(() => rows.filter({ hasText: 'kms0059' }).getAttribute('data-state'), SOON)
      .toBe('not_serving')
    expect(await isFocused(link)).toBe(true)
    // Half a word, not yet applied.
    await inPage(page, "document.getElementById('f-q').value = 'half a wo'")
    now.seen = estateOf(hosts.slice(1))
    await inPage(page, ASK)
    await expect.poll(() => rows.count(), SOON).toBe(59)
    expect(await page.getByLabel('Name or label').inputValue()).toBe('half a wo')
  })

  it('leaves open what is unfolded on the page of a host', async (context) => {
    const many = (words: string) => Array.from({ length: 5 }, (_, index) => evidence(`${words} ${index}`))
    const seen = (words: string): readonly HostView[] => [
      view(
        diagnosis(
          { serving: true },
          ruledOut('srv_missing', many(words)),
          ruledOut('srv_stale', many(words)),
        ),
      ),
    ]
    const { url, now } = await changing(seen('first'))
    const { page } = await open(context, `${url}/hosts/kms01.corp.example`)
    await page.locator('#more-srv_stale-against summary').click()
    now.seen = estateOf(seen('second'))
    await inPage(page, ASK)
    await page.getByText('second 4').nth(1).waitFor()
    expect(
      await page.locator('details').evaluateAll((all) => all.map((each) => each.hasAttribute('open'))),
    ).toEqual([false, true])
    expect(await page.locator('#more-srv_stale-against').innerText()).toContain('second 4')
    now.seen = estateOf([view(diagnosis({ serving: false }, named('port_blocked', many('third'))))])
    await inPage(page, ASK)
    await page.locator('h1', { hasText: 'not serving' }).waitFor()
    expect(await page.locator('#news').textContent()).toContain('not serving')
  })
})

describe('a real daemon', () => {
  it('over a host whose service stops: the page says so by itself, and has the minutes before', async (context) => {
    const address = loopbackAddress()
    const port = await freePort(address)
    const rpc = await startRpc('kms', { address, port })
    let stopped = false
    onTestFinished(async () => {
      if (!stopped) await rpc.stop()
    })
    const clocks = await startHttp(
      { name: 'kms.corp.example', clock: () => Date.now(), metricsPage: () => undefined },
      { address, port: 0 },
    )
    onTestFinished(() => clocks.stop())
    const { config } = parseConfig(
      `hosts: [{ name: kms.corp.example, connect_to: ${address}, port: ${port} }]
domains: []
probes:
  port: { schedule: 1s, timeout: 1s }
  clock: { schedule: 1s, timeout: 1s, sources: [http], ports: { http: ${clocks.port} } }
`,
      { file: 'test.yml', checkCron: () => undefined },
    )
    if (config === undefined) throw new Error('the configuration is wrong')
    const { url } = await serve(startDaemon(config))
    const { page, complaints } = await open(context, `${url}/hosts/kms.corp.example`)
    await page.locator('h1', { hasText: ' serving' }).waitFor(SOON)
    await expect.poll(() => page.locator('#plot-latency').count(), SOON).toBe(1)
    stopped = true
    await rpc.stop()
    await page.locator('h2', { hasText: 'The Software Protection service is stopped' }).waitFor(SOON)
    expect(await page.locator('#plot-serving').innerText()).toMatch(/did not serve \d\s(?:min)/)
    expect(complaints).toEqual([])
  })
})

describe('a filter', () => {
  it('narrows at once, is in the URL, and survives a reload', async (context) => {
    const { url } = await changing(hostsOf(2_000))
    const { page } = await open(context, url)
    const box = page.getByLabel('Name or label')
    await box.pressSequentially('kms001')
    await expect.poll(() => page.locator('#matches').innerText(), SOON).toBe('10 of 2,000 match, worst first')
    expect(await isFocused(box)).toBe(true)
    await expect.poll(() => page.locator('#news').textContent(), SOON).toBe('10 of 2,000 match, worst first')
    await page.getByLabel('State').selectOption('not_serving')
    await expect.poll(() => page.locator('#matches').innerText(), SOON).toBe('4 of 2,000 match, worst first')
    expect(page.url()).toBe(`${url}/?q=kms001&state=not_serving`)
    await page.reload()
    expect(await page.locator('#matches').innerText()).toBe('4 of 2,000 match, worst first')
    expect(await box.inputValue()).toBe('kms001')
    expect(await page.getByLabel('State').inputValue()).toBe('not_serving')
    await page.getByRole('link', { name: 'Clear' }).click()
    await page.waitForURL(`${url}/`)
  })
})

describe('the connection', () => {
  it('when it is lost, says so, and since when what one sees is old; and when it is back', async (context) => {
    const { url, now } = await changing([healthy('a.example')])
    const { page } = await open(context, url)
    await page.route('**/*', (route) => route.abort())
    await inPage(page, ASK)
    const lost = page.locator('#lost')
    await lost.waitFor()
    expect(await lost.innerText()).toMatch(
      /^The connection to the exporter is lost since [\d:]{8} UTC\. What you see is as of 2027-01-15 08:00:00 UTC\. Trying again\.$/,
    )
    expect(await page.locator('#live-says').innerText()).toMatch(/^not live: \d+ s old$/)
    expect(await page.locator('a.name').innerText()).toBe('a.example')
    now.seen = estateOf([stopped('a.example')])
    await page.unroute('**/*')
    await lost.waitFor({ state: 'hidden', ...SOON })
    expect(await page.locator('h1').innerText()).toContain('1 of 1 KMS host does not serve')
    expect(await page.locator('#live-says').innerText()).toMatch(/^live, updated/)
  })

  it('to a host that is no longer watched keeps what was known, and says so', async (context) => {
    const { url, now } = await changing([healthy('a.example')])
    const { page } = await open(context, `${url}/hosts/a.example`)
    now.seen = estateOf([])
    await inPage(page, ASK)
    await page.locator('#lost', { hasText: 'This is no longer watched' }).waitFor()
    expect(await page.locator('h1').innerText()).toContain('a.example')
  })

  describe.each([
    ['script', /page\.js\?v=\w+/g, 'page.js?v=new', 'script[src$="v=new"]'],
    ['style', /style\.css\?v=\w+/g, 'style.css?v=new', 'link[href$="v=new"]'],
  ])('to a version with another %s', (_what, file, other, selector) => {
    it('loads the page anew', async (context) => {
      const { url } = await changing([healthy('a.example')])
      const { page } = await open(context, url)
      await inPage(page, "document.body.setAttribute('data-mine', 'still')")
      await page.route(/\/$/, async (route) => {
        const response = await route.fetch()
        await route.fulfill({ response, body: (await response.text()).replaceAll(file, other) })
      })
      await inPage(page, ASK)
      await expect.poll(() => page.locator(selector).count(), SOON).toBe(1)
      expect(await page.locator('body').getAttribute('data-mine')).toBeNull()
    })
  })
})

describe('the reader', () => {
  it('may pause it, and go on', async (context) => {
    const { url, now } = await changing([healthy('a.example')])
    const { page } = await open(context, url)
    const pause = page.getByRole('button', { name: 'Pause updates' })
    await pause.click()
    expect(await pause.getAttribute('aria-pressed')).toBe('true')
    now.asked = 0
    now.seen = estateOf([stopped('a.example')])
    await inPage(page, ASK)
    await page.waitForTimeout(6_000)
    expect(now.asked).toBe(0)
    expect(await page.locator('#live-says').innerText()).toMatch(/^paused: \d+ s old$/)
    await pause.click()
    await page.locator('h1', { hasText: 'does not serve' }).waitFor()
  })

  it('costs the exporter nothing while the tab is hidden', async (context) => {
    const { url, now } = await changing([healthy('a.example')])
    const { page } = await open(context, url)
    now.asked = 0
    await inPage(page, hidden(true))
    await page.waitForTimeout(6_000)
    expect(now.asked).toBe(0)
    await inPage(page, hidden(false))
    await expect.poll(() => now.asked, SOON).toBe(1)
  })
})
