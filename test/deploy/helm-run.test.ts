// The exporter, run as the pods that Helm rendered say: it starts with these arguments and files and no rights, answers its
// probes, and shards divide the hosts. No cluster is involved.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { build, samplesOf, until } from '../e2e/built.ts'
import { program, realServer } from '../real/servers/need.ts'
import { makeSelfSigned } from '../real/servers/self-signed.ts'
import { clusterOf, startPod, type Cluster, type Pod } from './helm/pod.ts'
import { statefulSets } from './helm/objects.ts'
import { fetchHelm, needHelm } from './helm/programs.ts'
import { render, type Values } from './helm/render.ts'
import { EVERYTHING, LEAST } from './helm/values.ts'

vi.setConfig({ testTimeout: 90_000 })

let pods: Pod[] = []

beforeAll(async () => {
  await build()
  await fetchHelm()
}, 300_000)
beforeEach((context) => {
  needHelm(context)
  realServer(context, ['root', 'namespaces', 'unshare', 'nsenter', 'setpriv', 'ip', 'openssl', 'htpasswd'])
})
afterEach(async () => {
  await Promise.all(pods.map((pod) => pod.stop()))
  pods = []
})

/** One pod of each shard, when all are ready. */
async function started(values: Values, secrets: Cluster['secrets'] = {}): Promise<readonly Pod[]> {
  const objects = await render(values)
  pods = statefulSets(objects).map((set) => startPod(set, clusterOf(objects, secrets)))
  await Promise.all(pods.map((pod) => pod.ready()))
  return pods
}

const HOSTS = Array.from({ length: 12 }, (_, index) => ({
  name: `kms${index + 10}.corp.example`,
  connect_to: `127.0.0.${index + 10}`,
}))
const config = { hosts: HOSTS, domains: [], probes: { port: { schedule: '2s', timeout: '1s' } } }

it('three shards watch all hosts, each by one of them', async () => {
  const shards = await started({ ...LEAST, shards: 3, config })
  const watched = await Promise.all(
    shards.map(async (pod) => {
      const { status, body } = await pod.get('/metrics')
      expect(status).toBe(200)
      return samplesOf(body, 'winkms_host_info').map(({ labels }) => labels['host'] ?? '')
    }),
  )
  for (const hosts of watched) expect(hosts.length).toBeGreaterThan(0)
  expect(watched.flat().toSorted()).toEqual(HOSTS.map(({ name }) => name))
  // Their machine answers and nobody listens there; so it is told.
  const [first] = shards
  await until(20, 'the first shard has asked its hosts', async () => {
    const answered = samplesOf((await first?.get('/metrics'))?.body ?? '', 'winkms_host_serving')
    return answered.length === watched[0]?.length ? true : undefined
  })
})

describe('a pod', () => {
  it('has no rights, and no place to write but its storage', async () => {
    const [pod] = await started({ ...LEAST, config })
    const pid = pod?.running.pid ?? 0
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    expect(status).toMatch(/^Uid:\t65532\t65532\t65532\t65532$/m)
    expect(status).toMatch(/^NoNewPrivs:\t1$/m)
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd'])
      expect(status).toMatch(new RegExp(`^${set}:\t0+$`, 'm'))
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n')
    const writable = mounts
      .filter((line) => / rw[, ]/.test(line.split(' - ')[0] ?? ''))
      .map((line) => line.split(' ')[4])
    expect(writable.filter((path) => !/^\/(proc|dev)(\/|$)/.test(path ?? '/proc'))).toEqual([
      '/var/lib/winkms-exporter',
    ])
  })

  it('ends by SIGTERM within its grace, with 0', async () => {
    const [pod] = await started({ ...LEAST, config })
    pod?.running.signal('SIGTERM')
    expect((await pod?.running.ended(30))?.ending).toBe(0)
  })

  it('ends at once, and says why, when its configuration is wrong', async () => {
    const objects = await render({ ...LEAST, existingConfigMap: 'mine' })
    const [set] = statefulSets(objects)
    if (set === undefined) throw new Error('no StatefulSet')
    const cluster = { secrets: {}, configMaps: { mine: { 'winkms.yml': 'hosts: [{ nam: a }]\n' } } }
    const pod = startPod(set, cluster)
    pods = [pod]
    const { ending, err } = await pod.running.ended(20)
    expect(ending).not.toBe(0)
    expect(err).toContain('/etc/winkms-exporter/config/winkms.yml:1:')
  })
})

