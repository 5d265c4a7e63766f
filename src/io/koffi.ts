// The way to functions of the system's libraries. Optional, native and rarely wanted: loaded at its first use.

export type Koffi = (typeof import('koffi'))['default']

/** Rejects where the package is not installed. */
export async function loadKoffi(): Promise<Koffi> {
  const { default: koffi } = await import('koffi')
  return koffi
}
