// What sees text from the network, or from a program that we start. Seeds as in binary.ts.
import { parseRegistry, parseResolvConf } from '../../../src/io/machine.ts'
import { booleanOf, datetimeOf, listOf, textOf, uint32Of, type CimRow } from '../../../src/protocol/cim.ts'
import { MalformedMessage } from '../../../src/model/failure.ts'
import { checkName, normaliseName } from '../../../src/protocol/dns-name.ts'
import { readHeader, walkRecords } from '../../../src/protocol/dns-walk.ts'
import { decodeReply, encodeQuery } from '../../../src/protocol/dns.ts'
import { parseExposition } from '../../../src/protocol/exposition.ts'
import {
  decodeClientRequest,
  decodeClientResponse,
  decodeHostRequest,
  decodeInit,
  decodePublish,
} from '../../../src/protocol/kms-event.ts'
import { decodeScriptOutput } from '../../../src/protocol/powershell-json.ts'
import { parseHttpDate } from '../../../src/protocol/time.ts'
import { renderWindowsPage } from '../../../src/lab/windows-page.ts'
import { bytesOf, same, textFrom, type Codec } from '../promises.ts'

const CMID = '36f27b39-2fd5-440b-be67-a09996d27a38'
const ID = '68531fb9-5511-4989-97be-d11a0f55633f'
const HOST_EVENT = `0xC004F06C,5,CLIENT07,${CMID},2010/9/29 21:46,0,2,41520,${ID}`
const CLIENT_EVENT = `0xC004F06C, 0x00000000, kms01.corp.example:1688, ${CMID}, 2010/09/29 17:52, 0, 2, 41760, ${ID}, 5`
const RESPONSE_EVENT = '0x0, 0x4000008, 0, 0, 4, 120, 10080, 1/14/2006 2:30 PM'

/** Of each, the value, or that there is none; anything else than MalformedMessage is thrown on. */
function eachOf(...decoders: readonly (() => unknown)[]): readonly unknown[] {
  return decoders.map((decode) => {
    try {
      return decode()
    } catch (error) {
      if (error instanceof MalformedMessage) return undefined
      throw error
    }
  })
}

const PAGE = renderWindowsPage('kms01', 'running', () => 1_700_000_000_000)
  .split('\n')
  .filter((line) => /sppsvc|offset|^#/.test(line))
  .slice(0, 12)
  .join('\n')
const WANTED = new Set([
  'a',
  'windows_service_state',
  'windows_service_info',
  'windows_time_computed_time_offset_seconds',
])

export const TEXT: readonly Codec[] = [
  {
    name: 'dns-name',
    decode: (bytes) => {
      const name = checkName(textFrom(bytes))
      const question = { id: 7, name, type: 'SRV' } as const
      const query = encodeQuery(question)
      same(walkRecords(query, readHeader(query)).length, 1)
      // A server that has nothing to say but the question.
      const answer = Uint8Array.from(query)
      answer[2] = 0x81
      return { name, rcode: decodeReply(answer, question).rcode }
    },
    check: (value) => {
      const { name, rcode } = value as { readonly name: string; readonly rcode: string }
      same([checkName(name), normaliseName(name), rcode], [name, name, 'NOERROR'])
    },
    seeds: ['_VLMCS._tcp.Corp.Example.', 'bücher.example', 'xn--bcher-kva.example', 'a-b.c'].map(bytesOf),
    mostBytes: 4096,
  },
  {
    name: 'dns-name-shown',
    decode: (bytes) => normaliseName(textFrom(bytes)),
    check: (value) => same(/^[a-z0-9_.*\\-]*$/.test(String(value)), true),
    seeds: ['KMS01.corp.example', 'a b\u212a.c'].map(bytesOf),
    mostBytes: 4096,
  },
  {
    name: 'exposition',
    decode: (bytes) => parseExposition(textFrom(bytes), WANTED),
    check: (value) => same((value as readonly unknown[]).length <= 10_000, true),
    seeds: [
      PAGE,
      'a{x="one\\ntwo \\"three\\" \\\\n }#,=",y="",} +Inf 17 # {a="b"} 1',
      'a 1e-5\r\na NaN\n',
    ].map(bytesOf),
    mostBytes: 262_144,
    mostGrowth: 64,
  },
  {
    name: 'powershell-json',
    decode: (bytes) => decodeScriptOutput(textFrom(bytes)),
    seeds: [
      '\uFEFF{"row":{"Name":"sppsvc","ExitCode":"0","Started":null}}\r\n{"row":{"List":["one",null],"a":[]}}\r\n{"end":"2"}\r\n',
      'WARNING: slow\r\n{"failure":{"kind":"CimException","native":"AccessDenied","hresult":"-2147024891"}}',
      '{"end":"0"}',
    ].map(bytesOf),
    mostBytes: 262_144,
    mostGrowth: 64,
  },
  {
    name: 'kms-event',
    decode: (bytes) => {
      const strings = textFrom(bytes).split('\0')
      return eachOf(
        () => decodeHostRequest(strings),
        () => decodeClientRequest(strings),
        () => decodeClientResponse(strings),
        () => decodePublish(12293, strings),
        () => decodePublish(12294, strings),
        () => decodeInit(strings),
      )
    },
    seeds: [
      HOST_EVENT,
      `\0${HOST_EVENT.replaceAll(',', '\0')}`,
      CLIENT_EVENT,
      `\0${CLIENT_EVENT.replaceAll(', ', '\0').replace('kms01.corp.example', '[2001:db8::1]')}`,
      RESPONSE_EVENT,
      '0x8007232B,corp.example',
      '-1073418132',
    ].map(bytesOf),
    mostBytes: 65_536,
    mostValue: 65_536,
  },
  {
    name: 'cim',
    // A value, or by NULs a list of them.
    decode: (bytes) => {
      const values = textFrom(bytes).split('\0')
      const row: CimRow = new Map([['x', values.length === 1 ? (values[0] ?? null) : values]])
      return eachOf(
        () => uint32Of(row, 'X'),
        () => booleanOf(row, 'x'),
        () => datetimeOf(row, 'x'),
        () => textOf(row, 'x'),
        () => listOf(row, 'x'),
      )
    },
    check: (value) => {
      const [number = 0, , seconds = 0] = value as readonly [number?, boolean?, number?]
      same([number >= 0 && number < 2 ** 32 - 1, seconds >= 0 && seconds < 2 ** 40], [true, true])
    },
    seeds: [
      '4294967294',
      '-1073418219',
      'TRUE',
      '20240229230507.250000-060',
      '2024-02-29T23:05:07.5+01:00',
      '16010101000000.000000+000',
      'a\0b',
    ].map(bytesOf),
    mostBytes: 65_536,
  },
  {
    name: 'http-date',
    decode: (bytes) => parseHttpDate(textFrom(bytes)),
    check: (value) => {
      if (value === undefined) return
      const text = new Date(Number(value) * 1000).toUTCString()
      same(parseHttpDate(text), value)
    },
    seeds: [
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ].map(bytesOf),
    mostBytes: 65_536,
  },
  {
    name: 'machine',
    decode: (bytes) => [parseResolvConf(textFrom(bytes)), parseRegistry(textFrom(bytes))],
    seeds: [
      'nameserver 192.0.2.1\ndomain corp.example\nsearch corp.example lab.example\n',
      '\r\n    Domain    REG_SZ    corp.example\r\n    SearchList    REG_SZ    a.example,b.example\r\n    NV Domain REG_SZ x',
    ].map(bytesOf),
    mostBytes: 65_536,
    mostGrowth: 64,
  },
]
