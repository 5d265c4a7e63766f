// Queries that rightly find nothing in the demo, and why. history.test.ts shows each of them with something to find.

const YOUNG = 'a forecast needs an event log that has been read over more than 7 days'
const WHOLE = 'no log of the demo is cleared or overwritten, and nothing is shown where nothing happened'

/** By dashboard, panel and query. */
export const EMPTY_IN_THE_DEMO: Readonly<Record<string, string>> = {
  'winkms-capacity 11 F': YOUNG,
  'winkms-capacity 11 G': YOUNG,
  'winkms-capacity 13 A': YOUNG,
  'winkms-activity 23 A': WHOLE,
  'winkms-activity 23 B': WHOLE,
  'winkms-activity 24 C': 'KMS has failed to start on no host of the demo',
  'winkms-activity 24 D': 'nor has its renewal timer',
}

/** The same, but not always. */
export const MAY_BE_EMPTY: Readonly<Record<string, string>> = {
  'winkms-exporter 12 A': 'no run is skipped, unless the machine is overloaded',
  'winkms-exporter 25 A': 'nobody is turned away',
  'winkms-exporter 26 B': 'no answer of the demo is too long for a datagram',
}
