// The values that the tests have the chart rendered for.
import type { Values } from './render.ts'

export const LEAST: Values = { image: { repository: 'registry.example/winkms-exporter' } }

/** Every value is given, and everything is on. */
export const EVERYTHING = {
  image: {
    repository: 'registry.example:5000/kms/winkms-exporter',
    tag: '0.1.0-debian',
    pullPolicy: 'Always',
  },
  imagePullSecrets: [{ name: 'registry' }],
  nameOverride: 'kms-watch',
  labels: { team: 'desktop' },
  config: {
    resolvers: ['192.0.2.1', '192.0.2.2:5353', '[2001:db8::1]:5300'],
    hosts: [
      {
        name: 'kms01.corp.example',
        port: 1700,
        addresses: ['192.0.2.10'],
        labels: { site: 'berlin' },
        windows: { via: 'windows_exporter', url: 'http://kms01.corp.example:9199/metrics' },
        probes: { port: { schedule: '30s' }, clock: { ports: { ntp: 1123 } } },
      },
      { name: 'kms02.corp.example', windows: { via: 'winrm', credentials: 'reader' } },
      {
        name: 'kms03.corp.example',
        windows: { via: 'winrm', credentials: 'keytab', url: 'https://kms03.corp.example:5999/wsman' },
      },
    ],
    clients: [{ name: 'pc-042.corp.example', windows: { via: 'winrm', credentials: 'second' } }],
    domains: [
      { name: 'corp.example', expect: ['kms01.corp.example', { target: 'kms02.corp.example', port: 1688 }] },
    ],
    credentials: {
      reader: {
        auth: 'ntlm',
        username: String.raw`CORP\svc-kms-reader`,
        password_file: '/etc/winkms-exporter/secrets/kms-reader/password',
      },
      second: { auth: 'ntlm', username: 'svc-second@corp.example', password_env: 'SECOND_PASSWORD' },
      keytab: {
        auth: 'kerberos',
        username: 'svc-kms@CORP.EXAMPLE',
        keytab_file: '/etc/winkms-exporter/secrets/kms-keytab/krb5.keytab',
      },
    },
    probes: { clock: { ports: { smb2: 1445 }, references: ['ntp.corp.example', '192.0.2.9:1230'] } },
  },
  shards: 3,
  replicas: 2,
  secretFiles: [{ secretName: 'kms-reader' }, { secretName: 'kms-keytab' }],
  secretEnv: [{ name: 'SECOND_PASSWORD', secretName: 'kms-second', key: 'password' }],
  web: {
    secretName: 'kms-web',
    file: 'web.yml',
    tls: true,
    clientCertificates: false,
    externalUrl: 'https://ops.corp.example/kms/',
    routePrefix: '/kms',
    allowHosts: ['kms.corp.example', '*.ops.corp.example'],
    enableLifecycle: true,
  },
  log: { level: 'debug', format: 'logfmt' },
  extraArgs: ['--probe.allow=*.corp.example'],
  extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-semi-space-size=4' }],
  extraVolumes: [{ name: 'krb5', configMap: { name: 'krb5-conf' } }],
  extraVolumeMounts: [{ name: 'krb5', mountPath: '/etc/krb5.conf', subPath: 'krb5.conf', readOnly: true }],
  persistence: { enabled: true, size: '2Gi', storageClass: 'fast', accessModes: ['ReadWriteOncePod'] },
  service: { type: 'NodePort', port: 80, annotations: { note: 'yes' } },
  serviceMonitor: {
    enabled: true,
    interval: '30s',
    scrapeTimeout: '20s',
    labels: { release: 'prometheus' },
    tlsConfig: { ca: { secret: { name: 'kms-web', key: 'ca.pem' } }, serverName: 'kms.corp.example' },
    basicAuth: {
      username: { name: 'kms-scrape', key: 'username' },
      password: { name: 'kms-scrape', key: 'password' },
    },
    relabelings: [{ action: 'replace', targetLabel: 'vantage', replacement: 'berlin' }],
    metricRelabelings: [{ action: 'drop', sourceLabels: ['__name__'], regex: 'nodejs_.*' }],
  },
  scrapeAnnotations: true,
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  dashboards: { enabled: true, labels: { grafana_dashboard: '1' }, annotations: { grafana_folder: 'KMS' } },
  networkPolicy: {
    enabled: true,
    from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
    egress: {
      enabled: true,
      to: [{ ipBlock: { cidr: '192.0.2.0/24' } }],
      tcp: [88, 1688, 5986],
      udp: [88, 123],
    },
  },
  podDisruptionBudget: { enabled: true, maxUnavailable: '50%' },
  serviceAccount: { create: true, name: 'kms', annotations: { note: 'none' } },
  resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '1Gi' } },
  podLabels: { tier: 'watch' },
  podAnnotations: { 'example.com/owner': 'desktop' },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'watch', effect: 'NoSchedule' }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }],
      },
    },
  },
  priorityClassName: 'high',
  dnsPolicy: 'None',
  dnsConfig: { nameservers: ['192.0.2.1'], searches: ['corp.example'] },
  hostAliases: [{ ip: '192.0.2.10', hostnames: ['kms01.corp.example'] }],
  terminationGracePeriodSeconds: 20,
} as const satisfies Values

/** What EVERYTHING names that the chart does not make. */
export const EXISTING = [
  'Secret/registry',
  'Secret/kms-reader',
  'Secret/kms-keytab',
  'Secret/kms-second',
  'Secret/kms-web',
  'Secret/kms-scrape',
  'ConfigMap/krb5-conf',
  'ConfigMap/of-my-own',
  'ServiceAccount/kms',
]

/** `path` is `a.b`; all above it is copied. */
function withValue(values: Values, path: string, value: unknown): Values {
  const [first = '', ...rest] = path.split('.')
  const inner = rest.length === 0 ? value : withValue((values[first] ?? {}) as Values, rest.join('.'), value)
  return { ...values, [first]: inner }
}

const off = (path: string, value: unknown = false): readonly [string, Values] => [
  `everything but ${path}`,
  withValue(EVERYTHING, path, value),
]

export const CASES: readonly (readonly [string, Values])[] = [
  ['the defaults', LEAST],
  ['three shards', { ...LEAST, shards: 3 }],
  ['a pair', { ...LEAST, replicas: 2 }],
  ['a digest', withValue(LEAST, 'image.digest', `sha256:${'a'.repeat(64)}`)],
  ['a long name', { ...LEAST, shards: 100, fullnameOverride: 'x'.repeat(60) }],
  ['everything', EVERYTHING],
  off('serviceMonitor.enabled'),
  off('serviceMonitor.tlsConfig', {}),
  off('prometheusRule.enabled'),
  off('dashboards.enabled'),
  off('networkPolicy.enabled'),
  off('networkPolicy.egress.enabled'),
  off('networkPolicy.egress.to', []),
  off('networkPolicy.from', []),
  off('podDisruptionBudget.enabled'),
  off('serviceAccount.create'),
  off('persistence.enabled'),
  off('persistence.storageClass', ''),
  off('web', {}),
  off('web.tls'),
  off('web.externalUrl', ''),
  off('web.routePrefix', ''),
  off('web.enableLifecycle'),
  off('scrapeAnnotations'),
  off('secretFiles', []),
  off('secretEnv', []),
  off('extraEnv', []),
  off('config', {}),
  off('shards', 1),
  off('replicas', 1),
  ['everything, with client certificates', withValue(EVERYTHING, 'web.clientCertificates', true)],
  ['everything, with a ConfigMap of its own', { ...EVERYTHING, existingConfigMap: 'of-my-own' }],
]
