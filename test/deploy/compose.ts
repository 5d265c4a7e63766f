// deploy/container/compose.yml as data, with anchors and merges resolved and variables at their defaults.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const ROOT = join(import.meta.dirname, '../..')
export const FOLDER = join(ROOT, 'deploy/container')

export interface Service {
  readonly image: string
  readonly build?: {
    readonly context: string
    readonly dockerfile: string
    readonly args: Readonly<Record<string, string>>
  }
  readonly profiles?: readonly string[]
  readonly command?: readonly string[]
  readonly restart: string
  readonly read_only: boolean
  readonly init?: boolean
  readonly cap_drop: readonly string[]
  readonly cap_add?: readonly string[]
  readonly privileged?: boolean
  readonly security_opt: readonly string[]
  readonly pids_limit: number
  readonly stop_grace_period?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly tmpfs?: readonly string[]
  readonly secrets?: readonly string[]
  readonly ports: readonly string[]
  readonly networks?: { readonly default: { readonly aliases: readonly string[] } }
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: readonly string[] }
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: Readonly<Record<string, unknown>>
}

export const text = readFileSync(join(FOLDER, 'compose.yml'), 'utf8')
export const compose = parse(text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1'), { merge: true }) as Compose

export function serviceOf(name: string): Service {
  const service = compose.services[name]
  if (service === undefined) throw new Error(`there is no service ${name}`)
  return service
}

export interface Mount {
  /** Absolute; of a volume, its name. */
  readonly from: string
  readonly to: string
  readonly readOnly: boolean
  readonly isVolume: boolean
}

export function mountsOf({ volumes = [] }: Service): readonly Mount[] {
  return volumes.map((line) => {
    const [from = '', to = '', mode] = line.split(':')
    const isVolume = !from.startsWith('.')
    return { from: isVolume ? from : join(FOLDER, from), to, readOnly: mode === 'ro', isVolume }
  })
}
