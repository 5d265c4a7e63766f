// Who owns a host: our function beside that of a real Prometheus, which relabels a list of names and says what came out.
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { hashmod } from '../../src/engine/shard.ts'
import { during } from '../during.ts'
import { until } from '../e2e/built.ts'
import { realServer } from '../real/servers/need.ts'
import { startPrometheus } from '../real/servers/prometheus.ts'
import { PATIENCE_SECONDS } from './company.ts'

const MODULI = [2, 3, 7, 1_000]

const PLAIN = [
  ...Array.from({ length: 150 }, (_, index) => `kms${index}.corp.example`),
  'kms01.corp.example:1688',
  '[2001:db8::1]:1688',
  '2001:db8::1',
  '192.0.2.10',
  'KMS01.CORP.EXAMPLE',
  'käse.example',
  'xn--kse-qla.example',
  'デモ.example:1688',
  '\u{1f511}.example',
  'a;b',
  ' ',
  'x'.repeat(55),
  'x'.repeat(56),
  'x'.repeat(64),
  'x'.repeat(500),
]

interface Target {
  readonly labels: Readonly<Record<string, string>>
}

it("is what Prometheus's hashmod says, of a discovered address and of labels joined by ;", async (context) => {
  realServer(context, ['prometheus'])
  // Any text that UTF-8 can carry; a label that is empty is none.
  const some = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }), {
    numRuns: 150,
    seed: 1,
  })
  const names = [...new Set([...PLAIN, ...some])]
  const groups = names.map((name) => ({ targets: [name], labels: { site: `s;${name.length}` } }))
  const prometheus = await during(
    startPrometheus({
      files: { 'names.json': JSON.stringify(groups) },
      // Nobody is to be asked, not even a resolver: each is another name for a port on which nobody listens, once an hour.
      configYaml: `global: { scrape_interval: 1h }
scrape_configs:
  - job_name: names
    file_sd_configs: [{ files: [names.json] }]
    relabel_configs:
      - { source_labels: [__address__], target_label: name }
${MODULI.map(
  (
    modulus,
  ) => `      - { source_labels: [__address__], modulus: ${modulus}, target_label: m${modulus}, action: hashmod }
      - { source_labels: [name, site], modulus: ${modulus}, target_label: joined${modulus}, action: hashmod }
      - { source_labels: [nothing], modulus: ${modulus}, target_label: none${modulus}, action: hashmod }
`,
).join('')}      - { target_label: __address__, replacement: '127.0.0.1:9' }
`,
    }),
  )
  const targets = await until(PATIENCE_SECONDS, 'all of them are targets', async () => {
    const answer = await fetch(`${prometheus.url}/api/v1/targets?state=active`)
    const { data } = (await answer.json()) as { data: { activeTargets: readonly Target[] } }
    return data.activeTargets.length === names.length ? data.activeTargets : undefined
  })
  expect(targets.map(({ labels }) => labels['name'] ?? '').toSorted()).toEqual(names.toSorted())
  for (const { labels } of targets) {
    const { name = '', site = '' } = labels
    for (const modulus of MODULI) {
      const said = [labels[`m${modulus}`], labels[`joined${modulus}`], labels[`none${modulus}`]]
      const ours = [name, `${name};${site}`, ''].map((text) => String(hashmod(text, modulus)))
      expect(said, `${JSON.stringify(name)} modulo ${modulus}`).toEqual(ours)
    }
  }
}, 120_000)
