// What several alerts ask for, asked once. Whatever exporter saw it: two that watch the same hosts are a pair, and their
// `instance` is gone from here on.
import { CAUSE_NAMES, rowOf } from '../../../src/diagnosis/causes.ts'
import { RENEWAL_SECONDS } from '../../../src/kms/thresholds.ts'
import { CLIENT, DOMAIN, EXPORTER, HOST, known, SUCCESS, type Group, type RecordingRule } from './rule.ts'

/** Causes for which the host does not serve, as a regular expression. */
export const STOPPING = CAUSE_NAMES.filter((cause) => rowOf(cause).stopsService).join('|')

const product = (record: string, metric: string): RecordingRule => ({
  record,
  expr: `max by (host, product, vantage) (${known(metric)})`,
})

export const records: Group = {
  name: 'winkms-records',
  rules: [
    {
      // Named by all of a pair that can tell: one whose own network is broken wakes nobody.
      record: 'winkms:cause:named',
      expr: `min by (host, cause, vantage) (${known('winkms_diagnosis')})`,
    },
    {
      record: 'winkms:host:stopping_causes',
      expr: `count by (${HOST}) (winkms:cause:named{cause=~"${STOPPING}"} == 1)`,
    },
    {
      record: 'winkms:host:serving',
      expr: `max by (${HOST}) (${known('winkms_host_serving')})`,
    },
    {
      record: 'winkms:host:domain',
      expr: `max by (host, ${DOMAIN}) (${known('winkms_host_domain_info')})`,
    },
    {
      record: 'winkms:domain:hosts_serving',
      expr: `sum by (${DOMAIN}) (winkms:host:domain * on (${HOST}) group_left () winkms:host:serving)`,
    },
    {
      record: 'winkms:domain:hosts_unknown',
      expr: `count by (${DOMAIN}) (winkms:host:domain unless on (${HOST}) winkms:host:serving)`,
    },
    {
      // In the domain of the host that has the fewest. Of whom it is not known, it is not counted on.
      record: 'winkms:host:others_serving',
      expr: `min by (${HOST}) (
  (winkms:host:domain * on (${DOMAIN}) group_left () winkms:domain:hosts_serving or 0 * winkms:host:domain)
  - on (host, ${DOMAIN}) (winkms:host:domain * on (${HOST}) group_left () winkms:host:serving or 0 * winkms:host:domain)
)`,
    },
    {
      record: 'winkms:host:drift_seconds',
      expr: `avg by (${HOST}) (${known('winkms_clock_drift_seconds')})`,
    },
    {
      record: 'winkms:host:drift_uncertainty_seconds',
      expr: `max by (${HOST}) (${known('winkms_clock_drift_uncertainty_seconds')})`,
    },
    product('winkms:product:clients', 'winkms_current_clients'),
    product('winkms:product:required_clients', 'winkms_required_clients'),
    product('winkms:product:clients_limit', 'winkms_current_clients_limit'),
    {
      // The host's own time of the request, corrected by how far its clock is off.
      record: 'winkms:host:idle_seconds',
      expr: `time() - max by (${HOST}) (${known('winkms_last_request_timestamp_seconds')})
+ on (${HOST}) (winkms:host:drift_seconds or 0 * max by (${HOST}) (${known('winkms_last_request_timestamp_seconds')}))`,
    },
    {
      // Each client asks once in a renewal interval. One that is alone is expected once in that time.
      record: 'winkms:host:expected_gap_seconds',
      expr: `(
  max by (${HOST}) (${known('winkms_renewal_interval_seconds')})
  or 0 * max by (${HOST}) (${known('winkms_distinct_clients{window="30d"}')}) + ${RENEWAL_SECONDS}
) / on (${HOST}) clamp_min(max by (${HOST}) (${known('winkms_distinct_clients{window="30d"}')}), 1)`,
    },
    {
      // Not licensed, or refused at its last attempt.
      record: 'winkms:client:failing',
      expr: `max by (${CLIENT}) (${known('winkms_client_license_status{status="licensed"}')}) == bool 0 == 1
or max by (${CLIENT}) (${known(`winkms_client_last_activation_result_info{code!="${SUCCESS}"}`)}) == 1`,
    },
    {
      // Who has said within a day to be one of ours, and whoever is a target since: a ticket for one that is down does not
      // end by itself.
      record: 'winkms:exporter:seen',
      expr: `max by (${EXPORTER}) (max_over_time(winkms_exporter_build_info[1d]))
or last_over_time(winkms:exporter:seen[1h]) and on (job, instance) up`,
    },
    {
      // As many as the exporters themselves say there are, but those of which nobody has heard; one that goes by another
      // number does not count.
      record: 'winkms:exporter:shards_missing',
      expr: `max by (vantage) (${known('winkms_exporter_shards')})
- count by (vantage) (
  count by (shard, vantage) (
    ${known('winkms_exporter_shards')}
    == on (vantage) group_left () max by (vantage) (${known('winkms_exporter_shards')})
  )
)`,
    },
    {
      record: 'winkms:host:requests_1h',
      expr: `max by (${HOST}) (sum without (result, min_clients) (increase(winkms_activation_requests_total[1h])))`,
    },
    {
      record: 'winkms:host:results_1h',
      expr: `max by (host, result, vantage) (sum without (min_clients) (increase(winkms_activation_requests_total[1h])))`,
    },
  ],
}
