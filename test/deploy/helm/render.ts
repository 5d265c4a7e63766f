// The chart as Helm renders it, for values.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseAllDocuments } from 'yaml'
import { helmProgram, type Major } from './programs.ts'

export const CHART = fileURLToPath(new URL('../../../deploy/helm/winkms-exporter', import.meta.url))
export const NAMESPACE = 'monitoring'

export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly [key: string]: unknown
}

export type Values = Readonly<Record<string, unknown>>

/** Helm's own environment is kept apart from that of whoever runs the tests. */
export async function helm(
  major: Major,
  args: readonly string[],
): Promise<{ stdout: string; stderr: string }> {
  const home = mkdtempSync(join(tmpdir(), 'winkms-helm-home-'))
  try {
    return await promisify(execFile)(helmProgram(major), args, {
      env: { HOME: home, PATH: process.env['PATH'] },
      maxBuffer: 64 << 20,
      timeout: 30_000,
    })
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** Rejects with what Helm says against the values. */
export async function renderText(values: Values, major: Major = 4, chart = CHART): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'winkms-values-'))
  try {
    const file = join(folder, 'values.json')
    writeFileSync(file, JSON.stringify(values))
    const { stdout } = await helm(major, [
      'template',
      'kms',
      chart,
      '--namespace',
      NAMESPACE,
      '--values',
      file,
    ])
    return stdout
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export function objectsOf(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(document.errors.map(String).join('\n'))
    const value = document.toJS() as KubernetesObject | null
    return value === null ? [] : [value]
  })
}

export async function render(values: Values, major: Major = 4): Promise<readonly KubernetesObject[]> {
  return objectsOf(await renderText(values, major))
}
