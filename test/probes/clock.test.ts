// The clock's source `cim`, which asks Windows itself; the others are in test/real/clock.test.ts.
import { expect, it, onTestFinished, vi } from 'vitest'
import type { Io } from '../../src/io/io.ts'
import type { Rows, WindowsReader } from '../../src/io/windows/windows.ts'
import { ProbeFailure } from '../../src/model/failure.ts'
import { clock, type ClockReading } from '../../src/probes/clock.ts'
import { estate, visitTo, WINRM, type FakeWindows } from './fake-windows.ts'

const AT = 1_800_000_000
const HOST = { name: 'kms01.corp.example', connect_to: '127.0.0.1', windows: WINRM }

async function read(rows: FakeWindows['classes'][string], stepSeconds = 0): Promise<ClockReading> {
  const [target] = clock.targets(estate({ hosts: [{ ...HOST, probes: { clock: { sources: ['cim'] } } }] }))
  if (target === undefined) throw new Error('no target')
  const { visit } = visitTo({ classes: { Win32_OperatingSystem: rows }, stepSeconds }, { wallSeconds: AT })
  return clock.measure(target, visit)
}

it.for([
  ['2027-01-15T13:00:00Z', 5 * 3600],
  ['2027-01-15T09:00:00+01:00', 0],
  ['20270115090000.000000+060', 0],
  ['2027-01-15T07:00:00.5Z', -3599.5],
] as const)('%s is %i s ahead', async ([LocalDateTime, ahead]) => {
  const { samples } = await read([{ LocalDateTime }])
  const [{ source, offset } = { source: '', offset: { low: NaN, high: NaN } }] = samples
  expect(source).toBe('cim')
  // The question took 0.2 s, in any moment of which the host may have read its clock; that goes by ticks of 16 ms.
  expect(offset.low).toBeCloseTo(ahead - 0.201, 6)
  expect(offset.high).toBeCloseTo(ahead + 0.016_625, 6)
})

it('unanswered has its reason', async () => {
  await expect(read(new ProbeFailure('access_denied', 'no'))).rejects.toMatchObject({
    reason: 'access_denied',
  })
  await expect(read([])).rejects.toMatchObject({ reason: 'not_found' })
  await expect(read([{ LocalDateTime: 'noon' }])).rejects.toMatchObject({ reason: 'protocol_error' })
  await expect(read([{ LocalDateTime: '2027-01-15T08:00:00Z' }], 60)).rejects.toMatchObject({
    reason: 'internal_error',
  })
})

it('is asked only where there is a way to Windows', () => {
  const sources = (windows: object | undefined) =>
    clock.targets(
      estate({
        hosts: [
          {
            name: 'kms01.corp.example',
            ...(windows && { windows }),
            probes: { clock: { sources: ['cim'] } },
          },
        ],
      }),
    )
  expect(sources(undefined)).toEqual([])
  expect(sources({ via: 'windows_exporter', url: 'http://kms01:9182/metrics' })).toEqual([])
  expect(sources(WINRM)).toHaveLength(1)
})

it('is waited for when the others have long answered: its connection is not theirs to close', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const [target] = clock.targets(
    estate({ hosts: [{ ...HOST, probes: { clock: { sources: ['ntp', 'cim'], timeout: '5s' } } }] }),
  )
  if (target === undefined) throw new Error('no target')
  const { visit } = visitTo({ classes: {} }, { wallSeconds: AT })
  const moment = { wallSeconds: AT, monotonicSeconds: 1000 }
  const exchanged = { sent: moment, received: moment }
  const rows = [new Map([['localdatetime', '2027-01-15T08:00:00Z']])]
  const open: Io['winrm']['open'] = async (_host, _access, { deadline }) => {
    const query = (): Promise<Rows> =>
      new Promise((resolve, reject) => {
        deadline.own(() => reject(new ProbeFailure('timeout', 'cut short')))
        setTimeout(() => resolve({ rows, complete: true, roundTrips: 1, ...exchanged }), 3000)
      })
    return { via: 'winrm', query } as Partial<WindowsReader> as WindowsReader
  }
  const askUdp = async () => ({ value: { receiveSeconds: AT, transmitSeconds: AT }, ...exchanged })
  const io = { ...visit.io, winrm: { ...visit.io.winrm, open }, askUdp } as Io
  const reading = clock.measure(target, { ...visit, io })
  await vi.advanceTimersByTimeAsync(3001)
  expect((await reading).samples.map(({ source }) => source)).toEqual(['ntp', 'cim'])
})
