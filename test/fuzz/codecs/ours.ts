// What sees our own files, and what people write: the configuration, the state file, a page's address.
import { parseConfig, formatProblem } from '../../../src/config/load.ts'
import { renderConfig } from '../../../src/config/mask.ts'
import { exampleConfig } from '../../../src/config/example.ts'
import { formatDuration, parseDuration } from '../../../src/config/duration.ts'
import * as values from '../../../src/config/values.ts'
import { stateFrom, stateJson } from '../../../src/kms/activity-file.ts'
import { applyEvents, emptyActivity, type ActivityState, type Bookmark } from '../../../src/kms/activity.ts'
import { countSample } from '../../../src/kms/distinct.ts'
import { MalformedMessage } from '../../../src/model/failure.ts'
import { mayHaveBeenRead, movedTo, numbersOf, rebased, START } from '../../../src/probes/bookmark.ts'
import type { LogRecord } from '../../../src/probes/event-records.ts'
import { filterHref, filterOf, type Filter } from '../../../src/views/html-filter.ts'
import { Broken, bytesOf, same, textFrom, type Codec } from '../promises.ts'

const NOW = 1_800_000_000
const CONFIG = { file: 'winkms.yml', checkCron: () => undefined }
const SMALL_CONFIG = `hosts:
  - name: kms01.corp.example
    port: 1688
    labels: { site: berlin }
    serves: [windows, office]
    windows: { via: windows_exporter, url: 'https://kms01.corp.example:9182/metrics' }
domains: [{ name: corp.example, expect: [{ target: kms01.corp.example, port: 1688 }] }]
probes: { port: { schedule: 15s, timeout: 5s }, srv: { schedule: "0 */5 * * * *" } }
`

function checkProblems(value: unknown, bytes: Uint8Array): void {
  const { config, problems } = value as ReturnType<typeof parseConfig>
  same(config === undefined, problems.length > 0)
  const lines = textFrom(bytes)
    .replace(/^\uFEFF/, '')
    .split('\n')
  for (const problem of problems) {
    const length = lines[problem.line - 1]?.length
    if (length === undefined || problem.column < 1 || problem.column > length + 1)
      throw new Broken(`a problem at line ${problem.line}, column ${problem.column}`)
    if (/[\r\n]/.test(formatProblem(problem))) throw new Broken('a problem of two lines')
  }
  if (config === undefined) return
  const again = parseConfig(renderConfig(config), CONFIG)
  same(again.problems.map(formatProblem), [])
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textFrom(bytes))
  } catch {
    // state.ts puts such a file aside.
    throw new MalformedMessage('not JSON', 0)
  }
}

const throughFile = (state: ActivityState): unknown => JSON.parse(JSON.stringify(stateJson(state)))

const FULL: ActivityState = {
  ...applyEvents(
    emptyActivity('salt'),
    [
      {
        kind: 'request',
        atSeconds: NOW,
        request: {
          hresult: 0xc004f042,
          minCount: 25,
          clientName: 'pc1',
          cmid: 'one',
          clientTimeSeconds: NOW - 30,
          licenseStatus: 1,
          minutesToExpiration: 1000,
          activationId: 'windows',
        },
      },
      { kind: 'publish', domain: 'corp.example', success: false, atSeconds: NOW, hresult: 0x80072338 },
      { kind: 'timer_failure', atSeconds: NOW, hresult: 0x80070005 },
    ],
    NOW,
  ),
}

/** Three bytes a record: how far from the one before, its event, its time and its text. */
function recordsOf(bytes: Uint8Array): readonly LogRecord[] {
  const records: LogRecord[] = []
  let record = 0
  for (let at = 0; at + 3 <= bytes.length; at += 3) {
    const [step = 0, code = 0, text = 0] = bytes.subarray(at, at + 3)
    record += 1 + (step >= 0xf0 ? 2 ** (step - 0xf0 + 8) : step)
    const timeSeconds = text === 0 ? undefined : NOW + (code - 128) * 1000
    records.push({
      record,
      eventCode: 12_290 + (code & 3),
      source: 'SPP',
      timeSeconds,
      strings: [String(text)],
    })
  }
  return records
}

/** A log read in pieces, set back and begun anew; the length of each piece, and what becomes of the log, come first. */
function bookmarks(bytes: Uint8Array): readonly Bookmark[] {
  const records = recordsOf(bytes.subarray(3))
  const [piece = 0, lost = 0, other = 0] = bytes
  let mark: Bookmark = START
  const marks: Bookmark[] = []
  for (let at = 0; at < records.length; at += 1 + piece) {
    mark = movedTo(mark, records.slice(at, at + 1 + piece))
    marks.push(mark)
  }
  const asked = new Set(numbersOf(mark))
  const found = records
    .filter(({ record }) => asked.has(record))
    .slice(0, lost === 0 ? undefined : -lost)
    .map((each, index) => (index >= other ? { ...each, strings: ['another'] } : each))
  mark = rebased(mark, found, found.at(-1)?.record)
  return [...marks, mark, movedTo(mark, records.filter(({ record }) => record > mark.record).slice(0, 3))]
}

