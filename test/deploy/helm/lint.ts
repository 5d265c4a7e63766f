// What makes sense, beyond what the schemas know: as kube-linter and kube-score look at it, the restricted Pod Security
// Standard asks for it, and objects that belong together have to agree on it.
import {
  allOf,
  statefulSets,
  type Container,
  type Labels,
  type PodSpec,
  type StatefulSet,
} from './objects.ts'
import type { KubernetesObject } from './render.ts'

const matches = (selector: Labels, labels: Labels = {}): boolean =>
  Object.keys(selector).length > 0 && Object.entries(selector).every(([key, value]) => labels[key] === value)

// Kubernetes: 1 MiB a ConfigMap; 256 KiB of annotations, into which kubectl apply puts the whole object.
const OBJECT_BYTES = 256 * 1024
const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
// A StatefulSet's name and its revision, 11 characters, make a label of 63.
const SET_NAME = 52
const LABELS = ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/version']
// "Volume Types" of the restricted standard, as far as the chart may come to use them.
const VOLUMES = ['configMap', 'secret', 'emptyDir']

function* ofObjects(objects: readonly KubernetesObject[]): Iterable<string> {
  const seen = new Set<string>()
  const namespaces = new Set(objects.map(({ metadata }) => metadata.namespace))
  if (namespaces.size !== 1) yield 'some are in another namespace'
  for (const object of objects) {
    const { kind, metadata } = object
    const who = `${kind}/${metadata.name}`
    if (seen.has(who)) yield `${who} is there twice`
    seen.add(who)
    if (!NAME.test(metadata.name)) yield `${who} is no name`
    for (const label of LABELS)
      if (metadata.labels?.[label] === undefined) yield `${who} has no label ${label}`
    if (JSON.stringify(object).length > OBJECT_BYTES) yield `${who} is too large to be applied`
  }
}

function* ofContainer(container: Container): Iterable<string> {
  const { image, resources, securityContext: context, ports } = container
  const name = image.slice(image.lastIndexOf('/') + 1)
  if (!/@sha256:[0-9a-f]{64}$/.test(image) && !/:(?!latest$)./.test(name))
    yield `image ${image} may be anything`
  for (const kind of ['cpu', 'memory']) {
    if (resources.requests?.[kind] === undefined) yield `no request of ${kind}`
    if (resources.limits?.[kind] === undefined) yield `no limit of ${kind}`
  }
  if (context.allowPrivilegeEscalation !== false) yield 'may gain privileges'
  if (context.readOnlyRootFilesystem !== true) yield 'may write to its image'
  if (context.privileged === true) yield 'is privileged'
  if (context.capabilities?.drop?.includes('ALL') !== true || (context.capabilities.add ?? []).length > 0)
    yield 'has capabilities'
  for (const kind of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
    const port = container[kind]?.httpGet?.port ?? container[kind]?.tcpSocket?.port
    if (!ports.some((each) => each.name === port)) yield `${kind} asks no port of the container`
  }
  for (const { name: variable, value } of container.env ?? [])
    if (/password|secret|token/i.test(variable) && value !== undefined)
      yield `${variable} is written in the open`
}

function* ofMounts(
  { containers: [container], volumes }: PodSpec,
  claims: readonly string[],
): Iterable<string> {
  const there = [...volumes.map(({ name }) => name), ...claims]
  const paths = container.volumeMounts.map(({ mountPath }) => mountPath)
  if (new Set(there).size < there.length) yield 'two volumes have one name'
  for (const { name, mountPath, readOnly } of container.volumeMounts) {
    if (!there.includes(name)) yield `${mountPath} is of no volume`
    if (readOnly !== true && name !== 'storage') yield `${mountPath} may be written`
    // A folder inside a read-only one cannot be made.
    if (paths.filter((path) => `${mountPath}/`.startsWith(`${path}/`)).length > 1)
      yield `${mountPath} is inside another`
  }
  for (const name of there)
    if (!container.volumeMounts.some((mount) => mount.name === name)) yield `volume ${name} is not mounted`
}

function* ofPod(spec: PodSpec): Iterable<string> {
  const { securityContext: context } = spec
  if (context.runAsNonRoot !== true || context.runAsUser === 0) yield 'may be root'
  if (context.seccompProfile?.type !== 'RuntimeDefault') yield 'has no seccomp profile'
  if (spec.hostNetwork === true || spec.hostPID === true || spec.hostIPC === true)
    yield "shares the node's namespaces"
  if (spec.automountServiceAccountToken) yield "gets a ServiceAccount's token"
  for (const { name, ...volume } of spec.volumes)
    if (!Object.keys(volume).every((kind) => VOLUMES.includes(kind)))
      yield `volume ${name} is of a kind not allowed`
}

