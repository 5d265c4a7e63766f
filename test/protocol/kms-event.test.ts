import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeClientRequest,
  decodeClientResponse,
  decodeHostRequest,
  decodeInit,
  decodePublish,
} from '../../src/protocol/kms-event.ts'
import { malformedBy } from './support.ts'

const CMID = '36f27b39-2fd5-440b-be67-a09996d27a38'
const ACTIVATION_ID = '68531fb9-5511-4989-97be-d11a0f55633f'

/** Microsoft's article on 0xC004F06C (KB 974998), the event of the host; its name is left out there. */
const KB_HOST = `0xC004F06C,5,CLIENT07,${CMID},2010/9/29 21:46,0,2,41520,${ACTIVATION_ID}`
/** The same article, the event of a client. Another request: its times and minutes differ from those above. */
const KB_CLIENT = `0xC004F06C, 0x00000000, kms01.corp.example:1688, ${CMID}, 2010/09/29 17:52, 0, 2, 41760, ${ACTIVATION_ID}, 5`
/** Volume activation technical reference (ff793440), table 11, the examples of 12288 and 12289 put together. */
const TABLE_CLIENT =
  '0x0, 0x8, kms01.contoso.com:1688, 08c3bda0-c556-4b61-9e4e-7bf6d4df80be, 2006/1/14 2:30, 1, 2, 40123, cf67834d-db4a-402c-ab1f-2c134f02b700, 25'
const TABLE_RESPONSE = '0x0, 0x4000008, 0, 0, 4, 120, 10080, 1/14/2006 2:30'

const utc = (...parts: Parameters<typeof Date.UTC>): number => Date.UTC(...parts) / 1000

const REQUEST = {
  hresult: 0xc004f06c,
  minCount: 5,
  clientName: 'CLIENT07',
  cmid: CMID,
  clientTimeSeconds: utc(2010, 8, 29, 21, 46),
  vmInfo: 0,
  licenseStatus: 2,
  minutesToExpiration: 41_520,
  activationId: ACTIVATION_ID,
}

