// Which clients a KMS host can activate. Two things decide: its key (the CSVLK says what it activates), and, for servers
// newer than the host itself, an update. Compared by build.UBR and never by KB: later cumulative updates supersede the KB
// that the tables name. Source of both tables: "Key Management Services (KMS) activation planning" (Microsoft, 11/2024);
// of the builds, Microsoft's update histories. What cannot be decided by these is left out: unknown is not "no".
import { isServer, type ClientOs } from './client-os.ts'
import { isOfficeKey, isWindowsKey, type WindowsKey } from './products.ts'

export interface HostFacts {
  readonly build: number | undefined
  readonly ubr: number | undefined
  /** The host may be later than that, and no older. */
  readonly ubrIsLeast?: boolean
  readonly productType: 'workstation' | 'domain_controller' | 'server' | undefined
  /** Its KMS products, as `productName` calls them. Empty: not known, or no KMS host; nothing follows then. */
  readonly channels: readonly string[]
}

const BUILDS: Readonly<Record<ClientOs, number>> = {
  windows_server_2025: 26_100,
  windows_server_2022: 20_348,
  windows_server_2019: 17_763,
  windows_server_2016: 14_393,
  windows_server_2012_r2: 9600,
  windows_server_2012: 9200,
  windows_server_2008_r2: 7601,
  // No table asks for an update on Windows Server 2022, though 22000 is the greater number.
  windows_11: 20_348,
  // The table of Windows Server 2016 has it, though later releases of Windows 10 are newer.
  windows_10: 10_240,
  windows_8_1: 9600,
  windows_8: 9200,
  windows_7: 7601,
}

/** As the table has them: of Windows 8, which is newer than 7 and older than 8.1, it says nothing. */
const OLD_CLIENTS = ['windows_8_1', 'windows_7'] as const
const SERVERS_TO_2012_R2 = [
  'windows_server_2012_r2',
  'windows_server_2012',
  'windows_server_2008_r2',
] as const
const SERVERS_TO_2016 = ['windows_server_2016', ...SERVERS_TO_2012_R2] as const
const SERVERS_TO_2019 = ['windows_server_2019', ...SERVERS_TO_2016] as const
const SERVERS_TO_2022 = ['windows_server_2022', ...SERVERS_TO_2019] as const
const CLIENTS_TO_10 = ['windows_10', ...OLD_CLIENTS] as const
const CLIENTS_TO_11 = ['windows_11', ...CLIENTS_TO_10] as const

/** `silent`: the table neither names nor excludes it. What is in neither list, the key does not activate. */
const KEYS: Readonly<
  Record<WindowsKey, { readonly activates: readonly ClientOs[]; readonly silent?: readonly ClientOs[] }>
> = {
  ws2025: {
    activates: ['windows_server_2025', ...SERVERS_TO_2022, ...CLIENTS_TO_11],
    silent: ['windows_8'],
  },
  ws2022: { activates: [...SERVERS_TO_2022, ...CLIENTS_TO_11], silent: ['windows_8'] },
  // Windows 11 is missing from these two rows, and nowhere said to be refused.
  ws2019: { activates: [...SERVERS_TO_2019, ...CLIENTS_TO_10], silent: ['windows_11', 'windows_8'] },
  ws2016: { activates: [...SERVERS_TO_2016, ...CLIENTS_TO_10], silent: ['windows_11', 'windows_8'] },
  w10: { activates: CLIENTS_TO_10, silent: ['windows_11', 'windows_8'] },
  // The keys below are older than the table; that a key activates its own release and those before is its rule still.
  ws2012_r2_w10: {
    activates: [...SERVERS_TO_2012_R2, 'windows_8', ...CLIENTS_TO_10],
    silent: ['windows_11'],
  },
  ws2012_r2: {
    activates: [...SERVERS_TO_2012_R2, 'windows_8', ...OLD_CLIENTS],
    silent: ['windows_10', 'windows_11'],
  },
  ws2012: {
    activates: ['windows_server_2012', 'windows_server_2008_r2', 'windows_8', 'windows_7'],
    silent: ['windows_8_1', 'windows_10', 'windows_11'],
  },
  ws2008_r2: {
    activates: ['windows_server_2008_r2', 'windows_7'],
    silent: ['windows_8', 'windows_8_1', 'windows_10', 'windows_11'],
  },
}

interface Update {
  readonly hostBuild: number
  readonly client: ClientOs
  readonly ubr: number
  /** Whether a host below is known to lack it. */
  readonly decides: boolean
  readonly source: string
}

