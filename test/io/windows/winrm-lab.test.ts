// The WinRM client against the simulated Windows of the lab, which was written from the same documents by other hands.
import { describe, expect, it } from 'vitest'
import { kmsHost } from '../../../src/lab/windows-machine.ts'
import { READER, startWinrm, type Rights, type WinrmServer } from '../../../src/lab/winrm.ts'
import type { WindowsReader } from '../../../src/io/windows/windows.ts'
import { booleanOf, datetimeOf, listOf, textOf, uint32Of } from '../../../src/protocol/cim.ts'
import { during } from '../../during.ts'
import { LOOPBACK, reasonOf } from '../support.ts'
import { accessTo, basicCredential, HOST, SERVICE, visitOf, winrmPool } from './winrm-support.ts'

async function reading(rights: Rights = {}): Promise<{ server: WinrmServer; reader: WindowsReader }> {
  const machine = kmsHost({ publishList: ['corp.example', 'lab.example'] })
  const server = await during(startWinrm(machine, LOOPBACK, { rights }))
  const { credential } = await basicCredential(READER.password, READER.username)
  const access = accessTo(server.url, credential, { registry: true })
  return { server, reader: await winrmPool().open(HOST, access, visitOf()) }
}

const CLOCK = { from: 'Win32_OperatingSystem', columns: ['LocalDateTime', 'Caption'] }
const ALL_PRODUCTS = { from: 'SoftwareLicensingProduct', columns: ['ID', 'Description', 'PartialProductKey'] }

describe('a simulated Windows', () => {
  it('tells the time between the two moments of the question', async () => {
    const { rows, sent, received } = await (await reading()).reader.query(CLOCK)
    const [row = new Map()] = rows
    const seconds = datetimeOf(row, 'LocalDateTime') ?? NaN
    expect(seconds).toBeGreaterThanOrEqual(sent.wallSeconds - 0.01)
    expect(seconds).toBeLessThanOrEqual(received.wallSeconds + 0.01)
    expect(textOf(row, 'Caption')).toContain('Windows Server 2022')
  })

  it('gives its hundreds of products over many pages', async () => {
    const { server, reader } = await reading()
    const { rows, complete, roundTrips } = await reader.query(ALL_PRODUCTS)
    expect(rows).toHaveLength(302)
    expect(new Set(rows.map((row) => textOf(row, 'ID'))).size).toBe(302)
    expect(complete).toBe(true)
    expect(roundTrips).toBeGreaterThan(2)
    expect(server.asked.filter((asked) => asked === 'Pull')).toHaveLength(roundTrips - 1)
    const some = await reader.query(ALL_PRODUCTS, { mostRows: 10 })
    expect([some.rows.length, some.complete]).toEqual([10, false])
    expect(server.asked.at(-1)).toBe('Release')
  })

  it('gives numbers, truths and what is none', async () => {
    const { reader } = await reading()
    const service = {
      from: 'SoftwareLicensingService',
      columns: ['KeyManagementServiceCurrentCount', 'KeyManagementServiceDnsPublishing'],
    }
    const [row = new Map()] = (await reader.query(service)).rows
    expect(uint32Of(row, 'KeyManagementServiceCurrentCount')).toBe(50)
    expect(booleanOf(row, 'KeyManagementServiceDnsPublishing')).toBe(true)
    const keyless = await reader.query(
      { ...ALL_PRODUCTS, where: 'PartialProductKey IS NULL' },
      { mostRows: 1 },
    )
    expect(textOf(keyless.rows[0] ?? new Map(), 'PartialProductKey')).toBeUndefined()
  })

  it('gives events with their strings in order', async () => {
    const { reader } = await reading()
    const select = { from: 'Win32_NTLogEvent', columns: ['EventCode', 'InsertionStrings', 'TimeGenerated'] }
    const [row = new Map()] = (await reader.query({ ...select, where: "Logfile = 'Application'" })).rows
    expect(listOf(row, 'InsertionStrings').length).toBeGreaterThan(0)
    expect(datetimeOf(row, 'TimeGenerated')).toBeLessThan(Date.now() / 1000)
  })

  it('gives values of the registry', async () => {
    const { reader } = await reading()
    const key = String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion`
    expect(await reader.readRegistry({ key, name: 'UBR', type: 'dword' })).toBe(2322)
    expect(await reader.readRegistry({ key, name: 'Nothing', type: 'dword' })).toBeUndefined()
    const platform = `${key}\\SoftwareProtectionPlatform`
    const list = await reader.readRegistry({
      key: platform,
      name: 'DnsDomainPublishList',
      type: 'multi_string',
    })
    expect(list).toEqual(['corp.example', 'lab.example'])
  })

  it('has no class and no column but its own', async () => {
    const { reader } = await reading()
    expect(await reasonOf(reader.query({ from: 'Win32_Unheard', columns: ['A'] }))).toBe('not_found')
    expect(await reasonOf(reader.query({ ...SERVICE, columns: ['Unheard'] }))).toBe('not_found')
  })

  it.each([
    ['the namespace', { namespace: false }],
    ['the event log', { events: 'denied' }],
    ['the methods of the registry', { registry: false }],
    ['a key of the registry', { registry: 'closed_key' }],
  ] as const)('denies %s to who has no right to it', async (name, rights) => {
    const { reader } = await reading(rights)
    const registry = { key: 'SOFTWARE', name: 'A', type: 'string' } as const
    const asked = name.includes('registry')
      ? reader.readRegistry(registry)
      : reader.query({ from: 'Win32_NTLogEvent', columns: ['EventCode'], where: "Logfile = 'Application'" })
    expect(await reasonOf(asked)).toBe('access_denied')
  })
})