describe('event 12290', () => {
  it.each([
    ['one joined string', [KB_HOST]],
    ['one joined string with blanks', [KB_HOST.replaceAll(',', ', ')]],
    ['one joined string after an unknown one', ['', KB_HOST]],
    ['nine strings after an unknown one, as scripts read it', ['', ...KB_HOST.split(',')]],
    ['nine strings', KB_HOST.split(',')],
    ['nine strings before an unknown one', [...KB_HOST.split(','), 'extra']],
  ])('is read from %s', (_shape, strings) => {
    expect(decodeHostRequest(strings)).toEqual(REQUEST)
  })

  it.each([
    ['0x0', 0],
    ['0x00000000', 0],
    ['0xc004f042', 0xc004f042],
    ['-1073418132', 0xc004f06c],
    ['3221549164', 0xc004f06c],
  ])('takes the code %s as a number', (text, hresult) => {
    expect(decodeHostRequest([KB_HOST.replace('0xC004F06C', text)]).hresult).toBe(hresult)
  })

  it.each([
    ['2010/9/29 21:46', utc(2010, 8, 29, 21, 46)],
    ['2010/09/29 17:52', utc(2010, 8, 29, 17, 52)],
    ['2006/1/14 2:30', utc(2006, 0, 14, 2, 30)],
    ['1/14/2006 2:30', utc(2006, 0, 14, 2, 30)],
    ['1/14/2006 2:30:15 PM', utc(2006, 0, 14, 14, 30, 15)],
    ['1/14/2006 12:30 AM', utc(2006, 0, 14, 0, 30)],
    ['14.1.2006 2:30', undefined],
    ['14/1/2006 2:30', undefined],
    ['2010/2/30 1:00', undefined],
    ['2010/9/29 24:00', undefined],
    ['2010/9/29 1:60', undefined],
    ['1/14/2006 13:30 PM', undefined],
    ['', undefined],
  ])('reads the client time "%s" or leaves it unknown', (text, seconds) => {
    expect(decodeHostRequest([KB_HOST.replace('2010/9/29 21:46', text)]).clientTimeSeconds).toBe(seconds)
  })

  it.each(['a,b', ',', '"', '\u0000\u001b[31m', 'ä€😀', '', `${CMID},5,0x0`, "x' OR '1'='1"])(
    'takes the name %j for what it is',
    (name) => {
      expect(decodeHostRequest([KB_HOST.replace('CLIENT07', name)])).toEqual({
        ...REQUEST,
        clientName: name.trim(),
      })
      const separate = KB_HOST.split(',').map((field) => (field === 'CLIENT07' ? name : field))
      expect(decodeHostRequest(['', ...separate]).clientName).toBe(name.trim())
    },
  )

  // Eight commas of its own make it a record where fields are joined.
  const posing = `0xC004F042,25,x,08c3bda0-c556-4b61-9e4e-7bf6d4df80be,,,,,`

  it.each([
    ['one joined string', [KB_HOST.replace('CLIENT07', posing)]],
    ['one joined string after an unknown one', ['', KB_HOST.replace('CLIENT07', posing)]],
    ['nine strings after an unknown one', ['', ...KB_HOST.split(',').with(2, posing)]],
    ['nine strings', KB_HOST.split(',').with(2, posing)],
  ])('is not that which a client makes up in its name: %s', (_shape, strings) => {
    expect(decodeHostRequest(strings)).toEqual({ ...REQUEST, clientName: posing })
  })

  it('is not made out from a name where its own fields cannot be', () => {
    const unread = KB_HOST.split(',').with(0, 'no code').with(2, posing)
    expect(malformedBy(() => decodeHostRequest(unread))).toBeDefined()
  })

  it.each([
    [[]],
    [['']],
    [['0xC004F06C']],
    [['no code', '5', 'x', CMID, '', '', '', '', '']],
    [['0x0', '5', 'x', 'no guid', '', '', '', '', '']],
    [['0x0', 'five', 'x', CMID, '', '', '', '', '']],
    [[KB_HOST.replace('0xC004F06C', '0x1C004F06C')]],
    [[KB_HOST.replace('0xC004F06C', '4294967296')]],
    [[KB_HOST.replace('CLIENT07', 'x'.repeat(10_000_000))]],
    [[','.repeat(10_000_000)]],
  ])('refuses what has no known shape (%#)', (strings) => {
    const began = performance.now()
    expect(malformedBy(() => decodeHostRequest(strings))).toBeDefined()
    expect(performance.now() - began).toBeLessThan(1000)
  })

  it('leaves unknown what only adds to it', () => {
    const { vmInfo, licenseStatus, minutesToExpiration, activationId, ...rest } = decodeHostRequest([
      `0x0,25,PC,${CMID},x,y,-1,99999999999,none`,
    ])
    expect([vmInfo, licenseStatus, minutesToExpiration, activationId]).toEqual(Array(4).fill(undefined))
    expect(rest).toMatchObject({ hresult: 0, minCount: 25, clientTimeSeconds: undefined })
  })
})

