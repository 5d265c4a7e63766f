// From when on somebody should know. Alerts fire, and dashboards and pages change their colour, at these levels and at no
// others. Our choice, but for those that `thresholds.ts` has from Microsoft.
import { CLIENT_THRESHOLD, CLOCK_LIMIT_SECONDS, LEAST_THRESHOLD } from './thresholds.ts'

const DAY = 86_400

export const LEVELS = {
  /** Of the absolute drift. Long before KMS refuses, Kerberos does. */
  driftSeconds: { warning: 3_600, critical: CLOCK_LIMIT_SECONDS },
  /** A count below is short of its threshold soon: some margin over 25 clients, over 5 servers. */
  count: {
    clients: { warning: 30, critical: CLIENT_THRESHOLD },
    servers: { warning: 7, critical: LEAST_THRESHOLD },
  },
  /** Of the first client's licence or grace period. Windows itself begins to warn its user at 30 days. */
  clientExpirySeconds: { warning: 60 * DAY, critical: 30 * DAY },
  /**
   * A host is idle when nobody has asked for so many times as long as its population lets expect, and at least over a
   * long weekend, in which office machines are switched off.
   */
  idle: { timesExpectedGap: 10, leastSeconds: 3 * DAY },
  /** Of requests with one result among all requests, and how many there have to be at least. */
  failingRequests: { ratio: 0.05, least: 3 },
  /** Hosts publish once a day. */
  dnsPublishFailedSeconds: { warning: DAY, critical: 2 * DAY },
} as const
