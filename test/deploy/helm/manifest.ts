// deploy/kubernetes/winkms-exporter.yaml, for those without Helm: the chart, rendered by Helm, less what says that Helm
// manages it, the namespace, which is whoever applies it's to say, and the checksum, which nobody would keep up to date. `npm run manifest` writes it.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { fetchHelm } from './programs.ts'
import { renderText, type Values } from './render.ts'

export const PLAIN = fileURLToPath(new URL('../../../deploy/kubernetes', import.meta.url))
export const MANIFEST = `${PLAIN}/winkms-exporter.yaml`

export async function manifestText(): Promise<string> {
  const values = parse(readFileSync(`${PLAIN}/values.yaml`, 'utf8')) as Values
  const rendered = await renderText({ ...values, fullnameOverride: 'winkms-exporter' })
  const plain = rendered.replaceAll(
    /^(?:# Source:.*|  namespace:.*| *(?:app\.kubernetes\.io\/managed-by|helm\.sh\/chart|(?:#.*\n *)?checksum\/config):.*)\n/gm,
    '',
  )
  return `# Rendered from the chart in deploy/helm by npm run manifest; do not edit. docs/install/kubernetes.md says how to use it.
${plain}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await fetchHelm()
  writeFileSync(MANIFEST, await manifestText())
}