describe('a client’s events', () => {
  it('12288 tells whom it asked, and with what outcome', () => {
    const expected = {
      hresult: 0xc004f06c,
      flags: 0,
      host: 'kms01.corp.example',
      port: 1688,
      cmid: CMID,
      clientTimeSeconds: utc(2010, 8, 29, 17, 52),
      vmInfo: 0,
      licenseStatus: 2,
      minutesToExpiration: 41_760,
      activationId: ACTIVATION_ID,
      minCount: 5,
    }
    expect(decodeClientRequest([KB_CLIENT])).toEqual(expected)
    expect(decodeClientRequest(KB_CLIENT.split(', '))).toEqual(expected)
    expect(decodeClientRequest([TABLE_CLIENT])).toMatchObject({
      hresult: 0,
      flags: 8,
      host: 'kms01.contoso.com',
      minutesToExpiration: 40_123,
      minCount: 25,
    })
  })

  it.each([
    ['[2001:db8::1]:1688', '2001:db8::1', 1688],
    ['kms01', 'kms01', undefined],
    ['kms01:70000', 'kms01', undefined],
    [':0', '', 0],
  ])('12288 splits %s', (text, host, port) => {
    expect(decodeClientRequest([KB_CLIENT.replace('kms01.corp.example:1688', text)])).toMatchObject({
      host,
      port,
    })
  })

  it('12289 tells whether the answer activated it', () => {
    const expected = {
      hresult: 0,
      flags: 0x4000008,
      activated: false,
      currentCount: 4,
      clientTimeSeconds: utc(2006, 0, 14, 2, 30),
    }
    expect(decodeClientResponse([TABLE_RESPONSE])).toEqual(expected)
    expect(decodeClientResponse(TABLE_RESPONSE.split(', '))).toEqual(expected)
    expect(decodeClientResponse([TABLE_RESPONSE.replace(' 0,', ' 1,')]).activated).toBe(true)
  })

  it('refuses a 12289 as a 12288 and the other way round', () => {
    expect(malformedBy(() => decodeClientRequest([TABLE_RESPONSE]))).toBeDefined()
    expect(malformedBy(() => decodeClientResponse([TABLE_CLIENT]))).toBeDefined()
  })
})

describe('a host’s other events', () => {
  it('12293 and 12294 name a domain', () => {
    expect(decodePublish(12_293, ['0x80072338', 'Corp.Example'])).toEqual({
      domain: 'corp.example',
      hresult: 0x80072338,
    })
    expect(decodePublish(12_293, ['0x80072338,corp.example'])).toEqual(
      decodePublish(12_293, ['0x80072338', 'corp.example']),
    )
    expect(decodePublish(12_293, ['0x8007232A, Corp.Example '])).toEqual({
      domain: 'corp.example',
      hresult: 0x8007232a,
    })
    expect(decodePublish(12_293, ['?', 'corp.example'])).toEqual({
      domain: 'corp.example',
      hresult: undefined,
    })
    expect(decodePublish(12_294, ['corp.example'])).toEqual({ domain: 'corp.example', hresult: undefined })
  })

  it.each([
    [[]],
    [['']],
    [['a b']],
    [['x'.repeat(300)]],
    [['evil"} 1\n']],
    [['\u0000']],
    [[','.repeat(10_000_000)]],
  ])('refuse what is no domain: %j', (strings) => {
    expect(malformedBy(() => decodePublish(12_294, strings))).toBeDefined()
    expect(malformedBy(() => decodePublish(12_293, ['0x0', ...strings]))).toBeDefined()
    expect(malformedBy(() => decodePublish(12_293, [['0x0', ...strings].join(',')]))).toBeDefined()
  })

  it('12291 gives its code, or none', () => {
    expect(decodeInit(['0xC004F014'])).toBe(0xc004f014)
    expect(decodeInit([])).toBeUndefined()
    expect(decodeInit(['x'.repeat(10_000_000)])).toBeUndefined()
  })
})

it('a decoder returns a value or throws MalformedMessage, whatever it is given', () => {
  const decoders = [
    decodeHostRequest,
    decodeClientRequest,
    decodeClientResponse,
    decodeInit,
    (strings: readonly string[]) => decodePublish(12_293, strings),
    (strings: readonly string[]) => decodePublish(12_294, strings),
  ]
  const field = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom(...KB_HOST.split(','), ...TABLE_RESPONSE.split(', '), '0x', ':', '-1', 'NaN'),
  )
  const strings = fc.oneof(
    fc.array(field, { maxLength: 20 }),
    fc.array(field, { maxLength: 20 }).map((fields) => [fields.join(',')]),
  )
  fc.assert(
    fc.property(strings, fc.constantFrom(...decoders), (given, decode) => {
      malformedBy(() => decode(given))
    }),
    { numRuns: 2000 },
  )
})

it('whatever name a client has, the rest of its request is read', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
      const request = decodeHostRequest([KB_HOST.replace('CLIENT07', () => name)])
      expect(request).toEqual({ ...REQUEST, clientName: name.trim() })
    }),
  )
})
