// The built exporter on Windows' Node.js, under Wine: the same estate is judged the same as on this system, files as Windows
// writes them are read where Windows has them, and Ctrl-C ends it in good order.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { build, causesByHost, freeNetwork, get, MAIN, samplesOf, start, until } from '../e2e/built.ts'
import { freePort } from '../real/servers/ports.ts'
import { startWindows, windowsPath, type Windows } from './windows.ts'

const NODE = process.env['WINKMS_WINDOWS_NODE'] ?? ''
const ENTRANCE = windowsPath(MAIN)
const DATA = String.raw`C:\ProgramData\winkms exporter`
const PATIENCE_SECONDS = 60
const EXPECTED = Object.fromEntries(
  RESIDENTS.map(({ label, domain, cause }) => [`${label}.${domain}`, cause === null ? [] : [cause]]),
)

let windows: Windows
let data = ''

beforeAll(async () => {
  await build()
  windows = await startWindows(NODE)
  data = join(windows.drive, 'ProgramData', 'winkms exporter')
  mkdirSync(data)
}, 120_000)
afterAll(() => windows?.close(), 60_000)

/** As Notepad saves it. */
const asWindows = (text: string): string => `\uFEFF${text.replaceAll('\n', '\r\n')}`

describe('on Windows', () => {
  it('says its version', async () => {
    const { out, ending } = await windows.run([ENTRANCE, '--version'])
    expect(out).toMatch(/^winkms-exporter \S+ \(revision \S+, node v20\./)
    expect(ending).toBe(0)
  }, 60_000)

  it('checks a configuration by its Windows path, and names the place of what is wrong', async () => {
    writeFileSync(join(data, 'good.yml'), asWindows('hosts:\n  - name: kms01.corp.example\ndomains: []\n'))
    const file = String.raw`${DATA}\good.yml`
    expect(await windows.run([ENTRANCE, 'config', 'check', file])).toMatchObject({
      ending: 0,
      out: `${file}: correct (1 hosts, 0 domains)\n`,
    })
    const logon = String.raw`{ auth: ntlm, username: 'CORP\svc', password_file: secrets\reader.txt }`
    writeFileSync(join(data, 'bad.yml'), asWindows(`hosts: []\ncredentials:\n  reader: ${logon}\n`))
    const bad = await windows.run([ENTRANCE, 'config', 'check', String.raw`${DATA}\bad.yml`])
    expect(bad).toMatchObject({
      ending: 1,
      err: `${DATA}\\bad.yml:3:62: credentials.reader.password_file: names a file that does not exist (hint: a relative name begins at this file's directory)\n`,
    })
    mkdirSync(join(data, 'secrets'))
    writeFileSync(join(data, 'secrets', 'reader.txt'), asWindows('pässword\n'))
    const again = await windows.run([ENTRANCE, 'config', 'check', String.raw`${DATA}\bad.yml`])
    expect(again.ending).toBe(0)
  }, 120_000)

  it('judges an estate as it does here, reloads over HTTP, keeps its state, and ends at Ctrl-C', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'winkms-estate-'))
    const [network, demoPort, port] = [await freeNetwork(), await freePort(), await freePort()]
    const estate = join(folder, 'estate.yml')
    const demo = start([
      'demo',
      `--demo.network=${network}`,
      `--web.listen-address=127.0.0.1:${demoPort}`,
      `--demo.write-config=${estate}`,
    ])
    try {
      const causesAt = async (where: number) =>
        causesByHost((await get(`http://127.0.0.1:${where}/metrics`))?.body ?? '')
      const config = await until(PATIENCE_SECONDS, 'the estate is written', async () => {
        const text = await readFile(estate, 'utf8').catch(() => '')
        return text.endsWith('\n') ? text : undefined
      })
      const ours = config.replace(/"(\/[^"]+\.password)"/, (_all, path: string) => `'${windowsPath(path)}'`)
      expect(ours).not.toBe(config)
      await writeFile(join(data, 'winkms.yml'), asWindows(ours))

      const url = `http://127.0.0.1:${port}`
      const exporter = windows.start([
        ENTRANCE,
        String.raw`--config.file=${DATA}\winkms.yml`,
        String.raw`--storage.path=${DATA}\deep\data`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-lifecycle',
      ])
      // Each at some time: what the machine is too busy for is unknown for a while.
      const missing = new Map(Object.entries(EXPECTED))
      const judged = async (): Promise<true | undefined> => {
        for (const [host, causes] of Object.entries(await causesAt(port)))
          if (JSON.stringify(missing.get(host)) === JSON.stringify(causes)) missing.delete(host)
        return missing.size === 0 ? true : undefined
      }
      const says = (): string => `judged: all but ${[...missing.keys()].join(', ')}\n${exporter.err()}`
      await until(2 * PATIENCE_SECONDS, says, judged)
      const exposition = (await get(`${url}/metrics`))?.body ?? ''
      expect(
        samplesOf(exposition, 'winkms_exporter_internal_errors_total').filter(({ value }) => value > 0),
      ).toEqual([])
      expect(
        samplesOf(exposition, 'winkms_exporter_storage_problems_total').filter(({ value }) => value > 0),
      ).toEqual([])
      const states = await readdir(join(data, 'deep', 'data'))
      expect(states.length).toBeGreaterThan(3)
      expect(states.filter((name) => !/^activity-[a-z0-9.-]+\.json$/.test(name))).toEqual([])

      await writeFile(join(data, 'winkms.yml'), asWindows('hosts: []\ndomains: []\n'))
      expect(await get(`${url}/-/reload`, { method: 'POST' })).toMatchObject({ status: 200 })
      expect(causesByHost((await get(`${url}/metrics`))?.body ?? '')).toEqual({})

      exporter.interrupt()
      const { ending, err } = await exporter.ended(PATIENCE_SECONDS)
      expect(ending).toBe(0)
      expect(err).toMatch(/msg=stopping\n.*msg=stopped\n$/)
      expect(err).not.toContain('level=error')
    } finally {
      await demo.stop()
      await rm(folder, { recursive: true, force: true })
    }
  }, 240_000)
})
