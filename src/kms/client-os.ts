// The operating systems of clients, newest first, as the support matrix and the configuration name them.

export const CLIENT_OSES = [
  'windows_server_2025',
  'windows_server_2022',
  'windows_server_2019',
  'windows_server_2016',
  'windows_server_2012_r2',
  'windows_server_2012',
  'windows_server_2008_r2',
  'windows_11',
  'windows_10',
  'windows_8_1',
  'windows_8',
  'windows_7',
] as const

export type ClientOs = (typeof CLIENT_OSES)[number]

/** The rest are client systems. */
export const isServer = (os: ClientOs): boolean => os.startsWith('windows_server_')
