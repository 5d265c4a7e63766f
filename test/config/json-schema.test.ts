import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'

import { exampleConfig } from '../../src/config/example.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { parseConfig } from '../../src/config/load.ts'
import { CLIENT_OSES } from '../../src/kms/client-os.ts'
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
function isValid(node: Node | boolean, value: unknown): boolean {
  if (typeof node === 'boolean') return node
  return Object.entries(node).every(([keyword, wanted]) => {
    switch (keyword) {
      case 'type':
        return TYPES[String(wanted)]?.(value) ?? false
      case 'properties':
        return Object.entries(wanted as Record<string, Node | boolean>).every(
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
      case 'const':
        return value === wanted
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
    'key-of-another-way',
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

  for (const [why, windows] of [
    ['windows_exporter without url', { via: 'windows_exporter' }],
    ['windows_exporter with registry', { via: 'windows_exporter', url: 'http://a.b/', registry: true }],
    ['winrm without credentials', { via: 'winrm', url: 'https://a.b/wsman' }],
    ['local with url', { via: 'local', url: 'https://a.b/wsman' }],
    ['no via', { url: 'https://a.b/wsman' }],
  ] as const) {
    it(`refuses windows: ${why}`, () => {
      expect(isValid(configJsonSchema(), { hosts: [{ name: 'a.b', windows }] })).toBe(false)
    })
  }

  for (const [why, logon, valid] of [
    ['basic with a password', { auth: 'basic', username: 'u', password_file: 'f' }, true],
    ['ntlm with a password', { auth: 'ntlm', username: 'u', password_env: 'E' }, true],
    [
      'ntlm with two passwords',
      { auth: 'ntlm', username: 'u', password_env: 'E', password_file: 'f' },
      false,
    ],
    ['ntlm without a password', { auth: 'ntlm', username: 'u' }, false],
    ['basic without a name', { auth: 'basic', password_file: 'f' }, false],
    ['kerberos alone', { auth: 'kerberos' }, true],
    ['kerberos with a keytab', { auth: 'kerberos', username: 'u', keytab_file: 'f' }, true],
    ['kerberos with a password', { auth: 'kerberos', username: 'u', password_file: 'f' }, false],
    ['certificate with its key', { auth: 'certificate', certificate_file: 'c', key_file: 'k' }, true],
    ['certificate without its key', { auth: 'certificate', certificate_file: 'c' }, false],
    [
      'certificate with a name',
      { auth: 'certificate', certificate_file: 'c', key_file: 'k', username: 'u' },
      false,
    ],
  ] as const) {
    it(`${valid ? 'takes' : 'refuses'} ${why}`, () => {
      expect(isValid(configJsonSchema(), { credentials: { a: logon } })).toBe(valid)
    })
  }

  it('agrees with loading about which keys go together', () => {
    const WRONG = /means nothing to (via|auth) |^has (no|neither) |besides password_file/
    const some = (all: Node) => fc.subarray(Object.entries(all)).map((entries) => Object.fromEntries(entries))
    const ways = some({
      url: 'https://a.b/',
      credentials: 'a',
      allow_unencrypted: false,
      registry: true,
      tls: {},
    })
    const logons = some({
      username: 'u',
      password_file: 'f',
      password_env: 'E',
      cache_file: 'f',
      certificate_file: 'f',
      key_file: 'f',
    })
    const via = fc.constantFrom('windows_exporter', 'winrm', 'local')
    const auth = fc.constantFrom('basic', 'ntlm', 'kerberos', 'certificate')
    const agrees = (file: unknown): void => {
      const { problems } = parseConfig(stringify(file), { file: 'winkms.yml', checkCron: () => undefined })
      const wrong = problems.filter(({ message }) => WRONG.test(message)).map(({ message }) => message)
      expect(isValid(configJsonSchema(), file), wrong.join('; ')).toBe(wrong.length === 0)
    }
    fc.assert(
      fc.property(via, ways, auth, logons, (via, way, auth, logon) => {
        agrees({ hosts: [{ name: 'a.b', windows: { via, ...way } }] })
        agrees({ credentials: { a: { auth, ...logon } } })
      }),
      { numRuns: 200 },
    )
  })

  it('requires nothing but what has no default', () => {
    expect(configJsonSchema()['required']).toBeUndefined()
    expect(at(...HOST)['required']).toEqual(['name'])
    expect(at(...HOST, 'properties', 'windows')['required']).toEqual(['via'])
    expect(at('properties', 'domains', 'items')['required']).toEqual(['name'])
    expect(at(...CREDENTIAL)['required']).toEqual(['auth'])
    expect(at('properties', 'clients', 'items')['required']).toEqual(['name', 'windows'])
  })

  it('knows the closed sets', () => {
    const sources = at('properties', 'probes', 'properties', 'clock', 'properties', 'sources', 'items')
    expect(sources['enum']).toEqual(['smb2', 'ntp', 'http', 'ntlm', 'cim'])
    expect(at(...HOST, 'properties', 'windows', 'properties', 'via')['enum']).toEqual([
      'windows_exporter',
      'winrm',
      'local',
    ])
    expect(
      at('properties', 'clients', 'items', 'properties', 'windows', 'properties', 'via')['enum'],
    ).toEqual(['winrm', 'local'])
    expect(at(...CREDENTIAL, 'properties', 'auth')['enum']).toEqual([
      'basic',
      'ntlm',
      'kerberos',
      'certificate',
    ])
    expect(at(...HOST, 'properties', 'serves', 'items')['enum']).toEqual(CLIENT_OSES)
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
      'cim',
    ])
    expect(at(...probes, 'activity', 'properties', 'first_read')['default']).toBe('30d')
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
