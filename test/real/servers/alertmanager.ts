// Alertmanager itself, alone or in a cluster, on loopback, in a folder of its own; amtool, its checker; and somebody to
// notify, who keeps what he was told.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { program } from './need.ts'
import { freePort, place } from './ports.ts'
import { launch, makeDirectory } from './process.ts'
import type { Server } from './process.ts'

const REQUEST_MILLISECONDS = 5_000
const AMTOOL_MILLISECONDS = 15_000

export type Labels = Readonly<Record<string, string>>

/** An alert as its API v2 gives it; `state` is `unprocessed` until it has been looked at once. */
export interface HeldAlert {
  readonly labels: Labels
  readonly status: {
    readonly state: 'unprocessed' | 'active' | 'suppressed'
    readonly inhibitedBy: readonly string[]
  }
}

export interface AlertmanagerServer extends Server {
  readonly url: string
  /** What it holds that has not ended, inhibited or not. */
  readonly alerts: () => Promise<readonly HeldAlert[]>
  /** Tells it of alerts as Prometheus does; they last for an hour. */
  readonly post: (alerts: readonly Labels[]) => Promise<void>
}

/** Who is in a cluster: itself, and the others, by their ports on loopback. */
export interface Cluster {
  readonly port: number
  readonly peers: readonly number[]
  /** How long the second one waits for the first to notify, and the third for the second. */
  readonly peerTimeoutSeconds: number
}

function clusterFlags(cluster: Cluster | undefined): readonly string[] {
  if (cluster === undefined) return ['--cluster.listen-address=']
  return [
    `--cluster.listen-address=127.0.0.1:${cluster.port}`,
    ...cluster.peers.map((port) => `--cluster.peer=127.0.0.1:${port}`),
    `--cluster.peer-timeout=${cluster.peerTimeoutSeconds}s`,
    '--cluster.gossip-interval=100ms',
    '--cluster.settle-timeout=5s',
  ]
}

/**
 * Rejects like launch(), also when the configuration is wrong. Throws when the configuration names a receiver that is not
 * on this machine: see `notifying`.
 */
export async function startAlertmanager(configYaml: string, cluster?: Cluster): Promise<AlertmanagerServer> {
  for (const [, host] of configYaml.matchAll(/^[^#\n]*url: *https?:\/\/([^/:\s]+)/gm))
    if (host !== '127.0.0.1') throw new Error(`the test's Alertmanager would notify ${host}`)
  const command = program('prometheus-alertmanager')
  const at = await place({}, 9093)
  const directory = await makeDirectory('alertmanager')
  await writeFile(join(directory, 'alertmanager.yml'), configYaml)
  const running = await launch({
    name: 'alertmanager',
    command,
    args: [
      `--config.file=${directory}/alertmanager.yml`,
      `--storage.path=${directory}/data`,
      `--web.listen-address=${at.address}:${at.port}`,
      ...clusterFlags(cluster),
    ],
    directory,
    listens: [{ protocol: 'tcp', ...at }],
    ready: /Completed loading of configuration file/,
  })
  const url = `http://${at.address}:${at.port}`
  const ask = async (init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(`${url}/api/v2/alerts`, {
      ...init,
      signal: AbortSignal.timeout(REQUEST_MILLISECONDS),
    })
    if (!response.ok) throw new Error(`Alertmanager answers ${response.status}: ${await response.text()}`)
    return response
  }
  return {
    ...at,
    ...running,
    url,
    alerts: async () => (await (await ask()).json()) as HeldAlert[],
    post: async (alerts) => {
      const endsAt = new Date(Date.now() + 3_600_000).toISOString()
      const body = JSON.stringify(alerts.map((labels) => ({ labels, endsAt })))
      await ask({ method: 'POST', body, headers: { 'content-type': 'application/json' } })
    },
  }
}

/** `amtool ...`: how it ended and what it printed; what it warns of is not in it. */
export async function amtool(args: readonly string[]): Promise<{ code: number; out: string }> {
  return new Promise((resolve, reject) => {
    execFile(program('amtool'), args, { timeout: AMTOOL_MILLISECONDS }, (error, out) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ code: Number(error?.code ?? 0), out })
    })
  })
}

/** What Alertmanager posts to a webhook ("webhook_config"), as far as it is looked at here. */
export interface Notification {
  readonly receiver: string
  readonly groupLabels: Labels
  readonly alerts: readonly {
    readonly status: 'firing' | 'resolved'
    readonly labels: Labels
    readonly annotations: Labels
  }[]
}

export interface Notified {
  readonly url: string
  /** In the order in which they came. */
  readonly notifications: readonly Notification[]
  readonly stop: () => Promise<void>
}

/** Takes notifications on loopback. */
export async function startReceiver(): Promise<Notified> {
  const notifications: Notification[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      notifications.push(body as Notification)
      response.end()
    })
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${port}/`,
    notifications,
    stop: async () => {
      server.close()
      server.closeAllConnections()
      if (server.listening) await once(server, 'close')
    },
  }
}

/** The configuration, but that webhooks lead to `url` and that groups wait for so many seconds only. */
export function notifying(configYaml: string, url: string, groupSeconds: number): string {
  return configYaml
    .replaceAll(/^(\s*-? *url: *).+$/gm, `$1${url}`)
    .replaceAll(/^(\s*group_(?:wait|interval): *).+$/gm, `$1${groupSeconds}s`)
}
