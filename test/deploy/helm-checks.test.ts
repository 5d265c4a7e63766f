// That the checks of the chart bite: each of them, given what Helm rendered with one thing spoiled, says so.
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { complaints } from './helm/lint.ts'
import { fetchHelm, needHelm } from './helm/programs.ts'
import { render, type KubernetesObject } from './helm/render.ts'
import { wrongKeys, wrongValues } from './helm/schemas.ts'
import { EVERYTHING, EXISTING } from './helm/values.ts'

vi.setConfig({ testTimeout: 90_000 })

let good: readonly KubernetesObject[] = []

beforeAll(async () => {
  await fetchHelm()
  good = await render(EVERYTHING).catch(() => [])
}, 300_000)
beforeEach(needHelm)

type Spoiled = readonly [kind: string, path: string, value: unknown]

/** A copy in which the first object of the kind has this value there (a JSON pointer); undefined takes it away. */
function spoil([kind, path, value]: Spoiled): readonly KubernetesObject[] {
  const copy = structuredClone(good)
  const keys = path.split('/').map((key) => key.replaceAll('~1', '/'))
  const last = keys.pop() ?? ''
  let at = copy.find((object) => object.kind === kind) as unknown as Record<string, unknown> | undefined
  for (const key of keys) at = at?.[key] as Record<string, unknown> | undefined
  if (at === undefined) throw new Error(`${kind} has no ${path}`)
  if (value === undefined) delete at[last]
  else at[last] = value
  return copy
}

const POD = 'spec/template/spec'
const CONTAINER = `${POD}/containers/0`
const labels = { 'app.kubernetes.io/name': 'kms-watch', 'app.kubernetes.io/instance': 'kms' }

it('good ones are good', () => {
  expect(complaints(good, EXISTING)).toEqual([])
  expect(wrongValues(good)).toEqual([])
})