/** Only what Microsoft gives a build for: for hosts before 14393 it names KBs and rollups. */
const UPDATES: readonly Update[] = [
  {
    hostBuild: 20_348,
    client: 'windows_server_2025',
    ubr: 2322,
    decides: true,
    // The planning page says KB5034765, which is Windows 11's update of that day.
    source: '20348.2322: KB5034770 of 13 February 2024',
  },
  {
    hostBuild: 17_763,
    client: 'windows_server_2025',
    ubr: 5458,
    decides: true,
    source: '17763.5458: KB5034768 of 13 February 2024',
  },
  {
    hostBuild: 17_763,
    client: 'windows_server_2022',
    ubr: 1999,
    decides: true,
    source: '17763.1999: KB5003646 of 8 June 2021',
  },
  {
    hostBuild: 14_393,
    client: 'windows_server_2022',
    ubr: 4467,
    decides: true,
    source: '14393.4467: KB5003638 of 8 June 2021',
  },
  // The table lists KB4478877 of December 2018 (14393.2641, unconfirmed) as well: enough at 4467, not known below.
  {
    hostBuild: 14_393,
    client: 'windows_server_2019',
    ubr: 4467,
    decides: false,
    source: '14393.4467: KB5003638 of 8 June 2021; KB4478877 may do',
  },
  // The key that activates Windows 11 needs the same update to be installed at all (inferred).
  ...(
    [
      [17_763, 1999, '17763.1999: KB5003646 of 8 June 2021'],
      [14_393, 4467, '14393.4467: KB5003638 of 8 June 2021'],
    ] as const
  ).map(([hostBuild, ubr, source]): Update => ({
    hostBuild,
    client: 'windows_11',
    ubr,
    decides: false,
    source,
  })),
]

interface Verdict {
  /** Undefined: not known. */
  readonly supported: boolean | undefined
  /** For people. */
  readonly why: string
}

function judgeUpdate({ build, ubr, ubrIsLeast = false }: HostFacts, os: ClientOs): Verdict {
  if (build === undefined) return { supported: undefined, why: 'the build of the host is not known' }
  if (BUILDS[os] <= build) return { supported: true, why: `build ${build} is not older` }
  const update = UPDATES.find(({ hostBuild, client }) => hostBuild === build && client === os)
  if (update === undefined)
    return { supported: undefined, why: `which build after ${build} it takes is not known` }
  if (ubr === undefined)
    return { supported: undefined, why: `it takes ${update.source}; the update revision is not known` }
  const has = `${build}.${ubr}`
  if (ubr < update.ubr && ubrIsLeast)
    return {
      supported: undefined,
      why: `it takes ${update.source}; the host's kernel is of ${has}, and the host may be later: its registry would tell`,
    }
  const why = `it takes ${update.source}; the host has ${has}`
  return { supported: ubr >= update.ubr ? true : update.decides ? false : undefined, why }
}

/** Whether the host can activate these clients, and why (not). */
export function judgeSupport(host: HostFacts, os: ClientOs): Verdict {
  const { channels, productType } = host
  if (channels.length === 0) return { supported: undefined, why: 'no KMS host key is known' }
  if (productType === 'workstation' && isServer(os))
    return { supported: false, why: 'a KMS host on a client system activates client systems only' }
  const keys = channels.filter(isWindowsKey)
  if (keys.some((key) => KEYS[key].activates.includes(os))) return judgeUpdate(host, os)
  const names = keys.length === 0 ? 'no key for Windows' : `only ${keys.join(', ')}`
  if (keys.some((key) => KEYS[key].silent?.includes(os)))
    return { supported: undefined, why: `${names}: whether that activates it is not documented` }
  if (channels.some((channel) => !isWindowsKey(channel) && !isOfficeKey(channel)))
    return { supported: undefined, why: 'one of its keys is not known here' }
  return { supported: false, why: `${names}, which does not activate it` }
}

/** The clients of which it is known whether the host can activate them. */
export function supports(host: HostFacts): Partial<Record<ClientOs, boolean>> {
  const known: Partial<Record<ClientOs, boolean>> = {}
  for (const os of Object.keys(BUILDS) as ClientOs[]) {
    const { supported } = judgeSupport(host, os)
    if (supported !== undefined) known[os] = supported
  }
  return known
}

/** Undefined for releases in between, and for whatever is newer than the list. */
export function clientOsOf({
  build,
  productType,
}: Pick<HostFacts, 'build' | 'productType'>): ClientOs | undefined {
  if (build === undefined || productType === undefined) return undefined
  if (productType === 'workstation') {
    if (build >= 22_000) return 'windows_11'
    if (build >= 10_240) return 'windows_10'
    return ({ 9600: 'windows_8_1', 9200: 'windows_8', 7601: 'windows_7', 7600: 'windows_7' } as const)[build]
  }
  return (
    {
      26100: 'windows_server_2025',
      20348: 'windows_server_2022',
      17763: 'windows_server_2019',
      14393: 'windows_server_2016',
      9600: 'windows_server_2012_r2',
      9200: 'windows_server_2012',
      7601: 'windows_server_2008_r2',
      7600: 'windows_server_2008_r2',
    } as const
  )[build]
}
