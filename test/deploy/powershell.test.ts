// Every PowerShell script that we ship parses, by the grammar that editors use. There is no PowerShell here to run them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { QUERY_SCRIPT, REGISTRY_SCRIPT } from '../../src/io/windows/powershell.ts'
import { faultsOf, loadGrammar, type Node } from './powershell-tree.ts'

const FOLDER = fileURLToPath(new URL('../../deploy/windows', import.meta.url))

const shipped: Readonly<Record<string, string>> = {
  'local mode, query': QUERY_SCRIPT,
  'local mode, registry': REGISTRY_SCRIPT,
  ...Object.fromEntries(
    readdirSync(FOLDER)
      .filter((name) => name.endsWith('.ps1'))
      .map((name) => [name, readFileSync(join(FOLDER, name), 'utf8')]),
  ),
}

let parse: (text: string) => Node
beforeAll(async () => {
  parse = await loadGrammar()
})

describe('PowerShell that we ship', () => {
  it('is there', () => {
    expect(Object.keys(shipped)).toEqual(
      expect.arrayContaining(['Grant-KmsReader.ps1', 'Test-KmsReader.ps1', 'local mode, query']),
    )
  })

  it.each(Object.entries(shipped))('%s parses', (_name, text) => {
    expect(faultsOf(parse(text))).toEqual([])
  })

  it('would not pass if it did not parse', () => {
    expect(faultsOf(parse('if ($x { Get-Item }'))).not.toEqual([])
    expect(faultsOf(parse(`${QUERY_SCRIPT}\n}`))).not.toEqual([])
  })

  it.each(Object.entries(shipped))('%s is ASCII, which every code page reads alike', (_name, text) => {
    expect(text).toMatch(/^[\t\r\n\x20-\x7e]*$/)
  })

  it.each(Object.entries(shipped))('%s calls no method that changes licensing', (_name, text) => {
    expect(text).not.toMatch(
      /\b(Activate|InstallProductKey|InstallLicense|UninstallProductKey|ReArm\w*|RefreshLicenseStatus|(Set|Clear)KeyManagement\w*|DisableKeyManagement\w*|DepositOffline\w*|slmgr)\b/i,
    )
  })

  it('changes nothing but in the scripts that grant rights, and that install the exporter', () => {
    const changing =
      /\b(Set-Item|Set-ItemProperty|New-ItemProperty|Remove-Item|Invoke-WmiMethod|InvokeMethod|psbase|sdset|net\.exe|Start-Service|Stop-Service|Restart-Service)\b/i
    const others = Object.entries(shipped).filter(
      ([name, text]) => !/^(?:Grant|Install)-/.test(name) && changing.test(text),
    )
    expect(others.map(([name]) => name)).toEqual([])
  })

  // Each of these was in the script once, and would have stopped it, or made it say and do different things.
  it.each([
    ["2> of a program, which Windows PowerShell 5.1 makes an end of the script under 'Stop'", /2>/],
    ['a cmdlet that -WhatIf keeps from reading', /\b(Invoke-WmiMethod|Invoke-CimMethod)\b/],
    ['what a program prints in the language of Windows', /\bnet(\.exe)? +localgroup\b/],
    ['an array in the wrapper of New-Object', /New-Object byte\[\]/],
    [
      'a security descriptor that forgets what only children inherit',
      /-IsContainer|SecurityDescriptor\((?!\$true)/,
    ],
  ])('the script that grants rights has no %s', (_what, trap) => {
    const code = (shipped['Grant-KmsReader.ps1'] ?? '').replace(/#.*$/gm, '')
    expect(code).toContain('ShouldProcess')
    expect(code).not.toMatch(trap)
  })

  it('every change that the script makes is asked for first, and -Remove takes away what -Registry gave', () => {
    const code = shipped['Grant-KmsReader.ps1'] ?? ''
    const functions = code.split(/^function /m).filter((text) => text.startsWith('Set-'))
    expect(functions.map((text) => text.split(' ')[0])).toHaveLength(4)
    for (const text of functions) {
      const change = text.search(/Invoke\(\$verb|InvokeMethod\('SetSD'|sdset \$Name|Set-Item /)
      const asked = text.indexOf('$PSCmdlet.ShouldProcess(')
      expect(asked).toBeGreaterThan(-1)
      expect(change).toBeGreaterThan(asked)
    }
    expect(code).toMatch(/if \(\$Registry -or \$Remove\)/)
  })
})
