// The Windows service: WinSW's file against WinSW's documents and our own flags, and the script that installs it, as far as
// that can be told without Windows and without PowerShell. Neither has run on Windows.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { XMLParser } from 'fast-xml-parser'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse as parseFlags } from '../../src/commands/options.ts'
import { serveCommand } from '../../src/commands/serve.ts'
import { loadGrammar, nodesOf, type Node } from './powershell-tree.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const XML = textOf('deploy/windows/winkms-exporter.xml')
const SCRIPT = textOf('deploy/windows/Install-WinkmsExporter.ps1')

/** What doc/xmlConfigFile.md of WinSW 2 and docs/xml-config-file.md of WinSW 3 both know, and both name alike. */
const KNOWN = [
  'id',
  'name',
  'description',
  'executable',
  'argument',
  'startmode',
  'delayedAutoStart',
  'depend',
  'logpath',
  'log',
  'stoptimeout',
  'env',
  'onfailure',
  'resetfailure',
  'workingdirectory',
  'priority',
]
const DURATION = /^\d+ (?:sec|secs|min|mins|hour|hours|day|days)$/
const SECONDS: Readonly<Record<string, number>> = { sec: 1, min: 60, hour: 3600, day: 86_400 }
const secondsOf = (text: string): number => {
  const [count, unit = ''] = text.split(' ')
  return Number(count) * (SECONDS[unit.replace(/s$/, '')] ?? Number.NaN)
}

interface Service {
  readonly id: string
  readonly executable: string
  readonly argument: readonly string[]
  readonly startmode: string
  readonly stoptimeout: string
  readonly resetfailure: string
  readonly logpath: string
  readonly workingdirectory: string
  readonly log: { readonly mode: string; readonly sizeThreshold: string; readonly keepFiles: string }
  readonly onfailure: readonly { readonly action: string; readonly delay: string }[]
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  isArray: (name) => name === 'argument' || name === 'onfailure',
})
const { service } = parser.parse(XML, true) as { readonly service: Service }
const expand = (text: string): string =>
  text
    .replaceAll('%BASE%', String.raw`C:\Program Files\winkms-exporter`)
    .replaceAll('%ProgramData%', String.raw`C:\ProgramData`)
    .replaceAll('%ProgramFiles%', String.raw`C:\Program Files`)

