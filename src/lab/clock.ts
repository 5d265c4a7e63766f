// The simulated clocks, and the formats in which Windows and NTP write time down.
// FILETIME is MS-DTYP 2.3.3 (100 ns since 1601-01-01); the NTP timestamp is RFC 5905 6 (seconds since 1900, 32.32).

/** Unix milliseconds UTC, as the simulated machine believes. */
export type Clock = () => number

/** Positive: the machine is ahead of the real time. */
export function skewedClock(offsetSeconds: number): Clock {
  return () => Date.now() + offsetSeconds * 1000
}

const FILETIME_OF_UNIX_EPOCH = 116_444_736_000_000_000n

export function filetime(unixMilliseconds: number): bigint {
  return BigInt(Math.round(unixMilliseconds * 10_000)) + FILETIME_OF_UNIX_EPOCH
}

const NTP_SECONDS_OF_UNIX_EPOCH = 2_208_988_800n

/** Wraps in 2036, as the format does. */
export function ntpTimestamp(unixMilliseconds: number): bigint {
  const microseconds = BigInt(Math.round(unixMilliseconds * 1000)) + NTP_SECONDS_OF_UNIX_EPOCH * 1_000_000n
  return BigInt.asUintN(64, (microseconds << 32n) / 1_000_000n)
}
