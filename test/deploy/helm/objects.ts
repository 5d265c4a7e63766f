// The shapes of what the chart makes, as far as the tests look at them.
import type { KubernetesObject } from './render.ts'

export type Labels = Readonly<Record<string, string>>
interface Selector {
  readonly matchLabels: Labels
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string; readonly scheme: 'HTTP' | 'HTTPS' }
  readonly tcpSocket?: { readonly port: string }
}

interface Reference {
  readonly name: string
  readonly key?: string
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args: readonly string[]
  readonly env?: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: { readonly secretKeyRef: Required<Reference> }
  }[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly resources: Readonly<Record<'requests' | 'limits', Readonly<Record<string, string>>>>
  readonly securityContext: {
    readonly allowPrivilegeEscalation?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] }
    readonly privileged?: boolean
  }
  readonly volumeMounts: readonly {
    readonly name: string
    readonly mountPath: string
    readonly readOnly?: boolean
  }[]
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
}

export interface Volume {
  readonly name: string
  readonly configMap?: { readonly name: string }
  readonly secret?: { readonly secretName: string }
  readonly emptyDir?: object
}

export interface PodSpec {
  readonly serviceAccountName: string
  readonly automountServiceAccountToken: boolean
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostIPC?: boolean
  readonly securityContext: {
    readonly runAsNonRoot?: boolean
    readonly runAsUser?: number
    readonly seccompProfile?: { readonly type: string }
  }
  readonly imagePullSecrets?: readonly Reference[]
  readonly containers: readonly [Container]
  readonly volumes: readonly Volume[]
  readonly topologySpreadConstraints?: readonly { readonly labelSelector: Selector }[]
}

export interface StatefulSet extends KubernetesObject {
  readonly spec: {
    readonly serviceName: string
    readonly replicas: number
    readonly selector: Selector
    readonly template: {
      readonly metadata: { readonly labels: Labels; readonly annotations: Labels }
      readonly spec: PodSpec
    }
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
  }
}

interface Service extends KubernetesObject {
  readonly spec: {
    readonly selector: Labels
    readonly clusterIP?: string
    readonly ports: readonly { readonly name: string; readonly targetPort: string }[]
  }
}

interface ServiceMonitor extends KubernetesObject {
  readonly spec: {
    readonly selector: Selector
    readonly namespaceSelector: { readonly matchNames: readonly string[] }
    readonly endpoints: readonly {
      readonly port: string
      readonly scheme: string
      readonly path: string
      readonly tlsConfig?: { readonly ca: { readonly secret: Reference } }
      readonly basicAuth?: Readonly<Record<'username' | 'password', Reference>>
    }[]
  }
}

interface Budget extends KubernetesObject {
  readonly spec: { readonly selector: Selector }
}

interface Policy extends KubernetesObject {
  readonly spec: {
    readonly podSelector: Selector
    readonly ingress: readonly { readonly ports: readonly { readonly port: string }[] }[]
    readonly egress: readonly {
      readonly ports: readonly { readonly protocol: string; readonly port: number }[]
    }[]
  }
}

interface Kinds {
  readonly StatefulSet: StatefulSet
  readonly Service: Service
  readonly ServiceMonitor: ServiceMonitor
  readonly PodDisruptionBudget: Budget
  readonly NetworkPolicy: Policy
}

export function allOf<Kind extends keyof Kinds>(
  kind: Kind,
  objects: readonly KubernetesObject[],
): readonly Kinds[Kind][] {
  return objects.filter(
    (object) => object.kind === kind,
  ) as readonly KubernetesObject[] as readonly Kinds[Kind][]
}

export const statefulSets = (objects: readonly KubernetesObject[]): readonly StatefulSet[] =>
  allOf('StatefulSet', objects)
