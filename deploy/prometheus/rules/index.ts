// All rules, in the order in which they build on each other.
import { causes } from './causes.ts'
import { domains } from './domains.ts'
import { hosts } from './hosts.ts'
import { records } from './records.ts'
import type { AlertRule, Group } from './rule.ts'
import { watch } from './watch.ts'

export const GROUPS: readonly Group[] = [records, causes, domains, hosts, watch]

export const ALERTS: readonly AlertRule[] = GROUPS.flatMap(({ rules }) => rules).filter(
  (rule): rule is AlertRule => 'runbook' in rule,
)
