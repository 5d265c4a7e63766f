// Nothing that changes a host: what is sent over WS-Management is one of a closed list, and no name of a method that
// changes anything stands in the code that talks to hosts.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** The lab plays hosts, and so knows what hosts are asked; the code that asks is the rest. */
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('lab/'))
  .toSorted()

/** Without comments. Comments may name what is not done. */
function codeOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(^|\s)\/\/.*$/gm, '')
}

function filesWith(pattern: RegExp, among: readonly string[] = files): readonly string[] {
  return among.filter((file) => pattern.test(codeOf(file)))
}

/** Methods of SoftwareLicensingService and SoftwareLicensingProduct (sppwmi), all of which change a machine or talk to Microsoft. */
const LICENSING = [
  /\b(?:Install|Uninstall)(?:ProductKey|License|LicensePackage)\b/,
  /\b(?:Set|Clear|Enable|Disable)(?:KeyManagementService|VLActivation|VLRenewal|TokenActivation)\w+/,
  /\bClearProductKeyFromRegistry\b/,
  /\bReArm(?:Windows|App|Sku)\b/,
  /\bRefreshLicenseStatus\b/,
  /\b(?:Deposit|Generate|Acquire|Do)(?:OfflineConfirmationId|TokenActivation|ActiveDirectory|GenuineTicket)\w*/,
  // The name alone, as a method is named: 'Activate', /Activate, .Activate(, Activate_INPUT.
  /['"`/.]Activate(?:['"`(]|_INPUT)/,
]

const REGISTRY = [
  /\bSet(?:DWORD|QWORD|String|ExpandedString|MultiString|Binary)Value\b/,
  /\b(?:CreateKey|DeleteKey|DeleteValue|SetSecurityDescriptor)\b/,
]

const SERVICES = [
  /['"`/.](?:StartService|StopService|PauseService|ResumeService|ChangeStartMode)\b/,
  /\bClearEventLog\b/,
]

/** Of WS-Transfer, WS-Eventing and Windows' remote shell. */
const WSMAN = [/\/09\/transfer\b/, /\/08\/eventing\b/, /\/1\/windows\/shell\b/]

const POWERSHELL = [
  /\bInvoke-(?:CimMethod|WmiMethod|WebRequest|Expression|Command)\b/,
  /\b(?!New-Object)(?:Set|New|Remove|Clear|Start|Stop|Restart|Register|Enable|Disable)-[A-Z]\w+/,
  /\bslmgr\b/i,
]

describe('the code that talks to hosts', () => {
  it.each([...LICENSING, ...REGISTRY, ...WSMAN])('has nowhere %s', (pattern) => {
    expect(filesWith(pattern)).toEqual([])
  })

  it.each([...SERVICES, ...POWERSHELL])('has %s at most in words of advice', (pattern) => {
    const talking = files.filter((file) => /^(?:protocol|io|probes)\//.test(file))
    expect(filesWith(pattern, talking)).toEqual([])
  })

  it('finds what it looks for', () => {
    const samples = [
      'InstallProductKey',
      'SetKeyManagementServicePort',
      'ClearProductKeyFromRegistry',
      'ReArmWindows',
      'RefreshLicenseStatus',
      'DepositOfflineConfirmationId',
      "method: 'Activate'",
      'SetDWORDValue',
      'DeleteKey',
      "'StopService'",
      'ClearEventLog',
      'http://schemas.xmlsoap.org/ws/2004/09/transfer/Put',
      'http://schemas.xmlsoap.org/ws/2004/08/eventing/Subscribe',
      'http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Command',
      'Invoke-CimMethod',
      'Restart-Service',
      'slmgr',
    ]
    const patterns = [...LICENSING, ...REGISTRY, ...SERVICES, ...WSMAN, ...POWERSHELL]
    expect(samples.map((sample) => patterns.filter((pattern) => pattern.test(sample)).length)).toEqual(
      samples.map(() => 1),
    )
    expect(patterns.filter((pattern) => !samples.some((sample) => pattern.test(sample)))).toEqual([])
  })
})

describe('WS-Management', () => {
  it('is written in one file, whose messages are these', () => {
    // Where XML namespaces of its messages are, messages are made.
    expect(filesWith(/schemas\.xmlsoap\.org|wbem\/wsman\/1\/wmi\b/)).toEqual(['protocol/wsman.ts'])
    const code = codeOf('protocol/wsman.ts')
    const exported = [...code.matchAll(/^export function (encode\w+)/gm)].map(([, name]) => name)
    expect(new Set(exported)).toEqual(
      new Set(['encodeEnumerate', 'encodeIdentify', 'encodePull', 'encodeRegistryGet', 'encodeRelease']),
    )
    const actions = [...code.matchAll(/\$\{NAMESPACES\.n\}\/(\w+)/g)].map(([, name]) => name)
    expect(new Set(actions)).toEqual(new Set(['Enumerate', 'Pull', 'Release']))
    const methods = [...code.matchAll(/method: '(\w+)'/g)].map(([, name]) => name)
    expect(new Set(methods)).toEqual(new Set(['GetStringValue', 'GetMultiStringValue', 'GetDWORDValue']))
    // The action is the second that an envelope is given, and there are no others.
    expect([...code.matchAll(/\benvelope\(addressing, \w+, (.+?), /g)].map(([, action]) => action)).toEqual([
      '`${NAMESPACES.n}/Enumerate`',
      '`${NAMESPACES.n}/Pull`',
      '`${NAMESPACES.n}/Release`',
      '`${REGISTRY}/${method}`',
    ])
    expect([...code.matchAll(/\benvelope\(/g)]).toHaveLength(5)
  })

  it('selects and nothing else: the only statement of WQL that is ever written', () => {
    expect(codeOf('protocol/wql.ts')).toContain('`SELECT ${')
    expect(filesWith(/\b(?:ASSOCIATORS|REFERENCES) OF\b|\bSELECT \* FROM\b/)).toEqual([])
    expect(filesWith(/[`'"]SELECT /)).toEqual(['protocol/wql.ts'])
  })
})
