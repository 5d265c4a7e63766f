// Units that panels may have: ids that Grafana knows, and suffixes of our own, which it takes as they are.
import * as units from '@grafana/grafana-foundation-sdk/units'

export const UNITS: readonly string[] = [
  ...Object.values(units).filter((unit): unit is string & typeof unit => typeof unit === 'string'),
  'suffix:d',
  'suffix:/h',
  'suffix:/min',
]
