// What Windows itself would say on the residents of the estate that can be asked: their licences, their counts, their
// event logs. A healthy story each, and one thing that is wrong.
import type { Clock } from './clock.ts'
import { publishFailed, published, request12288, response12289 } from './event-log.ts'
import type { KmsRequest } from './event-log.ts'
import { fleet, traffic } from './traffic.ts'
import type { WindowsMachine } from './windows-machine.ts'
import { NO_COUNT, clientProduct, kmsClient, kmsHost, kmsProduct } from './windows-machine.ts'

/** `name`: the machine's DNS name. */
export type Story = (name: string, clock: Clock) => WindowsMachine

const INVALID_TIMESTAMP = 0xc004_f06c
const ID_MISMATCH = 0xc004_f042
const NOT_ACTIVATED = 0xc004_f041
const BADSIG = 0x8007_2338
const GRACE_EXPIRED = 0xc004_f009
const NO_HOST = 0xc004_f074

const SERVER = { minCount: 5, isVirtual: true } as const

/** Forty clients and a dozen servers that ask each week, one of them with a clock of its own. */
function usualFleet(): KmsRequest[] {
  const lost: KmsRequest = {
    clientName: 'PC-LOST',
    cmid: '5e3f0d51-2a1b-4a7e-8a52-6a0a8c1f4e21',
    hresult: INVALID_TIMESTAMP,
    skewSeconds: -(9 * 3600 + 7 * 60),
    licenseStatus: 2,
    minutesToExpiration: 21 * 1440,
  }
  return [...fleet('PC', 40), ...fleet('SRV', 12, SERVER), lost]
}

export const busyHost: Story = (name, clock) => kmsHost({ name, clock, passTime: traffic(usualFleet()) })

/** Another host owns the record: DNS refuses the update, every day. */
export const unpublishedHost: Story = (name, clock) => {
  const machine = kmsHost({
    name,
    clock,
    publishes: false,
    passTime: traffic(fleet('PLANT', 34), 60),
  })
  const domain = name.split('.').slice(1).join('.')
  const log = machine.log('Application')
  const now = clock() / 1000
  for (const days of [2, 1]) log.append(publishFailed(domain, BADSIG, now - days * 86_400))
  log.append(published('corp.example', now - 3600))
  log.append(publishFailed(domain, BADSIG, now - 1800))
  return machine
}

/** The host is five hours ahead, so that each client seems five hours behind. */
export const skewedHost: Story = (name, clock) => {
  const skewed = { skewSeconds: -5 * 3600, hresult: INVALID_TIMESTAMP, licenseStatus: 2 }
  return kmsHost({ name, clock, passTime: traffic(fleet('PLANT', 34, skewed), 60) })
}

export const disabledHost: Story = (name, clock) =>
  kmsHost({
    name,
    clock,
    publishes: false,
    licensing: {
      IsKeyManagementServiceMachine: 0,
      KeyManagementServiceCurrentCount: NO_COUNT,
      KeyManagementServiceTotalRequests: NO_COUNT,
      KeyManagementServiceFailedRequests: NO_COUNT,
      RequiredClientCount: NO_COUNT,
    },
    products: [
      clientProduct({
        ID: '9bd77860-9b31-4b7b-96ad-2564017315bf',
        Name: 'Windows(R), ServerStandard edition',
        LicenseFamily: 'ServerStandard',
        DiscoveredKeyManagementServiceMachineName: 'kms01.corp.example',
      }),
    ],
  })

export const unlicensedHost: Story = (name, clock) =>
  kmsHost({
    name,
    clock,
    products: [kmsProduct({ LicenseStatus: 5, LicenseStatusReason: GRACE_EXPIRED })],
    passTime: traffic(fleet('LAB', 30, { hresult: NOT_ACTIVATED, licenseStatus: 2 }), 60),
  })

/** Three servers, where five are needed. */
export const emptyHost: Story = (name, clock) =>
  kmsHost({
    name,
    clock,
    licensing: { KeyManagementServiceCurrentCount: 3, RequiredClientCount: 5 },
    products: [kmsProduct({ KeyManagementServiceCurrentCount: 3, RequiredClientCount: 5 })],
    passTime: traffic(fleet('NODE', 3, { ...SERVER, licenseStatus: 2, minutesToExpiration: 19 * 1440 }), 60),
  })

/** Thirty clients from one image: they have twelve CMIDs between them, where 25 are needed. */
export const clonedHost: Story = (name, clock) => {
  const grace = { licenseStatus: 2, minutesToExpiration: 12 * 1440, shape: 'joined' } as const
  const machines = fleet('VDI', 30, grace)
  const clones = machines.map((each, index) => ({ ...each, cmid: machines[index % 12]?.cmid ?? each.cmid }))
  return kmsHost({
    name,
    clock,
    licensing: { KeyManagementServiceCurrentCount: 12 },
    products: [kmsProduct({ KeyManagementServiceCurrentCount: 12 })],
    passTime: traffic(clones),
  })
}

/** Windows Server 2016 of early 2021: too old for Server 2022, and told so by its own clients. */
export const oldHost: Story = (name, clock) => {
  const refused = fleet('NEW', 2, { ...SERVER, hresult: ID_MISMATCH, licenseStatus: 2 })
  return kmsHost({
    name,
    clock,
    os: { caption: 'Microsoft Windows Server 2016 Standard', version: '10.0.14393', ubr: 4283 },
    passTime: traffic([...fleet('LAB', 32), ...refused], 60),
  })
}

export const unreadableHost: Story = (name, clock) =>
  kmsHost({ name, clock, passTime: traffic(fleet('LAB', 32), 60) })

// ---- Canaries

export const activatedClient: Story = (name, clock) => {
  const kms = 'kms01.corp.example'
  const product = clientProduct({ DiscoveredKeyManagementServiceMachineName: kms })
  const machine = kmsClient({ name, clock, products: [product] })
  const at = clock() / 1000 - 3 * 3600
  machine.log('Application').append(request12288({ host: kms, atSeconds: at }))
  machine.log('Application').append(response12289({ atSeconds: at + 1 }))
  return machine
}

/** Told by hand to ask a host that has stopped serving; its grace has run out. */
export const strandedClient: Story = (name, clock) => {
  const kms = 'kms-stopped.plant.example'
  const product = clientProduct({
    LicenseStatus: 5,
    LicenseStatusReason: GRACE_EXPIRED,
    GracePeriodRemaining: 0,
    KeyManagementServiceMachine: kms,
    KeyManagementServicePort: 1688,
    DiscoveredKeyManagementServiceMachineName: null,
    DiscoveredKeyManagementServiceMachineIpAddress: null,
    DiscoveredKeyManagementServiceMachinePort: 0,
  })
  const machine = kmsClient({ name, clock, products: [product] })
  const now = clock() / 1000
  for (const hours of [5, 3, 1]) {
    const attempt = { host: kms, hresult: NO_HOST, licenseStatus: 5, minutesToExpiration: 0 }
    machine.log('Application').append(request12288({ ...attempt, atSeconds: now - hours * 3600 }))
  }
  return machine
}
