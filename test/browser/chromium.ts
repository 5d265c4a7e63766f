// Debian's Chromium over playwright-core: started once for a file of tests, a fresh profile for each page, and every
// complaint of the browser written down. Where it is missing a test says so aloud and is skipped.
import axe from 'axe-core'
import { afterAll, expect, onTestFinished, vi, type TestContext } from 'vitest'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { need } from '../real/servers/need.ts'

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

let starting: Promise<Browser> | undefined

/** For what takes a moment, on a machine that has much else to do. */
export const SOON = { timeout: 20_000 } as const

/** At the head of a file that opens pages: gives them time, and ends the browser with the file. */
export function useBrowser(): void {
  vi.setConfig({ testTimeout: 90_000 })
  afterAll(async () => {
    const browser = await starting
    starting = undefined
    await browser?.close()
  })
}

export interface Opened {
  readonly page: Page
  /** What the console, the security policy and dialogs had to say; a page that is well says nothing. */
  readonly complaints: readonly string[]
}

/** Opens `url`, and closes it with the test. Skips the test, aloud, where there is no Chromium. */
export async function open(
  context: Pick<TestContext, 'skip'>,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const executablePath = need('chromium', 'chromium')
  if (executablePath === undefined) return context.skip('not installed: chromium')
  starting ??= chromium.launch({ executablePath, args: ARGUMENTS })
  const browser = await starting
  const profile = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  onTestFinished(() => profile.close())
  const page = await profile.newPage()
  page.setDefaultTimeout(SOON.timeout)
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() !== 'log') complaints.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  await page.addInitScript(`document.addEventListener('securitypolicyviolation', (event) =>
    console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))`)
  await page.goto(url)
  return { page, complaints }
}

/** The value of an expression in the page: text, for the types of a browser are not those of Node.js. */
export async function inPage<T = unknown>(page: Page, expression: string): Promise<T> {
  return (await page.evaluate(expression)) as T
}

interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

/** Every rule of axe-core for WCAG 2 A and AA, and its best practices, on the page as it is now. */
export async function expectAccessible(page: Page): Promise<void> {
  // Evaluated by the debugger, which the page's own policy does not bind.
  await page.evaluate(axe.source)
  const violations = (await page.evaluate(`axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }).then(({ violations }) => violations.map(({ id, nodes }) =>
    ({ id, nodes: nodes.slice(0, 3).map(({ html, failureSummary }) => ({ html, failureSummary })) })))`)) as readonly Violation[]
  expect(violations).toEqual([])
}

/** Nothing sticks out to the right of the window. */
export async function expectNoSidewaysScrolling(page: Page): Promise<void> {
  const [wide, window] = await inPage<[number, number]>(
    page,
    '[document.documentElement.scrollWidth, innerWidth]',
  )
  expect(wide).toBeLessThanOrEqual(window)
}
