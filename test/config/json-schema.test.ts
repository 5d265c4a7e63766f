import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

import { exampleConfig } from '../../src/config/example.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { estates } from './estate.ts'

type Node = Readonly<Record<string, unknown>>

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isNode,
  array: Array.isArray,
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: Number.isInteger,
}

/** As much of a JSON Schema validator as our schema needs; a keyword that it does not know is an error. */
function isValid(node: Node, value: unknown): boolean {
  return Object.entries(node).every(([keyword, wanted]) => {
    switch (keyword) {
      case 'type':
        return TYPES[String(wanted)]?.(value) ?? false
      case 'properties':
        return Object.entries(wanted as Record<string, Node>).every(
          ([key, node]) => !isNode(value) || !(key in value) || isValid(node, value[key]),
        )
      case 'required':
        return !isNode(value) || (wanted as string[]).every((key) => key in value)
      case 'additionalProperties':
        return (
          !isNode(value) ||
          Object.entries(value).every(([key, value]) => {
            if (isNode(node['properties']) && key in node['properties']) return true
            return isNode(wanted) ? isValid(wanted, value) : wanted === true
          })
        )
      case 'propertyNames':
        return !isNode(value) || Object.keys(value).every((key) => isValid(wanted as Node, key))
      case 'items':
        return !Array.isArray(value) || value.every((item) => isValid(wanted as Node, item))
      case 'minItems':
        return !Array.isArray(value) || value.length >= Number(wanted)
      case 'minLength':
        return typeof value !== 'string' || value.length >= Number(wanted)
      case 'minimum':
        return typeof value !== 'number' || value >= Number(wanted)
      case 'maximum':
        return typeof value !== 'number' || value <= Number(wanted)
      case 'pattern':
        return typeof value !== 'string' || new RegExp(String(wanted), 'u').test(value)
      case 'enum':
        return (wanted as unknown[]).includes(value)
      case 'anyOf':
        return (wanted as Node[]).some((node) => isValid(node, value))
      case 'oneOf':
        return (wanted as Node[]).filter((node) => isValid(node, value)).length === 1
      case '$schema':
      case 'title':
      case 'description':
      case 'default':
        return true
      default:
        throw new Error(`unknown keyword ${keyword}`)
    }
  })
}

function at(...path: readonly string[]): Node {
  let node: unknown = configJsonSchema()
  for (const part of path) node = isNode(node) ? node[part] : undefined
  if (!isNode(node)) throw new Error(`nothing at ${path.join('/')}`)
  return node
}

const HOST = ['properties', 'hosts', 'items']
const CREDENTIAL = ['properties', 'credentials', 'additionalProperties']

describe('the JSON Schema', () => {
  it('is draft 2020-12, has a title and is found by path, not by name', () => {
    const { $schema, $id, title } = configJsonSchema()
    expect({ $schema, $id }).toEqual({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: undefined,
    })
    expect(title).toBe('winkms-exporter configuration')
    expect(JSON.stringify(configJsonSchema())).not.toContain('$ref')
  })

  it('takes the example and every file that loads', () => {
    expect(isValid(configJsonSchema(), parse(exampleConfig))).toBe(true)
    expect(isValid(configJsonSchema(), {})).toBe(true)
    fc.assert(
      fc.property(estates, (estate) => isValid(configJsonSchema(), JSON.parse(JSON.stringify(estate)))),
      { numRuns: 50 },
    )
  })

  for (const name of [
    'key-missing',
    'key-unknown',
    'label-reserved',
    'list-empty',
    'number-out-of-range',
    'password-in-the-file',
    'password-source-not-one',
    'schedule-without-unit',
    'url-bad',
    'value-missing',
    'value-not-among-choices',
    'value-of-the-wrong-kind',
  ]) {
    it(`refuses ${name.replaceAll('-', ' ')}`, () => {
      const file = join(import.meta.dirname, 'bad', `${name}.yml`)
      expect(isValid(configJsonSchema(), parse(readFileSync(file, 'utf8')))).toBe(false)
    })
  }

  it('requires nothing but what has no default', () => {
    expect(configJsonSchema()['required']).toBeUndefined()
    expect(at(...HOST)['required']).toEqual(['name'])
    expect(at(...HOST, 'properties', 'windows')['required']).toEqual(['via', 'url'])
    expect(at('properties', 'domains', 'items')['required']).toEqual(['name'])
    expect(at(...CREDENTIAL)['required']).toEqual(['auth', 'username'])
    expect(at(...CREDENTIAL)['oneOf']).toEqual([
      { required: ['password_file'] },
      { required: ['password_env'] },
    ])
  })

  it('knows the closed sets', () => {
    const sources = at('properties', 'probes', 'properties', 'clock', 'properties', 'sources', 'items')
    expect(sources['enum']).toEqual(['smb2', 'ntp', 'http', 'ntlm'])
    expect(at(...HOST, 'properties', 'windows', 'properties', 'via')['enum']).toEqual(['windows_exporter'])
    expect(at(...CREDENTIAL, 'properties', 'auth')['enum']).toEqual(['basic'])
    expect(at('properties', 'domains', 'items', 'properties', 'unexpected')).toMatchObject({
      enum: ['error', 'ignore'],
      default: 'error',
    })
  })

  it('shows defaults as they are written, with their units', () => {
    const probes = ['properties', 'probes', 'properties']
    expect(at(...probes, 'port', 'properties', 'schedule')).toMatchObject({ type: 'string', default: '15s' })
    expect(at(...probes, 'service', 'properties', 'timeout')).toMatchObject({
      type: 'string',
      default: '10s',
    })
    expect(at(...probes, 'clock', 'properties', 'sources')['default']).toEqual([
      'smb2',
      'ntp',
      'http',
      'ntlm',
    ])
    expect(at(...HOST, 'properties', 'port')).toMatchObject({
      type: 'integer',
      minimum: 1,
      maximum: 65535,
      default: 1688,
    })
    expect(at('properties', 'limits', 'properties', 'discovered_hosts')['default']).toBe(100)
    expect(at('properties', 'discovery', 'properties', 'from_srv')['default']).toBe(true)
  })

  it('describes every key', () => {
    const bare: string[] = []
    const walk = (node: unknown, path: string): void => {
      if (Array.isArray(node)) for (const item of node) walk(item, path)
      if (!isNode(node)) return
      const properties = isNode(node['properties']) ? node['properties'] : {}
      for (const [key, child] of Object.entries(properties)) {
        if (isNode(child) && child['description'] === undefined) bare.push(`${path}.${key}`)
        walk(child, `${path}.${key}`)
      }
      for (const key of ['items', 'additionalProperties', 'anyOf']) walk(node[key], path)
    }
    walk(configJsonSchema(), '')
    expect(bare).toEqual([])
  })
})