describe('what makes no sense is said', () => {
  it.each<readonly [...Spoiled, RegExp]>([
    ['StatefulSet', `${CONTAINER}/image`, 'registry.example:5000/a:latest', /may be anything/],
    ['StatefulSet', `${CONTAINER}/image`, 'registry.example:5000/a', /may be anything/],
    ['StatefulSet', `${CONTAINER}/resources/limits/memory`, undefined, /no limit of memory/],
    ['StatefulSet', `${CONTAINER}/resources/requests/cpu`, undefined, /no request of cpu/],
    ['StatefulSet', `${CONTAINER}/securityContext/allowPrivilegeEscalation`, undefined, /privileges/],
    ['StatefulSet', `${CONTAINER}/securityContext/readOnlyRootFilesystem`, false, /may write to its image/],
    ['StatefulSet', `${CONTAINER}/securityContext/privileged`, true, /is privileged/],
    ['StatefulSet', `${CONTAINER}/securityContext/capabilities/drop`, ['NET_RAW'], /has capabilities/],
    ['StatefulSet', `${CONTAINER}/securityContext/capabilities/add`, ['NET_RAW'], /has capabilities/],
    ['StatefulSet', `${CONTAINER}/livenessProbe`, undefined, /livenessProbe asks no port/],
    ['StatefulSet', `${CONTAINER}/readinessProbe/httpGet/port`, 'web', /readinessProbe asks no port/],
    ['StatefulSet', `${CONTAINER}/env`, [{ name: 'SECOND_PASSWORD', value: 'x' }], /in the open/],
    ['StatefulSet', `${CONTAINER}/volumeMounts/0/name`, 'nothing', /of no volume/],
    ['StatefulSet', `${CONTAINER}/volumeMounts/0/readOnly`, undefined, /may be written/],
    ['StatefulSet', `${CONTAINER}/volumeMounts/0/mountPath`, '/etc/winkms-exporter', /is inside another/],
    ['StatefulSet', `${POD}/volumes/0/name`, 'web', /two volumes have one name/],
    ['StatefulSet', `${POD}/volumes/5`, { name: 'more', emptyDir: {} }, /volume more is not mounted/],
    ['StatefulSet', `${POD}/volumes/0`, { name: 'config', hostPath: { path: '/' } }, /a kind not allowed/],
    ['StatefulSet', `${POD}/securityContext/runAsNonRoot`, undefined, /may be root/],
    ['StatefulSet', `${POD}/securityContext/runAsUser`, 0, /may be root/],
    ['StatefulSet', `${POD}/securityContext/seccompProfile`, undefined, /no seccomp profile/],
    ['StatefulSet', `${POD}/hostNetwork`, true, /node's namespaces/],
    ['StatefulSet', `${POD}/automountServiceAccountToken`, true, /token/],
    ['StatefulSet', `${POD}/serviceAccountName`, 'other', /ServiceAccount\/other is named and not there/],
    ['StatefulSet', `${POD}/imagePullSecrets/0/name`, 'other', /Secret\/other is named/],
    ['StatefulSet', `${POD}/volumes/0/configMap/name`, 'other', /ConfigMap\/other is named/],
    ['StatefulSet', `${POD}/volumes/1/secret/secretName`, 'other', /Secret\/other is named/],
    ['StatefulSet', `${CONTAINER}/env/0/valueFrom/secretKeyRef/name`, 'other', /Secret\/other is named/],
    ['StatefulSet', 'spec/serviceName', 'other', /Service\/other is named/],
    ['StatefulSet', 'spec/serviceName', 'kms-kms-watch', /its Service has an address/],
    ['StatefulSet', 'spec/selector/matchLabels', labels, /chooses other pods than its own/],
    ['StatefulSet', 'spec/template/metadata/labels', labels, /chooses other pods than its own/],
    [
      'StatefulSet',
      `${POD}/topologySpreadConstraints/0/labelSelector/matchLabels`,
      labels,
      /spread by other pods/,
    ],
    ['StatefulSet', 'metadata/name', 'x'.repeat(53), /name is too long/],
    ['StatefulSet', 'metadata/name', 'kms-kms-watch-shard-1', /is there twice/],
    ['Service', 'metadata/name', 'Kms', /is no name/],
    ['Service', 'metadata/namespace', 'other', /another namespace/],
    ['Service', 'metadata/labels/app.kubernetes.io~1version', undefined, /has no label app/],
    ['Service', 'spec/selector', { a: 'b' }, /does not choose all pods/],
    ['Service', 'spec/selector', {}, /does not choose all pods/],
    ['Service', 'spec/ports/0/targetPort', 'web', /no port web/],
    ['Service', 'spec/ports/0/name', 'web', /ServiceMonitor asks port metrics/],
    ['ConfigMap', 'data/much', 'x'.repeat(300_000), /too large/],
    ['NetworkPolicy', 'spec/podSelector/matchLabels', { a: 'b' }, /does not choose all pods/],
    ['NetworkPolicy', 'spec/ingress/0/ports/0/port', 'web', /no port web/],
    ['PodDisruptionBudget', 'spec/selector/matchLabels', labels, /not one PodDisruptionBudget/],
    ['ServiceMonitor', 'spec/selector/matchLabels', labels, /chooses 2 Services/],
    ['ServiceMonitor', 'spec/namespaceSelector/matchNames', ['other'], /looks into another namespace/],
    ['ServiceMonitor', 'spec/endpoints/0/port', 'web', /asks port web/],
    ['ServiceMonitor', 'spec/endpoints/0/basicAuth/password/name', 'other', /Secret\/other is named/],
    ['ServiceMonitor', 'spec/endpoints/0/tlsConfig/ca/secret/name', 'other', /Secret\/other is named/],
  ])('%s %s = %j', (kind, path, value, complaint) => {
    expect(complaints(spoil([kind, path, value]), EXISTING).join('\n')).toMatch(complaint)
  })
})

describe('what Kubernetes would not take is refused', () => {
  it.each<readonly [...Spoiled, RegExp]>([
    ['StatefulSet', 'spec/replicas', '2', /replicas must be integer/],
    ['StatefulSet', 'spec/podManagementPolicy', 'Paralel', /podManagementPolicy/],
    ['StatefulSet', 'spec/selector', undefined, /selector/],
    ['StatefulSet', `${CONTAINER}/name`, undefined, /name/],
    ['StatefulSet', 'apiVersion', 'apps/v2', /no schema/],
    ['Service', 'spec/ports/0/port', 'metrics', /port must be integer/],
    ['ServiceMonitor', 'spec/endpoints/0/interval', '30 seconds', /interval must match pattern/],
    ['PrometheusRule', 'spec/groups/0/rules/0/expr', undefined, /expr/],
    ['PrometheusRule', 'spec/groups/0/name', undefined, /name/],
    ['NetworkPolicy', 'spec/podSelector', 'all', /podSelector/],
  ])('%s %s = %j', (kind, path, value, complaint) => {
    expect(wrongValues(spoil([kind, path, value])).join('\n')).toMatch(complaint)
  })

  const UNKNOWN: readonly Spoiled[] = [
    ['StatefulSet', 'spec/replicaz', 2],
    ['StatefulSet', `${POD}/enableServiceLink`, false],
    ['StatefulSet', `${CONTAINER}/livenessProbe/httpGet/pth`, '/'],
    ['StatefulSet', `${CONTAINER}/securityContext/readonlyRootFilesystem`, true],
    ['StatefulSet', `${POD}/volumes/0/configMap/nam`, 'x'],
    ['Service', 'spec/ports/0/targetport', 1],
    ['ServiceAccount', 'automountServiceAccountTokens', false],
    ['ConfigMap', 'datas', {}],
    ['NetworkPolicy', 'spec/ingress/0/port', []],
    ['PodDisruptionBudget', 'spec/maxUnavailabel', 1],
    ['ServiceMonitor', 'spec/endpoints/0/scrapeTimeouts', '1s'],
    ['PrometheusRule', 'spec/groups/0/rules/0/keepFiringFor', '1m'],
  ]

  it('keys that it does not know', async () => {
    const spoiled = UNKNOWN.flatMap((each) => spoil(each).find(({ kind }) => kind === each[0]) ?? [])
    const said = (await wrongKeys(spoiled)).join('\n')
    for (const [kind, path] of UNKNOWN)
      expect(said).toMatch(new RegExp(`${kind}/.*'"?${path.slice(path.lastIndexOf('/') + 1)}"?'`))
  })
})