function checkBookmarks(value: unknown, bytes: Uint8Array): void {
  const [first] = recordsOf(bytes.subarray(3))
  for (const mark of value as readonly Bookmark[]) {
    const numbers = numbersOf(mark)
    same(
      numbers,
      [...new Set(numbers)].toSorted((a, b) => a - b),
    )
    if (first !== undefined) mayHaveBeenRead(first, mark.doubt)
    const { logs, ...rest } = emptyActivity('salt')
    const state = { ...rest, logs: { ...logs, application: { ...logs.application, bookmark: mark } } }
    // What is written must be taken when it is read, or all that was counted is lost with it.
    if (stateFrom(throughFile(state)) === undefined) throw new Broken('a bookmark that its file cannot hold')
  }
}

const SITE = { prefix: '/kms', telemetryPath: '/metrics', version: '1' }

export const OURS: readonly Codec[] = [
  {
    name: 'config',
    decode: (bytes) => parseConfig(textFrom(bytes), CONFIG),
    check: checkProblems,
    seeds: [
      bytesOf(SMALL_CONFIG),
      bytesOf(exampleConfig),
      bytesOf('{}'),
      bytesOf('a: &x [1, *x]\nb: !!map {<<: *x}\n'),
    ],
    mostBytes: 65_536,
    // Every host has all defaults; every problem a sentence.
    mostGrowth: 1000,
    mostValue: 65_536,
  },
  {
    name: 'config-values',
    decode: (bytes) => {
      const text = textFrom(bytes)
      return [
        values.parseName(text),
        values.parseFqdn(text),
        values.parseAddress(text),
        values.parseHost(text),
        values.parseEndpoint(text, 53),
        values.parseReference(text, 123),
        values.parseSchedule(text),
        values.parseTimeout(text),
        values.parseFirstRead(text),
        values.parseFingerprint(text),
        values.parseUrl(text),
        parseDuration(text),
      ]
    },
    check: (value) => {
      const [name, , address, host, , , , , , , , duration] = value as readonly [
        ...(readonly ({ readonly value?: string } | undefined)[]),
      ]
      if (name?.value !== undefined) same(values.parseName(name.value).value, name.value)
      if (address?.value !== undefined) same(values.parseAddress(address.value).value, address.value)
      if (host?.value !== undefined) same(values.parseHost(host.value).value, host.value)
      if (typeof duration === 'number') same(parseDuration(formatDuration(duration)), duration)
    },
    seeds: [
      'kms01.corp.example',
      '[2001:DB8::1]:53',
      '192.0.2.1:53',
      '1d2h3m4s5ms',
      '0 */5 * * * *',
      'https://a.b:1/',
      'AB:'.repeat(31) + 'AB',
    ].map(bytesOf),
    mostBytes: 65_536,
    mostValue: 8192,
  },
  {
    name: 'activity-file',
    decode: (bytes) => stateFrom(jsonOf(bytes)),
    check: (value) => {
      if (value === undefined) return
      const state = value as ActivityState
      const again = stateFrom(throughFile(state))
      if (again === undefined) throw new Broken('a state that its own file cannot hold')
      same(throughFile(again), throughFile(state))
      countSample(state.clients, [3600], NOW)
      applyEvents(state, [{ kind: 'request', atSeconds: NOW, request: undefined }], NOW)
    },
    seeds: [
      bytesOf(JSON.stringify(stateJson(FULL))),
      bytesOf(JSON.stringify(stateJson(emptyActivity('salt')))),
    ],
    mostBytes: 262_144,
    mostGrowth: 64,
  },
  {
    name: 'bookmark',
    decode: bookmarks,
    check: checkBookmarks,
    seeds: [
      Uint8Array.from({ length: 63 }, (_, index) => (index < 3 ? 2 : index % 5)),
      Uint8Array.from({ length: 303 }, (_, index) => (index * 7) % 256),
    ],
    mostBytes: 1536,
    mostGrowth: 4096,
  },
  {
    name: 'html-filter',
    decode: (bytes) => filterOf(textFrom(bytes)),
    check: (value) => {
      const filter = value as Filter
      const href = filterHref(filter, { page: filter.page }, SITE)
      const query = href.replaceAll('&amp;', '&').split('?')[1] ?? ''
      same([filterOf(query), /[<>"'\r\n]/.test(href)], [filter, false])
    },
    seeds: [
      'state=not_serving&cause=port_closed&domain=corp.example&label=site%3Dberlin&q=a+b%20c&page=3',
      'q=%F0%9F%98%80%00',
    ].map(bytesOf),
    mostBytes: 65_536,
  },
]
