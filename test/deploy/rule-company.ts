// What a scene of one host and one exporter does not show: hosts of one domain, pairs of exporters, vantage points, what
// somebody else has seen to, and what is not told for a while.
import { playAll, type Change, type Firing, type Play } from './play.ts'
import { seriesOf, sick } from './rule-cases.ts'
import { HOSTS } from './rule-company-hosts.ts'
import { PAIRS } from './rule-company-pairs.ts'
import type { Company } from './rule-company-words.ts'

export const COMPANY: readonly Company[] = [...HOSTS, ...PAIRS]

export function playOf({ what, alert, one, two, besides, at = 90, step = 1 }: Company): Play {
  return {
    name: what,
    alert,
    at,
    step,
    series: {
      ...seriesOf(one, at, sick),
      ...(two && seriesOf(two, at, sick, 'two:11688')),
      ...besides,
    },
  }
}

const brief = (fired: readonly Firing[] = []): readonly string[] =>
  fired
    .map(({ labels: { severity, host, client, domain, instance, vantage } }) =>
      [severity, host ?? client ?? domain ?? instance, vantage].filter(Boolean).join(' '),
    )
    .toSorted()

/** What each row got that was not right. */
export async function breachesOf(rows: readonly Company[], change?: Change): Promise<readonly object[]> {
  const played = await playAll(rows.map(playOf), change)
  return rows.flatMap(({ alert, what, expected: want }, index) => {
    const got = brief(played[index])
    return JSON.stringify(got) === JSON.stringify(want) ? [] : [{ alert, what, got, want }]
  })
}
