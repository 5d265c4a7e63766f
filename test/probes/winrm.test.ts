// The probes that ask Windows itself, end to end: configuration, logon, WS-Management, and a simulated Windows.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { request12288, response12289 } from '../../src/lab/event-log.ts'
import {
  clientProduct,
  kmsClient,
  kmsHost,
  kmsProduct,
  type WindowsMachine,
} from '../../src/lab/windows-machine.ts'
import { READER, startWinrm, type Rights, type WinrmOptions, type WinrmServer } from '../../src/lab/winrm.ts'
import type { ProbeName } from '../../src/probes/index.ts'
import { LOOPBACK } from '../io/support.ts'
import { askOne, readingOf } from '../real/ask.ts'

const HOST = 'kms01.lab.example'

async function serve(machine: WindowsMachine, options?: WinrmOptions): Promise<WinrmServer> {
  const server = await startWinrm(machine, LOOPBACK, options)
  onTestFinished(() => server.stop())
  return server
}

/** `more` goes under `windows`, in YAML's flow style. */
async function ask<Name extends ProbeName>(name: Name, { url }: WinrmServer, more = '', sources = 'smb2') {
  const directory = await mkdtemp(join(tmpdir(), 'winkms-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const file = join(directory, 'password')
  await writeFile(file, READER.password)
  const windows = `{ via: winrm, url: '${url}', credentials: reader, allow_unencrypted: true${more && `, ${more}`} }`
  const target =
    name === 'client'
      ? `clients: [{ name: pc01.lab.example, connect_to: 127.0.0.1, windows: ${windows} }]`
      : `hosts: [{ name: ${HOST}, connect_to: 127.0.0.1, windows: ${windows} }]`
  const yaml = `
${target}
credentials: { reader: { auth: basic, username: ${READER.username}, password_file: '${file}' } }
probes: { clock: { sources: [${sources}] }, service: { timeout: 10s } }
`
  return askOne(yaml, name)
}

const rights = (withheld: Rights): WinrmOptions => ({ rights: withheld })

describe('licensing', () => {
  it('of a host that is well', async () => {
    const server = await serve(kmsHost({ name: HOST }))
    const result = await ask('licensing', server)
    const reading = readingOf(result)
    expect(result.stages.map(({ stage }) => stage)).toEqual(['resolve', 'connect', 'logon', 'ask'])
    expect(reading).toMatchObject({
      service: { state: 'running', startMode: 'auto' },
      kms: {
        service: { kmsEnabled: true, currentClients: 50, listeningPort: 1688, dnsPublishing: true },
        products: [
          {
            product: 'ws2022',
            application: 'windows',
            licenseStatus: 'licensed',
            currentClients: 50,
            clientsLimit: 50,
          },
          {
            product: 'office2021',
            application: 'office',
            licenseStatus: 'licensed',
            currentClients: 10,
            clientsLimit: 10,
          },
        ],
      },
      os: { build: 20_348, ubr: 2322, productType: 'server' },
      publishList: undefined,
    })
    const [sample] = reading.clock
    expect(sample?.offset.low).toBeLessThanOrEqual(0)
    expect(sample?.offset.high).toBeGreaterThanOrEqual(0)
    // One round trip a question, and one more for what has more rows than one; the logon is none of them.
    expect(reading.roundTrips).toBe(server.asked.filter((each) => each !== 'Identify').length)
    expect(reading.roundTrips).toBe(6)
  })

  it('with the registry: where it publishes itself, and the update revision', async () => {
    const server = await serve(kmsHost({ name: HOST, publishList: ['lab.example, 10, 20', 'corp.example'] }))
    const reading = readingOf(await ask('licensing', server, 'registry: true'))
    expect(reading.os?.ubr).toBe(2322)
    expect(reading.publishList).toEqual([
      { domain: 'lab.example', priority: 10, weight: 20 },
      { domain: 'corp.example', priority: 0, weight: 0 },
    ])
    expect(server.asked.join('\n')).not.toContain('CIM_DataFile')
    const plain = await serve(kmsHost({ name: HOST }))
    expect(readingOf(await ask('licensing', plain, 'registry: true')).publishList).toEqual([])
  })

  it.for([false, 'closed_key'] as const)(
    'without the right to it (%s): all but the list',
    async (registry) => {
      const server = await serve(kmsHost({ name: HOST, publishList: ['lab.example'] }), rights({ registry }))
      const reading = readingOf(await ask('licensing', server, 'registry: true'))
      expect(reading.publishList).toBeUndefined()
      expect(reading.os?.ubr).toBe(2322)
    },
  )

  it('does not start what is stopped', async () => {
    const machine = kmsHost({ name: HOST, sppsvc: { state: 'Stopped' } })
    const server = await serve(machine)
    const reading = readingOf(await ask('licensing', server))
    expect(reading.service.state).toBe('stopped')
    expect(reading.kms).toBeUndefined()
    expect(machine.sppsvc.state).toBe('Stopped')
    expect(server.asked.join('\n')).not.toContain('SoftwareLicensing')
  })

  it('of a host that nobody has asked yet, and whose key is not activated', async () => {
    const product = kmsProduct({
      LicenseStatus: 5,
      LicenseStatusReason: 0xc004_f009,
      KeyManagementServiceCurrentCount: 0xffff_ffff,
      KeyManagementServiceTotalRequests: 0xffff_ffff,
    })
    const server = await serve(kmsHost({ name: HOST, products: [product] }))
    const reading = readingOf(await ask('licensing', server))
    expect(reading.kms?.products[0]).toMatchObject({
      licenseStatus: 'notification',
      licenseReason: '0xC004F009',
      currentClients: undefined,
      requestsReceived: undefined,
    })
  })

  it('without the right to services: unknown, and asked all the same', async () => {
    const server = await serve(kmsHost({ name: HOST }), rights({ services: false }))
    const reading = readingOf(await ask('licensing', server))
    expect(reading.service.state).toBe('unknown')
    expect(reading.kms?.products).toHaveLength(2)
  })

  it('without the right to the namespace: denied, and says so', async () => {
    const server = await serve(kmsHost({ name: HOST }), rights({ namespace: false }))
    const { failure } = await ask('licensing', server)
    expect(failure).toMatchObject({ stage: 'ask', reason: 'access_denied' })
  })
})

describe('service', () => {
  it('runs since its process started', async () => {
    const machine = kmsHost({ name: HOST })
    const reading = readingOf(await ask('service', await serve(machine)))
    expect(reading).toMatchObject({
      state: 'running',
      source: 'winrm',
      startMode: 'auto',
      exitCode: undefined,
    })
    expect(reading.processStartSeconds).toBe(machine.sppsvc.startedAtSeconds)
  })

  it('stopped by its own code', async () => {
    const sppsvc = { state: 'Stopped', exitCode: 1066, serviceSpecificExitCode: 0xc004_e015 } as const
    const reading = readingOf(await ask('service', await serve(kmsHost({ name: HOST, sppsvc }))))
    expect(reading).toMatchObject({ state: 'stopped', exitCode: 0xc004_e015, processStartSeconds: undefined })
  })

  it('not to be seen: unknown', async () => {
    const server = await serve(kmsHost({ name: HOST }), rights({ services: false }))
    expect(readingOf(await ask('service', server))).toMatchObject({ state: 'unknown', startMode: undefined })
  })
})

describe('client', () => {
  it('that is well', async () => {
    const reading = readingOf(await ask('client', await serve(kmsClient())))
    expect(reading).toMatchObject({
      licenseStatus: 'licensed',
      graceSeconds: 248_400 * 60,
      isKmsClient: true,
      kms: { host: HOST, port: 1688, discoveredBy: 'dns' },
      lastActivation: { code: '0x00000000', answered: true, host: HOST },
      eventsReadable: true,
      clientOs: 'windows_11',
    })
  })

  it('that nobody answers', async () => {
    const products = [
      clientProduct({
        LicenseStatus: 5,
        GracePeriodRemaining: 0,
        KeyManagementServiceMachine: 'KMS09',
        KeyManagementServicePort: 1700,
      }),
    ]
    const machine = kmsClient({ products })
    const log = machine.log('Application')
    const now = machine.clock() / 1000
    log.append(request12288({ host: HOST, atSeconds: now - 3 * 86_400 }))
    log.append(response12289({ atSeconds: now - 3 * 86_400 }))
    log.append(request12288({ host: 'KMS09', port: 1700, hresult: 0x8007_06ba, atSeconds: now - 2 * 86_400 }))
    const reading = readingOf(await ask('client', await serve(machine)))
    expect(reading).toMatchObject({
      licenseStatus: 'notification',
      graceSeconds: 0,
      kms: { host: 'kms09', port: 1700, discoveredBy: 'configured' },
      lastActivation: { code: '0x800706BA', answered: false, host: 'kms09' },
    })
  })

  it('of Active Directory', async () => {
    const server = await serve(kmsClient({ products: [clientProduct({ VLActivationType: 1 })] }))
    expect(readingOf(await ask('client', server)).kms?.discoveredBy).toBe('active_directory')
  })

  it.for(['hidden', 'denied'] as const)('whose events are %s tells its licence', async (events) => {
    const reading = readingOf(await ask('client', await serve(kmsClient(), rights({ events }))))
    expect(reading).toMatchObject({
      licenseStatus: 'licensed',
      eventsReadable: false,
      lastActivation: undefined,
    })
  })
})

it('the clock by cim', async () => {
  const machine = kmsHost({ name: HOST, clock: () => Date.now() + 5 * 3_600_000 })
  const reading = readingOf(await ask('clock', await serve(machine), '', 'cim'))
  const [{ source, offset } = { source: '', offset: { low: 0, high: 0 } }] = reading.samples
  expect(source).toBe('cim')
  expect(offset.low).toBeLessThanOrEqual(18_000)
  expect(offset.high).toBeGreaterThanOrEqual(18_000)
  expect(offset.high - offset.low).toBeLessThan(1)
})