describe('a pod with secrets', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'winkms-pod-web-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function webConfig(password: string): Promise<Record<string, string>> {
    const { certificateFile, keyFile } = await makeSelfSigned(folder, 'kms')
    const { stdout } = await promisify(execFile)(program('htpasswd'), ['-nbBC', '4', 'prometheus', password])
    const [, hash = ''] = stdout.trim().split(/:(.*)/s)
    return {
      'web.yml': `tls_server_config: { cert_file: tls.crt, key_file: tls.key }\nbasic_auth_users: { prometheus: "${hash}" }\n`,
      'tls.crt': readFileSync(certificateFile, 'utf8'),
      'tls.key': readFileSync(keyFile, 'utf8'),
    }
  }

  const values = {
    ...LEAST,
    config: {
      ...config,
      hosts: [{ ...HOSTS[0], windows: { via: 'winrm', credentials: 'reader' } }],
      clients: [
        {
          name: 'pc.corp.example',
          connect_to: '127.0.0.9',
          windows: { via: 'winrm', credentials: 'second' },
        },
      ],
      credentials: {
        reader: EVERYTHING.config.credentials.reader,
        second: EVERYTHING.config.credentials.second,
      },
    },
    secretFiles: [{ secretName: 'kms-reader' }],
    secretEnv: EVERYTHING.secretEnv,
    web: { secretName: 'kms-web', tls: true, externalUrl: 'https://ops.corp.example/kms/' },
  }

  it('reads them, lets its probes in without a password, and takes a renewed one without a restart', async () => {
    const secrets = {
      'kms-web': await webConfig('first'),
      'kms-reader': { password: 'hidden-in-a-file' },
      'kms-second': { password: 'hidden-in-the-environment' },
    }
    const [pod] = await started(values, secrets)
    if (pod === undefined) throw new Error('no pod')
    expect((await pod.get('/kms/metrics')).status).toBe(401)
    const { status, body } = await pod.get('/kms/metrics', 'prometheus:first')
    expect(status).toBe(200)
    expect(samplesOf(body, 'winkms_host_info')).toHaveLength(1)
    expect(samplesOf(body, 'winkms_client_info')).toHaveLength(1)
    expect(samplesOf(body, 'winkms_exporter_external_url_info')[0]?.labels['url']).toBe(
      'https://ops.corp.example/kms',
    )

    pod.renew('web', await webConfig('second'))
    await until(15, 'the new password is taken', async () =>
      (await pod.get('/kms/metrics', 'prometheus:second')).status === 200 ? true : undefined,
    )
    expect((await pod.get('/kms/metrics', 'prometheus:first')).status).toBe(401)
    expect(pod.running.ending()).toBeUndefined()
    expect(pod.running.err()).not.toMatch(/hidden-in/)
  })

  it('ends at once when a password file is not there', async () => {
    const objects = await render({ ...values, secretFiles: [] })
    const [set] = statefulSets(objects)
    if (set === undefined) throw new Error('no StatefulSet')
    const secrets = { 'kms-web': await webConfig('first'), 'kms-second': { password: 'x' } }
    const pod = startPod(set, clusterOf(objects, secrets))
    pods = [pod]
    const { ending, err } = await pod.running.ended(20)
    expect(ending).not.toBe(0)
    expect(err).toContain('password_file')
  })
})
