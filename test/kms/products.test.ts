import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applicationOf, isClientKey, isHostKey, productName } from '../../src/kms/products.ts'

const ID = '00000000-0000-4000-8000-000000000001'

describe('keys', () => {
  // As slmgr prints them: Windows Server 2016, 2012 R2 for Windows 10, and Office 2016.
  it.for([
    ['Windows(R) Operating System, VOLUME_KMS_WS16 channel', 'ws2016'],
    ['Windows(R) Operating System, VOLUME_KMS_WS22 channel', 'ws2022'],
    ['Windows(R) Operating System, VOLUME_KMS_2012-R2_WIN10 channel', 'ws2012_r2_w10'],
    ['Windows(R) Operating System, VOLUME_KMS_2012-R2 channel', 'ws2012_r2'],
    ['Windows(R) Operating System, VOLUME_KMS_W10 channel', 'w10'],
    ['Windows Operating System - Windows Server(R), VOLUME_KMS_R2_C channel', 'ws2008_r2'],
    ['Windows(R) Operating System, VOLUME_KMS_WS99 channel', ID],
    ['Office 16, VOLUME_KMS channel', ID],
    ['VOLUME_KMS_constructor channel', ID],
  ] as const)('%s is of a host, and called %s', ([description, name]) => {
    expect(isHostKey(description)).toBe(true)
    expect(isClientKey(description)).toBe(false)
    expect(productName(ID, description)).toBe(name)
  })

  it.for([
    ['98ebfe73-2084-4c97-932c-c0cd1643bea7', 'office2016'],
    ['f3d89bbf-c0ec-47ce-a8fa-e5a5f97e447f', 'office2024'],
  ] as const)('that of Office goes by its activation id %s: %s', ([id, name]) => {
    expect(productName(id, 'Office, VOLUME_KMS channel')).toBe(name)
  })

  it.for([
    ['Windows(R) Operating System, VOLUME_KMSCLIENT channel', true],
    ['Windows(R) Operating System, VOLUME_MAK channel', false],
    ['Windows(R) Operating System, OEM_DM channel', false],
    ['', false],
  ] as const)('"%s" is of no host', ([description, client]) => {
    expect(isHostKey(description)).toBe(false)
    expect(isClientKey(description)).toBe(client)
  })

  it('whatever the description: a name from the table, or the id', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(productName(ID, `VOLUME_KMS_${text}`)).toMatch(/^(w|ws|office)\d{2,4}(_r2)?(_w10)?$|^0{8}-/)
      }),
    )
  })
})

it('knows the applications in either case', () => {
  expect(applicationOf('55C92734-D682-4D71-983E-D6EC3F16059F')).toBe('windows')
  expect(applicationOf('0ff1ce15-a989-479d-af46-f275c6370663')).toBe('office')
  expect(applicationOf('59a52881-a989-479d-af46-f275c6370663')).toBe('office')
  expect(applicationOf('')).toBe('other')
})
