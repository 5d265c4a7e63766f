// Other people's clocks to Unix seconds UTC: FILETIME (MS-DTYP 2.3.3), NTP timestamps (RFC 4330 section 3) and
// HTTP dates (RFC 9110 5.6.7). No clock of our own is read here; a value that cannot be a time is undefined.

const TICKS_PER_SECOND = 10_000_000n
const FILETIME_OF_1970 = 116_444_736_000_000_000n
const YEAR_10000_SECONDS = 253_402_300_800
const NTP_OF_1970_SECONDS = 2_208_988_800
const NTP_ERA_SECONDS = 2 ** 32

/**
 * Unix seconds of a FILETIME (100 ns ticks since 1601 UTC), to about 0.2 µs. Undefined for 0, which Windows sends for
 * "not set", and for anything before 1970 or after year 9999.
 */
export function filetimeToUnixSeconds(filetime: bigint): number | undefined {
  const ticks = filetime - FILETIME_OF_1970
  if (ticks < 0n) return undefined
  // Whole and fractional seconds apart: today's ticks do not fit the 53 bits of a number.
  const seconds = Number(ticks / TICKS_PER_SECOND)
  return seconds < YEAR_10000_SECONDS ? seconds + Number(ticks % TICKS_PER_SECOND) / 1e7 : undefined
}

/**
 * Unix seconds of a 64-bit NTP timestamp in two halves. 0/0 means unknown. With the top bit set it lies in 1968-2036
 * (era 0), without it in 2036-2104 (era 1): RFC 4330 section 3.
 */
export function ntpToUnixSeconds(seconds32: number, fraction32: number): number | undefined {
  if (seconds32 === 0 && fraction32 === 0) return undefined
  const era = seconds32 >= 2 ** 31 ? 0 : NTP_ERA_SECONDS
  return seconds32 + era - NTP_OF_1970_SECONDS + fraction32 / 2 ** 32
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

// Groups: weekday, day, month, year, hour, minute, second; asctime has its own order.
const IMF_FIXDATE = /^(\w{3}), (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const RFC850_DATE = /^(\w{6,9}), (\d{2})-(\w{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const ASCTIME_DATE = /^(\w{3}) (\w{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/**
 * Unix seconds of an HTTP `Date`, one of the three forms of RFC 9110 5.6.7 exactly; undefined otherwise, also when the
 * weekday contradicts the date or the year is before 1970.
 */
export function parseHttpDate(text: string): number | undefined {
  if (text.length > 40) return undefined
  const imf = IMF_FIXDATE.exec(text)
  if (imf) {
    const [, weekday = '', day, month, year, ...clock] = imf
    return toSeconds(abbreviated(weekday), day, month, Number(year), clock)
  }
  const asctime = ASCTIME_DATE.exec(text)
  if (asctime) {
    const [, weekday = '', month, day, hour, minute, second, year] = asctime
    return toSeconds(abbreviated(weekday), day, month, Number(year), [hour, minute, second])
  }
  const rfc850 = RFC850_DATE.exec(text)
  if (rfc850) {
    const [, weekday = '', day, month, year, ...clock] = rfc850
    // Two digits name two years, and the weekday tells which: a century later it is never the same.
    const named = DAYS.indexOf(weekday)
    return (
      toSeconds(named, day, month, 2000 + Number(year), clock) ??
      toSeconds(named, day, month, 1900 + Number(year), clock)
    )
  }
  return undefined
}

function abbreviated(weekday: string): number {
  return DAYS.findIndex((name) => name.slice(0, 3) === weekday)
}

function toSeconds(
  weekday: number,
  dayText: string | undefined,
  monthText: string | undefined,
  year: number,
  clock: readonly (string | undefined)[],
): number | undefined {
  const day = Number(dayText)
  const month = MONTHS.indexOf(monthText ?? '')
  const [hour = NaN, minute = NaN, second = NaN] = clock.map(Number)
  // Second 60 is a leap second, and counts as the next minute's first, as POSIX time has it.
  if (year < 1970 || month < 0 || hour > 23 || minute > 59 || second > 60) return undefined
  const midnight = new Date(Date.UTC(year, month, day))
  if (midnight.getUTCDate() !== day || midnight.getUTCDay() !== weekday) return undefined
  return midnight.getTime() / 1000 + hour * 3600 + minute * 60 + second
}
