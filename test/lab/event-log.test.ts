import { describe, expect, it } from 'vitest'
import {
  createEventLog,
  publishFailed,
  request12288,
  request12290,
  response12289,
} from '../../src/lab/event-log.ts'

const NOON = Date.UTC(2024, 0, 5, 12, 7, 30)
const EVENT = { eventCode: 1, strings: [] }

function filled(count: number, options: Parameters<typeof createEventLog>[2] = {}) {
  const log = createEventLog('Key Management Service', () => NOON, options)
  for (let i = 0; i < count; i += 1) log.append(EVENT)
  return log
}

const numbers = (log: ReturnType<typeof filled>): number[] => log.records.map(({ record }) => record)

describe('record numbers', () => {
  it('grow by one, and go on after the log was cleared', () => {
    const log = filled(3)
    expect(numbers(log)).toEqual([1, 2, 3])
    log.clear()
    expect(log.records).toEqual([])
    expect(log.append(EVENT)).toBe(4)
  })

  it('begin anew in a log made anew', () => {
    const log = filled(3, { firstRecord: 500 })
    expect(numbers(log)).toEqual([500, 501, 502])
    log.restart()
    expect(log.append(EVENT)).toBe(1)
  })
})

describe('a full log', () => {
  it('that wraps loses its oldest records, one for each that comes', () => {
    const log = filled(5)
    log.wrap(2)
    expect(numbers(log)).toEqual([3, 4, 5])
    expect(log.fileBytes).toBe(log.mostBytes)
    log.append(EVENT)
    expect(numbers(log)).toEqual([4, 5, 6])
  })

  it('overwrites by itself when its file is full', () => {
    const log = filled(100, { mostBytes: 69_632 + 10 * 640 })
    expect(log.records.length).toBeLessThan(12)
    expect(numbers(log).at(-1)).toBe(100)
    log.clear()
    expect(log.fileBytes).toBeLessThan(log.mostBytes)
  })

  it('that never overwrites takes no more', () => {
    const log = filled(100, { mostBytes: 69_632 + 10 * 640, overwrites: 'Never' })
    expect(numbers(log)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })
})

describe('the strings of an event', () => {
  const CMID = '01234567-89ab-4cde-8f01-23456789abcd'
  const SKU = '73111121-5638-40f6-bc11-f1d7b0d64300'
  const log = createEventLog('Key Management Service', () => NOON)

  it('12290 are one a field after one more, with the time of the client to the minute', () => {
    log.append(request12290({ clientName: 'PC-1', cmid: CMID, skewSeconds: -300, hresult: 0xc004f06c }))
    expect(log.records.at(-1)).toMatchObject({
      eventCode: 12_290,
      strings: ['', '0xC004F06C', '25', 'PC-1', CMID, '2024/1/5 12:02', '1', '1', '248400', SKU],
      atSeconds: Math.floor(NOON / 1000),
    })
  })

  it('12290 are one, joined by commas', () => {
    const request = { clientName: 'srv.corp.example', cmid: CMID, minCount: 5, licenseStatus: 2 } as const
    log.append(request12290({ ...request, minutesToExpiration: 41_760, isVirtual: false, shape: 'joined' }))
    expect(log.records.at(-1)?.strings).toEqual([
      `0x0,5,srv.corp.example,${CMID},2024/1/5 12:07,0,2,41760,${SKU}`,
    ])
  })

  it('12288 and 12289 are one, joined by commas and spaces, with ten and eight fields', () => {
    log.append(request12288({ host: 'kms01.corp.example', cmid: CMID, hresult: 0x800706ba }))
    expect(log.records.at(-1)?.strings).toEqual([
      `0x800706BA, 0x00000000, kms01.corp.example:1688, ${CMID}, 2024/1/5 12:07, 0, 1, 248400, ${SKU}, 25`,
    ])
    log.append(response12289({ count: 12, hresult: 0xc004f038 }))
    expect(log.records.at(-1)?.strings).toEqual([
      '0xC004F038, 0x00000000, 0, 0, 12, 120, 10080, 2024/1/5 12:07',
    ])
  })

  it('12293 are the code and the domain', () => {
    log.append(publishFailed('corp.example', 0x80072338))
    expect(log.records.at(-1)).toMatchObject({ eventType: 1, strings: ['0x80072338', 'corp.example'] })
  })
})
