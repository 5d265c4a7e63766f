// Kubernetes' and the Prometheus Operator's own schemas, twice over: as validators of values, which know types, patterns and
// what is required, but pass over a key that nobody knows; and as TypeScript's types, which refuse such a key.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor'
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule'
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap'
import { Service } from 'kubernetes-models/v1/Service'
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount'
import type { KubernetesObject } from './render.ts'

const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url))

type Model = new (data: never) => { validate(): void }
/** Where the type `I${kind}` is. */
const MODELS: Readonly<Record<string, readonly [apiVersion: string, module: string, Model]>> = {
  ConfigMap: ['v1', 'kubernetes-models/v1', ConfigMap],
  Service: ['v1', 'kubernetes-models/v1', Service],
  ServiceAccount: ['v1', 'kubernetes-models/v1', ServiceAccount],
  StatefulSet: ['apps/v1', 'kubernetes-models/apps/v1', StatefulSet],
  PodDisruptionBudget: ['policy/v1', 'kubernetes-models/policy/v1', PodDisruptionBudget],
  NetworkPolicy: ['networking.k8s.io/v1', 'kubernetes-models/networking.k8s.io/v1', NetworkPolicy],
  ServiceMonitor: [
    'monitoring.coreos.com/v1',
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
    ServiceMonitor,
  ],
  PrometheusRule: [
    'monitoring.coreos.com/v1',
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
    PrometheusRule,
  ],
}

const nameOf = ({ kind, metadata }: KubernetesObject): string => `${kind}/${metadata.name}`

/** What is wrong with types, patterns and what is required. */
export function wrongValues(objects: readonly KubernetesObject[]): readonly string[] {
  return objects.flatMap((object) => {
    const [apiVersion, , Model] = MODELS[object.kind] ?? []
    if (Model === undefined || apiVersion !== object.apiVersion)
      return [`${nameOf(object)}: no schema of ${object.apiVersion}`]
    try {
      new Model(object as never).validate()
      return []
    } catch (error) {
      return [`${nameOf(object)}: ${(error as Error).message}`]
    }
  })
}

/** What TypeScript says of the objects as literals: a key that is not in a type is an error in one. */
export async function wrongKeys(objects: readonly KubernetesObject[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'winkms-types-'))
  try {
    symlinkSync(MODULES, join(folder, 'node_modules'))
    const options = {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: [],
      module: 'nodenext',
      target: 'es2022',
    }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['objects.ts'] }),
    )
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const lines = objects.map((object, index) => {
      const module = MODELS[object.kind]?.[1] ?? 'no-schema'
      // A file's content tells its type nothing.
      const brief = object.kind === 'ConfigMap' ? { ...object, data: { file: 'content' } } : object
      return `export const o${index}: import('${module}/${object.kind}').I${object.kind} = ${JSON.stringify(brief)}`
    })
    writeFileSync(join(folder, 'objects.ts'), `${lines.join('\n')}\n`)
    const tsc = join(MODULES, 'typescript/bin/tsc')
    await promisify(execFile)(process.execPath, [tsc, '--pretty', 'false'], { cwd: folder, timeout: 60_000 })
    return []
  } catch (error) {
    const said = (error as { stdout?: string }).stdout ?? ''
    if (said === '') throw error
    return said.split('\n').flatMap((line) => {
      const [, number, message] = /^objects\.ts\((\d+),\d+\): error TS\d+: (.*)$/.exec(line) ?? []
      if (number === undefined) return /^\S/.test(line) ? [line] : []
      const object = objects[Number(number) - 1]
      return [`${object === undefined ? '?' : nameOf(object)}: ${message}`]
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
