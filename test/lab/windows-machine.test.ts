import { describe, expect, it } from 'vitest'
import { fleet, traffic } from '../../src/lab/traffic.ts'
import type { WindowsMachine } from '../../src/lab/windows-machine.ts'
import { kmsClient, kmsHost } from '../../src/lab/windows-machine.ts'
import type { Instance } from '../../src/lab/wql.ts'
import { select } from '../../src/lab/wql.ts'

const ALL = { services: true, events: true }

function rows(machine: WindowsMachine, wql: string): readonly Instance[] {
  const selection = select(wql, machine.classes(ALL))
  if (typeof selection === 'number') throw new Error(`refused: 0x${selection.toString(16)}`)
  return selection.rows
}

/** A machine whose time is in the test's hands. */
function timed() {
  let now = Date.UTC(2024, 0, 5)
  return { clock: () => now, pass: (seconds: number) => void (now += seconds * 1000) }
}

describe('a KMS host', () => {
  it('has hundreds of products, of which those with a key are few', () => {
    const machine = kmsHost()
    expect(rows(machine, 'SELECT ID FROM SoftwareLicensingProduct').length).toBeGreaterThan(300)
    expect(
      rows(
        machine,
        'SELECT Description, LicenseStatus FROM SoftwareLicensingProduct WHERE PartialProductKey <> null',
      ),
    ).toEqual([
      { Description: 'Windows(R) Operating System, VOLUME_KMS_WS22 channel', LicenseStatus: 1 },
      { Description: 'Office 21, VOLUME_KMS channel', LicenseStatus: 1 },
    ])
  })

  it('says 4294967295 where there is nothing to count', () => {
    const [product] = rows(
      kmsHost(),
      "SELECT KeyManagementServiceCurrentCount, KeyManagementServiceTotalRequests FROM SoftwareLicensingProduct WHERE Description LIKE '%RETAIL%'",
    )
    expect(product).toEqual({
      KeyManagementServiceCurrentCount: 0xffff_ffff,
      KeyManagementServiceTotalRequests: 0xffff_ffff,
    })
  })

  it('counts what it receives, by the status of the client, and what fails apart', () => {
    const machine = kmsHost()
    const [before] = rows(machine, 'SELECT * FROM SoftwareLicensingService')
    const client = { clientName: 'PC', cmid: '01234567-89ab-4cde-8f01-23456789abcd' }
    machine.receive({ ...client, licenseStatus: 2 })
    machine.receive({ ...client, hresult: 0xc004f06c })
    const [after] = rows(machine, 'SELECT * FROM SoftwareLicensingService')
    const changed = Object.keys(after ?? {}).filter((name) => after?.[name] !== before?.[name])
    expect(changed).toEqual([
      'KeyManagementServiceFailedRequests',
      'KeyManagementServiceOOBGraceRequests',
      'KeyManagementServiceTotalRequests',
    ])
    expect(machine.log('Key Management Service').records).toHaveLength(2)
  })

  it('has a kernel, and a registry, that know its update revision', () => {
    const machine = kmsHost({ os: { version: '10.0.14393', ubr: 4283 } })
    expect(
      rows(
        machine,
        String.raw`SELECT Version FROM CIM_DataFile WHERE Name = 'C:\\WINDOWS\\system32\\ntoskrnl.exe'`,
      ),
    ).toEqual([{ Version: '10.0.14393.4283' }])
    expect(rows(machine, "SELECT Name FROM Win32_NTEventlogFile WHERE LogfileName = 'System'")).toEqual([
      { Name: String.raw`c:\windows\system32\winevt\logs\system.evtx` },
    ])
    expect(machine.registryValue(String.raw`software\microsoft\Windows NT\CurrentVersion`, 'ubr')).toBe(4283)
  })

  it('has a process for sppsvc only while that runs', () => {
    const machine = kmsHost()
    const [service] = rows(machine, "SELECT ProcessId FROM Win32_Service WHERE Name = 'sppsvc'")
    const processes = `SELECT Name FROM Win32_Process WHERE ProcessId = ${String(service?.['ProcessId'])}`
    expect(rows(machine, processes)).toEqual([{ Name: 'sppsvc.exe' }])
    machine.sppsvc.state = 'Stopped'
    expect(rows(machine, processes)).toEqual([])
  })

  it('starts a stopped sppsvc when it is asked for licences, unless that is disabled', () => {
    const machine = kmsHost({ sppsvc: { state: 'Stopped' } })
    machine.touch('Win32_Service')
    expect(machine.sppsvc.state).toBe('Stopped')
    machine.touch('SoftwareLicensingProduct')
    expect(machine.sppsvc.state).toBe('Running')
    const disabled = kmsHost({ sppsvc: { state: 'Stopped', startMode: 'Disabled' } })
    disabled.touch('SoftwareLicensingProduct')
    expect(disabled.sppsvc.state).toBe('Stopped')
  })
})

describe('the logs', () => {
  it('are listed newest first, and hidden from who may not read them', () => {
    const machine = kmsHost({ unlicensedProducts: 0 })
    for (const eventCode of [7, 8, 9]) machine.log('System').append({ eventCode, strings: [] })
    const query = "SELECT EventCode FROM Win32_NTLogEvent WHERE Logfile = 'System'"
    expect(rows(machine, query).map(({ EventCode }) => EventCode)).toEqual([9, 8, 7])
    const hidden = machine.classes({ services: true, events: false })
    expect(select(query, hidden)).toMatchObject({ rows: [] })
    expect(select('SELECT LogfileName FROM Win32_NTEventlogFile', hidden)).toMatchObject({ rows: [] })
    expect(rows(machine, 'SELECT LogfileName, NumberOfRecords FROM Win32_NTEventlogFile')).toContainEqual({
      LogfileName: 'System',
      NumberOfRecords: 3,
    })
  })

  it('hold events of others under the same numbers', () => {
    const vss = "SELECT EventCode FROM Win32_NTLogEvent WHERE SourceName = 'VSS'"
    expect(rows(kmsClient(), vss)).toEqual([{ EventCode: 12_289 }])
  })
})

describe('time', () => {
  it('brings a request every so often, each client in its turn, and the same for who looks later', () => {
    const recordsAfter = (steps: readonly number[]): unknown => {
      const { clock, pass } = timed()
      const machine = kmsHost({ clock, passTime: traffic(fleet('PC', 3), 20) })
      for (const step of [0, ...steps]) {
        pass(step)
        rows(machine, 'SELECT LocalDateTime FROM Win32_OperatingSystem')
      }
      return machine.log('Key Management Service').records
    }
    const often = recordsAfter([20, 20, 7, 13])
    expect(often).toHaveLength(3 + 3)
    expect(recordsAfter([60])).toEqual(often)
  })

  it('of the machine is its own', () => {
    const machine = kmsHost({ clock: () => Date.UTC(2020, 1, 2, 3, 4, 5) })
    expect(rows(machine, 'SELECT LocalDateTime FROM Win32_OperatingSystem')).toEqual([
      { LocalDateTime: new Date('2020-02-02T03:04:05Z') },
    ])
  })
})
