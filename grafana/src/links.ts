// From the estate to a host, from a host to the exporter's page, from a cause to its runbook. The variable holds where
// browsers reach the exporter (winkms_exporter_external_url_info).
import { link } from './panels.ts'

const EXPORTER = '${exporter_url:raw}'
const KEPT = '${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}'

/** From a cell or a series. `host` is where the name stands. */
export function toHost(host: '${__value.raw}' | '${__field.labels.host}') {
  return link('Show this host over time', `/d/winkms-host/winkms-host?var-host=${host}&${KEPT}`)
}

export function toPage(host: '${__value.raw}') {
  return link("The host's page, with the evidence", `${EXPORTER}/hosts/${host}`, true)
}

export function toRunbook(cause: '${__value.raw}' | '${__field.labels.cause}') {
  return link('Runbook of this cause', `${EXPORTER}/runbooks/${cause}`, true)
}

export const EXPORTER_PAGES = {
  status: { title: 'Status page', url: `${EXPORTER}/` },
  runbooks: { title: 'Runbooks', url: `${EXPORTER}/runbooks` },
  host: { title: "This host's page", url: `${EXPORTER}/hosts/\${host}` },
} as const

export const toRunbooks = () => link('Runbooks', EXPORTER_PAGES.runbooks.url, true)