describe('the file for WinSW', () => {
  it('has only elements that WinSW knows, in version 2 as in 3', () => {
    expect(Object.keys(service).filter((key) => !KNOWN.includes(key))).toEqual([])
    expect(service.id).toMatch(/^[A-Za-z0-9]+$/)
    expect(['Automatic', 'Manual']).toContain(service.startmode)
    expect(service.log).toEqual({ mode: 'roll-by-size', sizeThreshold: '10240', keepFiles: '8' })
  })

  it('starts the bundle, with flags that the exporter takes', () => {
    const [entrance = '', ...flags] = service.argument.map(expand)
    expect(entrance).toBe(String.raw`C:\Program Files\winkms-exporter\dist\main.js`)
    const args = parseFlags(serveCommand, flags)
    expect(args.positionals).toEqual([])
    expect(args.text('config.file')).toBe(String.raw`C:\ProgramData\winkms-exporter\winkms.yml`)
    expect(args.text('storage.path')).toBe(String.raw`C:\ProgramData\winkms-exporter\data`)
    expect(flags.join()).not.toContain('%')
    // WinSW puts quotes where they are needed.
    expect(XML).not.toMatch(/<argument>[^<]*"/)
  })

  it('gives the exporter the time to stop that it takes', () => {
    const [, most] = /^const STOP_SECONDS = (\d+)$/m.exec(textOf('src/commands/life.ts')) ?? []
    expect(service.stoptimeout).toMatch(DURATION)
    expect(secondsOf(service.stoptimeout)).toBeGreaterThan(Number(most))
  })

  it('has it restarted, as the script does', () => {
    for (const { action, delay } of service.onfailure) {
      expect(action).toBe('restart')
      expect(delay).toMatch(DURATION)
    }
    const actions = service.onfailure.map(({ delay }) => `restart/${secondsOf(delay) * 1000}`).join('/')
    expect(SCRIPT).toContain(`'reset=', '${secondsOf(service.resetfailure)}', 'actions=', '${actions}'`)
  })

  it('holds no account and no password', () => {
    expect(XML).not.toMatch(/serviceaccount|password/i)
  })

  it('is about the folders and the name that the script is about', () => {
    expect(SCRIPT).toContain(`$id = '${service.id}'`)
    expect(SCRIPT).toContain("Join-Path $env:ProgramData 'winkms-exporter'")
    for (const folder of ['data', 'logs']) expect(SCRIPT).toContain(`(Join-Path $data '${folder}')`)
    expect(service.logpath).toBe(String.raw`%ProgramData%\winkms-exporter\logs`)
    expect(service.workingdirectory).toBe(String.raw`%ProgramData%\winkms-exporter`)
    expect(XML).toContain(`NT SERVICE\\${service.id}`)
  })
})

/** In Windows PowerShell 5.1 and in PowerShell 7 alike. */
const CMDLETS = new Set(
  `Copy-Item Get-Acl Get-FileHash Get-Item Get-NetFirewallRule Get-Service Join-Path Move-Item New-Item
   New-NetFirewallRule New-Object New-Service Out-Host Read-Host Remove-Item Remove-NetFirewallRule Set-Acl Set-StrictMode
   Start-Service Start-Sleep Stop-Service Test-Path Write-Host`.split(/\s+/),
)
const CHANGING =
  /^(?:Copy-Item|Move-Item|New-Item|New-NetFirewallRule|New-Service|Remove-Item|Remove-NetFirewallRule|Set-Acl|Start-Service|Stop-Service)$/
/** Only called once whoever calls has asked. */
const ASKED_BY_CALLER = new Set(['Switch-Program', 'Write-Text', 'Test-Configuration'])
const AUTOMATIC = new Set(
  `true false null _ Matches LASTEXITCODE PSCmdlet PSScriptRoot ErrorActionPreference`.split(' '),
)

describe('the script that installs', () => {
  let root: Node
  beforeAll(async () => {
    root = (await loadGrammar())(SCRIPT)
  })

  const functionsOf = (): ReadonlyMap<string, Node> =>
    new Map(
      nodesOf(root, 'function_statement').map((node) => [
        nodesOf(node, 'function_name')[0]?.text ?? '',
        node,
      ]),
    )
  const parametersOf = (node: Node): readonly string[] =>
    nodesOf(node, 'script_parameter').map((each) => nodesOf(each, 'variable').at(-1)?.text.slice(1) ?? '')

  it('calls only what both editions have, and its own functions by parameters that they have', () => {
    const functions = functionsOf()
    expect(functions.size).toBeGreaterThan(15)
    const wrong: string[] = []
    const called = new Set<string>()
    for (const command of nodesOf(root, 'command')) {
      const name = nodesOf(command, 'command_name')[0]?.text
      // `& program`.
      if (name === undefined || command.text.startsWith('&')) continue
      called.add(name)
      const own = functions.get(name)
      if (own === undefined) {
        if (!CMDLETS.has(name)) wrong.push(name)
        continue
      }
      // Its own, not those of calls within its arguments.
      const elements = command.children.find(({ type }) => type === 'command_elements')
      const given = (elements?.children ?? []).filter(({ type }) => type === 'command_parameter')
      for (const { text } of given)
        if (!parametersOf(own).includes(text.slice(1))) wrong.push(`${name} ${text}`)
    }
    expect(wrong).toEqual([])
    expect([...functions.keys()].filter((name) => !called.has(name))).toEqual([])
  })

  it('reads no variable that nothing sets, which would end it under Set-StrictMode', () => {
    const code = SCRIPT.replaceAll(/<#[^]*?#>|^\s*#.*$/gm, '')
    const set = new Set(
      [
        ...code.matchAll(/\$(\w+)\s*\+?=(?!=)/g),
        ...code.matchAll(/foreach \(\$(\w+) in/g),
        ...code.matchAll(/for \(\$(\w+) =/g),
      ].map(([, name = '']) => name.toLowerCase()),
    )
    const parameters = nodesOf(root, 'script_parameter').flatMap((node) =>
      nodesOf(node, 'variable').map(({ text }) => text.slice(1).toLowerCase()),
    )
    const automatic = [...AUTOMATIC].map((name) => name.toLowerCase())
    const known = new Set([...set, ...parameters, ...automatic])
    const read = [...code.matchAll(/[$@](\w+)\b(?!:)/g)].map(([, name = '']) => name.toLowerCase())
    expect(read.length).toBeGreaterThan(150)
    expect([...new Set(read)].filter((name) => !known.has(name))).toEqual([])
  })

  it('asks before each change, so that -WhatIf changes nothing', () => {
    for (const [name, node] of functionsOf()) {
      if (ASKED_BY_CALLER.has(name)) continue
      const { text } = node
      const asked = text.indexOf('$PSCmdlet.ShouldProcess(')
      const own = nodesOf(node, 'command').filter((command) =>
        CHANGING.test(nodesOf(command, 'command_name')[0]?.text ?? ''),
      )
      const sc = /Invoke-ServiceControl -Arguments @\('(?!showsid)/.exec(text)?.index
      const firsts = [...own.map((command) => text.indexOf(command.text)), ...(sc === undefined ? [] : [sc])]
      for (const at of firsts) {
        expect(asked, name).toBeGreaterThan(-1)
        expect(at, name).toBeGreaterThan(asked)
      }
    }
    const callers = [...functionsOf().values()].filter(({ text }) =>
      /(?:Switch-Program|Write-Text|Test-Configuration) -/.test(text),
    )
    for (const { text } of callers) expect(text).toContain('$PSCmdlet.ShouldProcess(')
  })

  it.each([
    ['operators that 5.1 does not know', /\?\?|\?\.|\s&&\s|\s\|\|\s|\)\s\?\s/],
    [
      'an empty argument, or one with quotes in it, for a program: 5.1 loses them',
      /Arguments @\([^)]*(?:''|`")/,
    ],
    ['2> of a program, which ends the script in 5.1', /2>/],
    ['an encoding that the editions understand differently', /-Encoding|Set-Content|Out-File|Add-Content/],
    ['a password on a command line or in the log', /AsPlainText|password=|Write-\w+ .*\$typed/i],
    ['a download', /Invoke-WebRequest|Invoke-RestMethod|DownloadFile|https?:/i],
    ['a rule for everybody', /RemoteAddress Any|-Profile Any/i],
    ['an account with more rights', /LocalSystem|NetworkService|-Credential/],
  ])('has no %s', (_what, trap) => {
    expect(SCRIPT.replaceAll(/<#[^]*?#>|^\s*#.*$/gm, '')).not.toMatch(trap)
  })

  it('takes an address or a network from which to let Prometheus in, and nothing wider', () => {
    const [, pattern = ''] = /ValidatePattern\('([^']+)'\)\]\s+\[string\[\]\]\$AllowFrom/.exec(SCRIPT) ?? []
    const allow = new RegExp(pattern, 'i')
    for (const good of ['192.0.2.20', '192.0.2.0/24', '2001:db8::/64', '192.0.2.1-192.0.2.9'])
      expect(good).toMatch(allow)
    for (const bad of ['Any', 'LocalSubnet', 'Internet', '*', '']) expect(bad).not.toMatch(allow)
  })

  it('takes the listen addresses that the exporter takes', () => {
    const [, pattern = ''] = /ValidatePattern\('([^']+)'\)\]\s+\[string\]\$ListenAddress/.exec(SCRIPT) ?? []
    const listen = new RegExp(pattern, 'i')
    for (const good of [':11688', '127.0.0.1:11688', '[::1]:11688', 'localhost:1'])
      expect(good).toMatch(listen)
    for (const bad of ['11688', '::1:11688', 'a b:1', ':']) expect(bad).not.toMatch(listen)
  })

  it('is told of in the documents, each parameter of it, and they name no other', () => {
    const guide = textOf('docs/install/windows.md')
    const block = root.children.flatMap((node) => nodesOf(node, 'param_block'))[0]
    const parameters = block === undefined ? [] : parametersOf(block)
    expect(parameters.length).toBeGreaterThan(8)
    const documented = [...SCRIPT.matchAll(/^\.PARAMETER (\w+)$/gm)].map(([, name = '']) => name)
    expect(documented.toSorted()).toEqual([...parameters].toSorted())
    expect(parameters.filter((name) => !guide.includes(`-${name}`))).toEqual([])
    const calls = guide.split('\n').filter((line) => line.includes('Install-WinkmsExporter.ps1'))
    const used = calls.flatMap((line) => [...line.matchAll(/ -([A-Z]\w+)/g)].map(([, name = '']) => name))
    expect(used.filter((name) => name !== 'WhatIf' && !parameters.includes(name))).toEqual([])
  })
})

describe('the guide', () => {
  it('names files that there are', () => {
    const guide = textOf('docs/install/windows.md')
    const links = [...guide.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path)
    expect(links.length).toBeGreaterThan(1)
    expect(links.filter((path) => !existsSync(join(ROOT, 'docs/install', path)))).toEqual([])
  })

  it('gives only flags that the exporter has', () => {
    const guide = textOf('docs/install/windows.md')
    const flags = [...guide.matchAll(/--([a-z]+(?:[.-][a-z-]+)*)/g)].map(([, flag = '']) => flag)
    const unknown = flags.filter(
      (flag) => !(flag in serveCommand.flags) && !['version', 'json'].includes(flag),
    )
    expect([...new Set(unknown)]).toEqual([])
  })
})
