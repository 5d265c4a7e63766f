// The manifest for those without Helm: what the chart renders, and what kubectl's own kustomize makes of it.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { complaints } from './helm/lint.ts'
import { MANIFEST, manifestText, PLAIN } from './helm/manifest.ts'
import { statefulSets } from './helm/objects.ts'
import { fetchHelm, KUBECTL, needHelm } from './helm/programs.ts'
import { objectsOf } from './helm/render.ts'
import { wrongKeys, wrongValues } from './helm/schemas.ts'

vi.setConfig({ testTimeout: 90_000 })

const exec = promisify(execFile)

beforeAll(fetchHelm, 300_000)
beforeEach(needHelm)

it('the manifest is what the chart renders', async () => {
  expect(readFileSync(MANIFEST, 'utf8'), 'npm run manifest').toBe(await manifestText())
})

it('the manifest is what Kubernetes takes, and makes sense', async () => {
  const objects = objectsOf(readFileSync(MANIFEST, 'utf8'))
  expect(wrongValues(objects)).toEqual([])
  expect(complaints(objects)).toEqual([])
  expect(await wrongKeys(objects)).toEqual([])
})

it('the manifest becomes your own by the kustomization of the documents', async () => {
  const text = readFileSync(join(PLAIN, '../../docs/install/kubernetes.md'), 'utf8')
  const block = [...text.matchAll(/```yaml\n(apiVersion: kustomize[^`]*)```/g)][0]?.[1] ?? ''
  const folder = mkdtempSync(join(tmpdir(), 'winkms-plain-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  await exec('cp', ['-r', PLAIN, join(folder, 'base')])
  await exec('mkdir', [join(folder, 'mine')])
  writeFileSync(
    join(folder, 'mine/kustomization.yaml'),
    block.replace(/resources: .*/, 'resources: [../base]'),
  )
  writeFileSync(join(folder, 'mine/winkms.yml'), 'hosts: [{ name: kms.of.mine }]\n')
  const { stdout } = await exec(KUBECTL, ['kustomize', join(folder, 'mine')], { env: { HOME: folder } })
  const objects = objectsOf(stdout)
  expect(complaints(objects)).toEqual([])
  const [set] = statefulSets(objects)
  expect(set?.spec.template.spec.containers[0].image).toBe('registry.corp.example/winkms-exporter:0.1.0')
  expect(objects.map(({ metadata }) => metadata.namespace)).toEqual(objects.map(() => 'kms'))
  const config = objects.find(({ kind }) => kind === 'ConfigMap')
  expect(config?.['data']).toEqual({ 'winkms.yml': 'hosts: [{ name: kms.of.mine }]\n' })
})
