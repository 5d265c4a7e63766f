// What every dashboard has around its panels: variables, links to the others, annotations where an alert fired.
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableHide,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type Panel,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { series } from './query.ts'
import { BAD } from './look.ts'
import { DATASOURCE } from './panels.ts'

/** The choices above the panels, beside data source, job, instance and vantage. */
export type Choice = 'site' | 'domain' | 'hosts' | 'host' | 'probe'

export interface Section {
  /** Of the row; as stable as a panel's. */
  readonly id: number
  readonly title: string
  readonly panels: readonly Builder<Panel>[]
}

export interface DashboardSpec {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly choices: readonly Choice[]
  readonly sections: readonly Section[]
  /** Pages of the exporter. */
  readonly pages: readonly { readonly title: string; readonly url: string }[]
  readonly since: string
}

export const ALL_ALERTS = 'alertname=~"Winkms.*"'

function queryVariable(name: string, label: string, definition: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .definition(definition)
    .query({ qryType: 1, query: definition, refId: 'PrometheusVariableQueryEditor-VariableQuery' })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NaturalAsc)
}

/** `all`: what stands for all, `.*` matching where the label is missing, too; without it, each of them by its name. */
function several(name: string, label: string, definition: string, all?: '.+' | '.*'): QueryVariableBuilder {
  const variable = queryVariable(name, label, definition).multi(true).includeAll(true)
  if (all !== undefined) variable.allValue(all)
  return variable.current({ text: 'All', value: '$__all' })
}

const INFO = 'winkms_exporter_build_info'

const CHOICES: Readonly<Record<Choice, () => QueryVariableBuilder>> = {
  site: () => several('site', 'Site', `label_values(${series('winkms_host_info')}, site)`, '.*'),
  domain: () =>
    several('domain', 'Domain', `label_values(${series('winkms_srv_lookup_success')}, domain)`, '.+'),
  hosts: () =>
    several('hosts', 'Hosts', `label_values(${series('winkms_host_info', 'site=~"$site"')}, host)`, '.+'),
  host: () => queryVariable('host', 'Host', `label_values(${series('winkms_host_info')}, host)`),
  probe: () => several('probe', 'Probe', `label_values(${series('winkms_exporter_targets')}, probe)`, '.+'),
}

export function dashboard(spec: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags(['winkms'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: spec.since, to: 'now' })
    .refresh('1m')
    .timezone('browser')
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    // By name: other jobs have an `up` and a memory, too.
    .withVariable(several('job', 'Job', `label_values(${INFO}, job)`))
    .withVariable(several('instance', 'Instance', `label_values(${INFO}{job=~"$job"}, instance)`, '.+'))
    // A label that users may give exporters: without it, all are of all vantage points.
    .withVariable(
      several(
        'vantage',
        'Vantage',
        `label_values(${INFO}{job=~"$job",instance=~"$instance"}, vantage)`,
        '.*',
      ),
    )
  for (const choice of spec.choices) builder.withVariable(CHOICES[choice]())
  builder.withVariable(
    queryVariable(
      'exporter_url',
      'Exporter URL',
      `label_values(${series('winkms_exporter_external_url_info')}, url)`,
    ).hide(VariableHide.HideVariable),
  )
  for (const each of linksOf(spec)) builder.link(each)
  builder.annotation(alerts(spec))
  for (const section of spec.sections) {
    builder.withRow(new RowBuilder(section.title).id(section.id))
    for (const panel of section.panels) builder.withPanel(panel)
  }
  return builder.build()
}

function linksOf({ pages }: DashboardSpec): readonly DashboardLinkBuilder[] {
  const others = new DashboardLinkBuilder('KMS dashboards')
    .type(DashboardLinkType.Dashboards)
    .tags(['winkms'])
    .includeVars(true)
    .keepTime(true)
  return [
    others,
    ...pages.map(({ title, url }) =>
      new DashboardLinkBuilder(title)
        .type(DashboardLinkType.Link)
        .icon('external link')
        .url(url)
        .targetBlank(true),
    ),
  ]
}

function alerts({ choices }: DashboardSpec): AnnotationQueryBuilder {
  // Without a host: an alert of a domain, or of the exporter.
  const which = choices.includes('host') ? `${ALL_ALERTS},host=~"$host|"` : ALL_ALERTS
  return new AnnotationQueryBuilder()
    .name('Alerts')
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor(BAD)
    .expr(`ALERTS{${which},alertstate="firing"}`)
    .titleFormat('{{alertname}}')
    .textFormat('{{host}} {{domain}} {{vantage}}')
    .tagKeys('severity')
    .step('60s')
}
