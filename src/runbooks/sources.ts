// The documents that runbooks rest on, by title and number. Microsoft's move too often for addresses to last.
import type { Source } from './runbook.ts'

export const SOURCES = {
  kb974998: { says: 'Microsoft: Error 0xC004F074 when you activate Windows (KB 974998)' },
  kb929829: { says: 'Microsoft: the KMS current count does not increase (KB 929829)' },
  kb2553863: { says: 'Microsoft: event 12293 with error 0x800723xx on a KMS host (KB 2553863)' },
  skew: { says: 'Microsoft: Error 0xC004F06C when you activate Windows' },
  noName: { says: 'Microsoft: Error 0x8007232B when you activate Windows' },
  event8198: { says: 'Microsoft: activation fails with event 8198' },
  noise: { says: 'Microsoft: events 8200, 8208 and 900 without access to the internet' },
  general: { says: 'Microsoft: General troubleshooting for KMS activation' },
  planning: { says: 'Microsoft: Key Management Services (KMS) activation planning' },
  clients: { says: 'Microsoft: Activate clients using KMS' },
  dns: { says: 'Microsoft: Common troubleshooting procedures for KMS and DNS' },
  timing: { says: 'Microsoft: KMS Activation Timing and Discovery' },
  deploy: { says: 'Microsoft: Deploy KMS Activation' },
  registry: { says: 'Microsoft: Registry Settings for Volume Activation' },
  operations: { says: 'Microsoft: Volume Activation 2.0 Operations Guide (events 12288 to 12294)' },
  codes: { says: 'Microsoft: Troubleshoot activation error codes' },
  slmgr: { says: 'Microsoft: Slmgr.vbs options for volume activation' },
  wmi: { says: 'Microsoft: WMI Properties and Methods for Volume Activation' },
  rfc2782: { says: 'RFC 2782: a DNS RR for specifying the location of services' },
  alerts: { says: 'Every alert, and when it fires', file: 'alerts.md' },
  metrics: { says: 'Every metric, with its labels', file: 'metrics.md' },
  permissions: { says: 'What the account that reads needs', file: 'permissions.md' },
  firewall: {
    says: 'A silent port may be a stopped service',
    file: 'decisions/003-windows-firewall-hides-stopped-services.md',
  },
  notStarting: {
    says: 'Monitoring does not start what it measures',
    file: 'decisions/004-monitoring-does-not-start-what-it-measures.md',
  },
  drift: {
    says: 'Raw offsets, and drift that is corrected',
    file: 'decisions/001-raw-offsets-and-corrected-drift.md',
  },
  locking: {
    says: 'One logon, and no locked accounts',
    file: 'decisions/005-one-connection-one-logon-and-no-locked-accounts.md',
  },
  state: {
    says: 'Bookmark and counters in one file',
    file: 'decisions/006-bookmark-and-counters-in-one-file.md',
  },
} as const satisfies Record<string, Source>
