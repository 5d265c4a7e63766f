// docs/getting-started.md, followed from the top: every file written, every command run, every output compared, with the
// demo, a real Prometheus and the real rules. Only waiting is shortened.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { get, samplesOf, until } from '../e2e/built.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { lacks, makeStage, stepsOf, type Stage, type Step } from './stage.ts'

const PAGE = 'docs/getting-started.md'
const PATIENCE_SECONDS = 40
/** Built already, and not anew for each test. */
const DONE_BEFORE = ['npm ci && npm run build']
const DEMO = '127.0.0.1:11688'
const STAYS = /^(?:prometheus |node dist\/main\.js (?:demo|--))/

let stage: Stage | undefined
afterAll(() => stage?.leave())

/** A person waits five minutes; the rules are otherwise as they are. */
async function shortenRules({ folder }: Stage): Promise<void> {
  const file = join(folder, 'deploy/prometheus/winkms.rules.yml')
  const rules = await readFile(file, 'utf8')
  await writeFile(file, rules.replaceAll(/^(\s*(?:for|keep_firing_for|interval): ).+$/gm, '$11s'))
}

function inHaste({ name, text }: Step): string {
  return name === 'prometheus.yml' ? text.replaceAll(/\b15s\b/g, '1s') : text
}

/** Until it prints what the page shows: a scrape, or an alert, may be a moment away. */
async function follow(on: Stage, { at, name, text }: Step): Promise<void> {
  let printed = ''
  await until(
    PATIENCE_SECONDS,
    () => `${at}: ${name}\nshown:\n${text}\nprinted:\n${printed}`,
    async () => {
      printed = on.there((await on.run(name)).output)
      return lacks(on.there(on.here(text)), printed).length === 0 ? true : undefined
    },
  )
}

it('works as it is written, from the first step to the last', async (context) => {
  realServer(context, ['curl', 'prometheus', 'promtool'])
  const on = (stage = await makeStage())
  await shortenRules(on)
  const steps = stepsOf(PAGE)
  expect(steps.filter(({ kind }) => kind === 'shown').length).toBeGreaterThanOrEqual(9)
  const port = await freePort()
  let last: Step | undefined
  for (const step of steps) {
    if (DONE_BEFORE.includes(step.name)) continue
    if (step.kind === 'file') await on.write(step.name, inHaste(step))
    else if (step.kind === 'shown') await follow(on, step)
    else {
      expect(step.name, step.at).toMatch(STAYS)
      // The demo goes on: it plays the reader's own hosts.
      const own = step.name.includes('winkms.yml')
      const running = on.begin(own ? step.name.replace(DEMO, `127.0.0.1:${port}`) : step.name)
      if (own) {
        await until(PATIENCE_SECONDS, `both are seen to serve\n${running.output()}`, async () => {
          const metrics = (await get(`http://127.0.0.1:${port}/metrics`))?.body ?? ''
          const serving = samplesOf(metrics, 'winkms_host_serving').filter(({ value }) => value === 1)
          return serving.length === 2 ? true : undefined
        })
        last = step
      }
    }
  }
  expect(last, 'the page ends with an exporter of its own').toBeDefined()
}, 180_000)
