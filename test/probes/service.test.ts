// The service probe asking Windows itself; by windows_exporter, see test/real/service.test.ts.
import { describe, expect, it } from 'vitest'
import { ProbeFailure } from '../../src/model/failure.ts'
import type { HostTarget } from '../../src/probes/host-target.ts'
import { service, type ServiceReading } from '../../src/probes/service.ts'
import { estate, linesOf, visitTo, WINRM, type FakeWindows, type Row } from './fake-windows.ts'

const SPPSVC: Row = {
  State: 'Running',
  StartMode: 'Auto',
  ExitCode: '0',
  ServiceSpecificExitCode: '0',
  ProcessId: '4711',
}
const PROCESS: Row = { CreationDate: '2027-01-15T07:00:00.25Z' }

function target(): HostTarget {
  const [first] = service.targets(estate({ hosts: [{ name: 'kms01.corp.example', windows: WINRM }] }))
  if (first === undefined) throw new Error('no target')
  return first
}

async function read(
  classes: FakeWindows['classes'],
): Promise<{ reading: ServiceReading; asked: readonly string[] }> {
  const { visit, asked } = visitTo({ classes })
  return { reading: await service.measure(target(), visit), asked }
}

const stateLine = /winkms_service_state\{state="(\w+)",source="winrm"\} 1/

describe('sppsvc by WinRM', () => {
  it('runs, since when, and is started how', async () => {
    const { reading, asked } = await read({ Win32_Service: [SPPSVC], Win32_Process: [PROCESS] })
    expect(reading).toEqual({
      state: 'running',
      source: 'winrm',
      startMode: 'auto',
      exitCode: undefined,
      processStartSeconds: 1_799_996_400.25,
      os: undefined,
      clock: [],
    })
    expect(asked).toEqual([
      "SELECT State, StartMode, ExitCode, ServiceSpecificExitCode, ProcessId FROM Win32_Service WHERE Name = 'sppsvc'",
      "SELECT CreationDate FROM Win32_Process WHERE ProcessId = 4711 AND Name = 'sppsvc.exe'",
    ])
    const lines = linesOf(service.metrics, reading, target())
    expect(lines.filter((line) => stateLine.test(line))).toEqual([
      'winkms_service_state{state="running",source="winrm"} 1',
    ])
    expect(lines).toContain('winkms_service_start_mode{mode="auto"} 1')
    expect(lines).toContain('winkms_service_process_start_timestamp_seconds 1799996400.25')
    expect(lines.join('\n')).not.toContain('exit_code')
  })

  it.for([
    ['0', '0', 0],
    ['1077', '0', 1077],
    ['1066', '3221536789', 3_221_536_789],
    [null, null, undefined],
  ] as const)('stopped with %s/%s: exit code %s', async ([ExitCode, ServiceSpecificExitCode, expected]) => {
    const row = { ...SPPSVC, State: 'Stopped', ProcessId: '0', ExitCode, ServiceSpecificExitCode }
    const { reading, asked } = await read({ Win32_Service: [row] })
    expect(reading).toMatchObject({ state: 'stopped', processStartSeconds: undefined })
    expect(reading.exitCode).toBe(expected)
    expect(asked).toHaveLength(1)
    const line = linesOf(service.metrics, reading, target()).find((each) => each.includes('exit_code'))
    expect(line).toBe(expected === undefined ? undefined : `winkms_service_exit_code ${expected}`)
  })

  it.for([
    ['Start Pending', 'start_pending'],
    ['Stop Pending', 'stop_pending'],
    ['Paused', 'paused'],
    ['Unknown', 'unknown'],
    ['Something new', 'unknown'],
    [null, 'unknown'],
  ] as const)('%s is %s', async ([State, state]) => {
    const { reading } = await read({ Win32_Service: [{ ...SPPSVC, State }] })
    expect(reading.state).toBe(state)
  })

  it('without a row, for want of a right: unknown, and never stopped', async () => {
    const { reading } = await read({})
    expect(reading).toMatchObject({ state: 'unknown', startMode: undefined, exitCode: undefined })
    const lines = linesOf(service.metrics, reading, target())
    expect(lines).toContain('winkms_service_state{state="stopped",source="winrm"} 0')
    expect(lines).toContain('winkms_service_state{state="unknown",source="winrm"} 1')
    expect(lines.join('\n')).not.toMatch(/start_mode|exit_code|process/)
  })

  it('whose process is not to be seen runs all the same', async () => {
    for (const Win32_Process of [
      [],
      new ProbeFailure('access_denied', 'no'),
      [{ CreationDate: 'yesterday' }],
    ]) {
      const { reading } = await read({ Win32_Service: [SPPSVC], Win32_Process })
      expect(reading).toMatchObject({ state: 'running', processStartSeconds: undefined })
    }
  })

  it('denied is no answer', async () => {
    const Win32_Service = new ProbeFailure('access_denied', 'no')
    await expect(read({ Win32_Service })).rejects.toMatchObject({ reason: 'access_denied' })
  })
})
