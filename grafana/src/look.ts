// What colours, words and levels mean, the same on every dashboard. Unknown has a word and a colour of its own, and the
// colour is never that of good news. The levels are those of the alerts.
import {
  MappingType,
  SpecialValueMatch,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Threshold,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { CAUSE_NAMES, rowOf } from '../../src/diagnosis/causes.ts'
import { LEVELS } from '../../src/kms/levels.ts'
import { FULL, STATE_NUMBERS } from './query.ts'

export const GOOD = 'green'
export const WARNING = 'orange'
export const BAD = 'red'
/** Of what is known, but neither good nor bad. */
export const PLAIN = 'blue'
export const UNKNOWN = '#8e8e8e'

type Word = readonly [text: string, color: string]

/** Words for values. What is not there is said to be unknown, unless `absent` has another word for it. */
export function words(
  values: Readonly<Record<string, Word>>,
  absent: Word = ['unknown', UNKNOWN],
): ValueMapping[] {
  const [text, color] = absent
  const options = Object.entries(values).map(
    ([value, [said, painted]], index) => [value, { text: said, color: painted, index }] as const,
  )
  return [
    ...(options.length === 0
      ? []
      : [{ type: MappingType.ValueToText, options: Object.fromEntries(options) } as const]),
    {
      type: MappingType.SpecialValue,
      options: { match: SpecialValueMatch.NullAndNan, result: { text, color, index: options.length } },
    },
    {
      type: MappingType.SpecialValue,
      options: { match: SpecialValueMatch.Empty, result: { text, color, index: options.length + 1 } },
    },
  ]
}

export const CANNOT_TELL: Word = ['cannot tell', UNKNOWN]

export const SERVING_WORDS = words(
  { 1: ['serving', GOOD], 0: ['not serving', BAD], '-1': CANNOT_TELL },
  CANNOT_TELL,
)

export const VERDICT_WORDS = words(
  { 1: ['named', BAD], 0: ['ruled out', GOOD], '-1': CANNOT_TELL },
  CANNOT_TELL,
)

/** `yes` is good news. */
export const YES_NO = words({ 1: ['yes', GOOD], 0: ['no', BAD], '-1': CANNOT_TELL }, CANNOT_TELL)

export const STATE_WORDS = words(
  {
    ...Object.fromEntries(
      Object.entries(STATE_NUMBERS).map(([state, number]): [string, Word] => [
        String(number),
        [state.replace('_', ' '), { running: GOOD, stopped: BAD, unknown: UNKNOWN }[state] ?? WARNING],
      ]),
    ),
    '-1': CANNOT_TELL,
  },
  CANNOT_TELL,
)

/** Causes by their titles. */
export const CAUSE_WORDS = words(
  Object.fromEntries(
    CAUSE_NAMES.map((cause): [string, Word] => [
      cause,
      [rowOf(cause).title, rowOf(cause).stopsService ? BAD : WARNING],
    ]),
  ),
  ['–', UNKNOWN],
)

export const LICENSE_WORDS = words({
  licensed: ['licensed', GOOD],
  unlicensed: ['unlicensed', BAD],
  notification: ['notification', BAD],
  oob_grace: ['initial grace', WARNING],
  oot_grace: ['out-of-tolerance grace', WARNING],
  non_genuine_grace: ['non-genuine grace', WARNING],
  extended_grace: ['extended grace', WARNING],
})

export const COUNT_WORDS = words({ [FULL]: ['full', GOOD] })

/** Of labels: there is none. */
export const LABEL_WORDS = words({}, ['–', UNKNOWN])

/** Unknown, and nothing else: for numbers that speak for themselves. */
export const NUMBER_WORDS = words({})

function thresholds(steps: readonly Threshold[]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...steps])
}

interface Level {
  readonly warning: number
  readonly critical: number
}

/** The less, the worse. */
export function below({ warning, critical }: Level): ThresholdsConfigBuilder {
  return thresholds([
    { value: null, color: BAD },
    { value: critical, color: WARNING },
    { value: warning, color: GOOD },
  ])
}

/** The further from zero, the worse. */
export function beyond({ warning, critical }: Level): ThresholdsConfigBuilder {
  return thresholds([
    { value: null, color: BAD },
    { value: -critical, color: WARNING },
    { value: -warning, color: GOOD },
    { value: warning, color: WARNING },
    { value: critical, color: BAD },
  ])
}

/** From `value` on `color`, and nothing to say below. */
export function from(value: number, color: string, until: string = PLAIN): ThresholdsConfigBuilder {
  return thresholds([
    { value: null, color: until },
    { value, color },
  ])
}

/** One colour. */
export function plain(color: string = PLAIN): ThresholdsConfigBuilder {
  return thresholds([{ value: null, color }])
}

const DAY = 86_400

/** In days, as people count what is left of a licence. */
export const EXPIRY_DAYS = {
  warning: LEVELS.clientExpirySeconds.warning / DAY,
  critical: LEVELS.clientExpirySeconds.critical / DAY,
} as const

/** One for each cause, to be told apart; none is green. */
export const CAUSE_COLORS: readonly string[] = ['red', 'orange', 'yellow', 'purple', 'blue'].flatMap(
  (color) => [`dark-${color}`, color, `light-${color}`],
)
