// Pairs of exporters, vantage points, and exporters that are down or cannot keep what they have read.
import {
  cause,
  DAY_MINUTES,
  drifting,
  finding,
  from,
  known,
  publishing,
  says,
  type Company,
} from './rule-company-words.ts'
import type { Said, Value } from './rule-scenes.ts'

const disagree = 'WinkmsReplicasDisagree'
const probed = (at: Value): readonly Said[] => [
  says('winkms_exporter_probe_interval_seconds{probe="port"}', 60),
  says('winkms_probe_timestamp_seconds{host="a",probe="port"}', at),
]

const pairs: readonly Company[] = [
  {
    what: 'both say the same',
    alert: disagree,
    one: [...known('a', 0), cause('a', 'port_blocked')],
    two: [...known('a', 0), cause('a', 'port_blocked')],
    expected: [],
  },
  {
    what: 'one says that it serves',
    alert: disagree,
    one: [...known('a', 1)],
    two: [...known('a', 0)],
    expected: ['warning a'],
  },
  {
    what: 'each names another cause',
    alert: disagree,
    one: [...known('a', 0), cause('a', 'port_blocked'), cause('a', 'service_stopped', 0)],
    two: [...known('a', 0), cause('a', 'port_blocked', 0), cause('a', 'service_stopped')],
    expected: ['warning a'],
  },
  {
    what: 'they agree on one cause, and not on another',
    alert: disagree,
    one: [...known('a', 0), cause('a', 'port_blocked'), cause('a', 'version_mismatch')],
    two: [...known('a', 0), cause('a', 'port_blocked'), cause('a', 'version_mismatch', 0)],
    expected: ['warning a'],
  },
  {
    what: 'one cannot tell',
    alert: disagree,
    one: [...known('a', 0), cause('a', 'port_blocked')],
    two: [],
    expected: [],
  },
  {
    what: 'one has a wrong clock, and says so itself',
    alert: disagree,
    one: [...known('a', 1), cause('a', 'exporter_clock_wrong')],
    two: [...known('a', 1), cause('a', 'exporter_clock_wrong', 0)],
    expected: [],
  },
  {
    what: 'one cannot tell, the other names the cause',
    alert: 'WinkmsPortBlocked',
    one: [...known('a', 0), cause('a', 'port_blocked')],
    two: [],
    expected: ['critical a'],
  },
  {
    what: 'what is blocked from one vantage point is said of that one',
    alert: 'WinkmsPortBlocked',
    one: from('berlin', [...known('a', 1), cause('a', 'port_blocked', 0)]),
    two: from('rome', [...known('a', 0), cause('a', 'port_blocked')]),
    expected: ['critical a rome'],
  },
  {
    what: 'vantage points may differ',
    alert: disagree,
    one: from('berlin', known('a', 1)),
    two: from('rome', known('a', 0)),
    expected: [],
  },
  {
    what: 'it serves by one of them',
    alert: 'WinkmsHostNotServing',
    one: known('a', 0),
    two: known('a', 1),
    expected: [],
  },
  {
    what: 'one of them cannot be so sure',
    alert: 'WinkmsDriftHigh',
    one: drifting(10),
    two: drifting(1_000),
    expected: [],
  },
  {
    what: 'only one of them finds it',
    alert: 'WinkmsSrvUnexpectedTarget',
    one: [finding(1)],
    two: [finding(0)],
    expected: [],
  },
  {
    what: 'both find it at one resolver of two',
    alert: 'WinkmsSrvUnexpectedTarget',
    one: [finding(1), finding(0, 'r2')],
    two: [finding(1), finding(0, 'r2')],
    expected: ['warning d.example'],
  },
  {
    what: 'only one of them finds a wrong priority',
    alert: 'WinkmsSrvIncorrect',
    one: [finding(1, 'r1', 'wrong_priority')],
    two: [finding(0, 'r1', 'wrong_priority')],
    expected: [],
  },
  {
    what: 'both find a wrong priority at one resolver of two',
    alert: 'WinkmsSrvIncorrect',
    one: [finding(1, 'r1', 'wrong_priority'), finding(0, 'r2', 'wrong_priority')],
    two: [finding(1, 'r1', 'wrong_priority'), finding(0, 'r2', 'wrong_priority')],
    expected: ['warning d.example'],
  },
  {
    what: 'one of them has read that it worked',
    alert: 'WinkmsDnsPublishingFailed',
    one: [publishing(0)],
    two: [publishing(1)],
    at: 3_000,
    step: 5,
    expected: [],
  },
  {
    what: 'one hangs while the other goes on',
    alert: 'WinkmsProbeStale',
    one: probed(0),
    two: probed((minute) => minute * 60),
    expected: ['warning a'],
  },
]