function* ofReferences(objects: readonly KubernetesObject[], existing: readonly string[]): Iterable<string> {
  const there = new Set([...objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`), ...existing])
  const needed = new Set<string>()
  for (const { spec } of statefulSets(objects)) {
    const pod = spec.template.spec
    needed.add(`Service/${spec.serviceName}`)
    if (pod.serviceAccountName !== 'default') needed.add(`ServiceAccount/${pod.serviceAccountName}`)
    for (const { name } of pod.imagePullSecrets ?? []) needed.add(`Secret/${name}`)
    for (const { configMap, secret } of pod.volumes) {
      if (configMap !== undefined) needed.add(`ConfigMap/${configMap.name}`)
      if (secret !== undefined) needed.add(`Secret/${secret.secretName}`)
    }
    for (const { valueFrom } of pod.containers[0].env ?? [])
      if (valueFrom !== undefined) needed.add(`Secret/${valueFrom.secretKeyRef.name}`)
  }
  for (const { spec } of allOf('ServiceMonitor', objects))
    for (const { tlsConfig, basicAuth } of spec.endpoints)
      for (const reference of [tlsConfig?.ca.secret, basicAuth?.username, basicAuth?.password])
        if (reference !== undefined) needed.add(`Secret/${reference.name}`)
  for (const name of needed) if (!there.has(name)) yield `${name} is named and not there`
}

function* ofSelectors(objects: readonly KubernetesObject[]): Iterable<string> {
  const sets = statefulSets(objects)
  const chosenBy = (selector: Labels): readonly StatefulSet[] =>
    sets.filter(({ spec }) => matches(selector, spec.template.metadata.labels))
  const services = allOf('Service', objects)
  for (const set of sets) {
    const { spec, metadata } = set
    if (metadata.name.length > SET_NAME) yield `StatefulSet/${metadata.name}: its name is too long`
    const own = chosenBy(spec.selector.matchLabels)
    if (own.length !== 1 || own[0] !== set)
      yield `StatefulSet/${metadata.name} chooses other pods than its own`
    for (const { labelSelector } of spec.template.spec.topologySpreadConstraints ?? [])
      if (chosenBy(labelSelector.matchLabels).length !== 1 || chosenBy(labelSelector.matchLabels)[0] !== set)
        yield `StatefulSet/${metadata.name} is spread by other pods than its own`
    const governing = services.find((service) => service.metadata.name === spec.serviceName)
    if (governing?.spec.clusterIP !== 'None') yield `StatefulSet/${metadata.name}: its Service has an address`
  }
  const ports = new Set(
    sets.flatMap(({ spec }) => spec.template.spec.containers[0].ports.map(({ name }) => name)),
  )
  for (const { spec, metadata } of services) {
    if (chosenBy(spec.selector).length !== sets.length)
      yield `Service/${metadata.name} does not choose all pods`
    for (const { targetPort } of spec.ports)
      if (!ports.has(targetPort)) yield `Service/${metadata.name}: no port ${targetPort}`
  }
  for (const { spec, metadata } of allOf('NetworkPolicy', objects)) {
    if (chosenBy(spec.podSelector.matchLabels).length !== sets.length)
      yield `NetworkPolicy/${metadata.name} does not choose all pods`
    for (const { port } of spec.ingress.flatMap((rule) => rule.ports))
      if (!ports.has(port)) yield `NetworkPolicy/${metadata.name}: no port ${port}`
  }
  const protectedSets = allOf('PodDisruptionBudget', objects).map(({ spec, metadata }) => {
    const chosen = chosenBy(spec.selector.matchLabels)
    return chosen.length === 1 ? (chosen[0]?.metadata.name ?? '') : `${metadata.name} for ${chosen.length}`
  })
  if (protectedSets.length > 0 && protectedSets.join() !== sets.map(({ metadata }) => metadata.name).join())
    yield `not one PodDisruptionBudget for each StatefulSet: ${protectedSets.join()}`
  for (const { spec } of allOf('ServiceMonitor', objects)) {
    const found = services.filter(({ metadata }) => matches(spec.selector.matchLabels, metadata.labels))
    if (found.length !== 1) yield `the ServiceMonitor chooses ${found.length} Services`
    const [service] = found
    if (service?.metadata.namespace !== spec.namespaceSelector.matchNames.join())
      yield 'the ServiceMonitor looks into another namespace'
    for (const { port } of spec.endpoints)
      if (service?.spec.ports.some(({ name }) => name === port) !== true)
        yield `the ServiceMonitor asks port ${port}`
  }
}

/** `existing`: what is there besides, as `Secret/NAME`. */
export function complaints(
  objects: readonly KubernetesObject[],
  existing: readonly string[] = [],
): readonly string[] {
  const perSet = statefulSets(objects).flatMap(({ metadata, spec }) => {
    const pod = spec.template.spec
    const claims = (spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata.name)
    const said = [...ofPod(pod), ...ofContainer(pod.containers[0]), ...ofMounts(pod, claims)]
    return said.map((each) => `StatefulSet/${metadata.name}: ${each}`)
  })
  return [...ofObjects(objects), ...perSet, ...ofReferences(objects, existing), ...ofSelectors(objects)]
}