const down = 'WinkmsExporterDown'
const until =
  (end: number, then?: number): Value =>
  (minute) =>
    minute <= end ? 1 : then
const self = (up: Value, info: Value): readonly Said[] => [
  says('up', up),
  says('winkms_exporter_build_info{version="1"}', info),
]
const never: Value = () => undefined

const exporters: readonly Company[] = [
  { what: 'all is well', one: self(1, 1), expected: [] },
  { what: 'it has just gone', one: self(until(30, 0), until(30)), at: 38, expected: [] },
  {
    what: 'it has gone for long',
    one: self(until(30, 0), until(30)),
    at: 60,
    expected: ['critical', 'warning one:11688'],
  },
  {
    what: 'another is up',
    one: self(until(30, 0), until(30)),
    two: self(1, 1),
    at: 60,
    expected: ['warning one:11688'],
  },
  {
    what: 'it has gone for days, and is a target still',
    one: self(until(600, 0), until(600)),
    two: self(1, 1),
    at: 3 * DAY_MINUTES,
    step: 5,
    expected: ['warning one:11688'],
  },
  {
    what: 'it is no target any more',
    one: self(until(600), until(600)),
    two: self(1, 1),
    at: 700,
    step: 5,
    expected: [],
  },
  {
    what: 'somebody else’s target is down',
    one: self(1, 1),
    besides: { 'up{job="node",instance="x"}': Array.from({ length: 91 }, () => 0) },
    expected: [],
  },
  { what: 'there never was one', one: self(never, never), expected: ['critical'] },
].map((each) => ({ ...each, alert: down }))

const shard = (index: number, count: number, last: Value = count): readonly Said[] => [
  says(`winkms_exporter_shards{shard="${index}"}`, last),
]
const shards: readonly Company[] = [
  { what: 'both are there', one: shard(0, 2), two: shard(1, 2), expected: [] },
  { what: 'both are the same one', one: shard(1, 2), two: shard(1, 2), expected: ['critical'] },
  { what: 'one counts with three', one: shard(0, 2), two: shard(1, 3), expected: ['critical'] },
  {
    what: 'one is no shard: it watches all',
    one: shard(0, 2),
    two: [],
    expected: ['critical'],
  },
  { what: 'nobody has shards', one: [], two: [], expected: [] },
  {
    what: 'there were three, and they were told just now that they are two',
    one: shard(0, 3, (minute) => (minute < 87 ? 3 : 2)),
    two: shard(1, 3, (minute) => (minute < 87 ? 3 : 2)),
    expected: ['critical'],
  },
  {
    what: 'they were told half an hour ago',
    one: shard(0, 3, (minute) => (minute < 60 ? 3 : 2)),
    two: shard(1, 3, (minute) => (minute < 60 ? 3 : 2)),
    expected: [],
  },
  {
    what: 'each vantage point has its own',
    one: from('berlin', shard(0, 1)),
    two: from('rome', shard(1, 2)),
    expected: ['critical rome'],
  },
].map((each) => ({ ...each, alert: 'WinkmsShardMissing' }))

const problems = (born: number): readonly Said[] => [
  says('winkms_exporter_storage_problems_total{kind="unusable"}', (minute) =>
    minute < born ? undefined : 1,
  ),
]
const storage: readonly Company[] = [
  { what: 'a file is unusable when it starts', one: problems(0), at: 30, expected: ['warning one:11688'] },
  { what: 'one could not be written once', one: problems(60), at: 90, expected: ['warning one:11688'] },
  { what: 'that was hours ago', one: problems(0), at: 240, expected: [] },
].map((each) => ({ ...each, alert: 'WinkmsStorageFailing' }))

export const PAIRS: readonly Company[] = [...pairs, ...exporters, ...shards, ...storage]
