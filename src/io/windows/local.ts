// The same questions on the machine itself: Windows PowerShell's Get-CimInstance, without credentials and without WinRM.
// One process a question. Nothing of this ran on Windows yet: the scripts follow the documentation of Get-CimInstance,
// ConvertTo-Json and CimException, and are checked for syntax.
import { spawn, type ChildProcess } from 'node:child_process'
import { win32 } from 'node:path'
import { ProbeFailure, type Reason } from '../../model/failure.ts'
import { hresultText } from '../../model/hresult.ts'
import type { CimRow } from '../../protocol/cim.ts'
import { decodeScriptOutput, type ScriptFailure } from '../../protocol/powershell-json.ts'
import { selectText } from '../../protocol/wql.ts'
import { now, type Clock, type Moment } from '../clock.ts'
import type { Deadline } from '../deadline.ts'
import { socketFailure } from '../errno.ts'
import { QUERY_SCRIPT, REGISTRY_SCRIPT } from './powershell.ts'
import type { WindowsReader, WindowsVisit } from './windows.ts'

const MOST_OUTPUT_BYTES = 64 * 1024 * 1024
const MOST_ROWS = 10_000

/** What PowerShell needs to start; passwords that are in our own environment are none of its business. */
const ENVIRONMENT = [
  'SystemRoot',
  'SystemDrive',
  'windir',
  'PATH',
  'PATHEXT',
  'COMSPEC',
  'TEMP',
  'TMP',
  'ProgramData',
  'ProgramFiles',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
  'PSModulePath',
  'PROCESSOR_ARCHITECTURE',
]

function windowsPowerShell(): string {
  const root = process.env['SystemRoot']
  if (process.platform !== 'win32' || root === undefined)
    throw new ProbeFailure(
      'not_configured',
      'via: local asks the Windows that the exporter runs on, and this is none',
    )
  // By its full path: a program of that name in some other folder is not asked.
  return win32.join(root, 'System32', 'WindowsPowerShell', 'v1.0', 'powershell.exe')
}

/** `program`: instead of Windows PowerShell, for tests. Throws ProbeFailure `not_configured` elsewhere than on Windows. */
export function openLocal(
  { deadline, enter }: WindowsVisit,
  clock: Clock,
  program: string = windowsPowerShell(),
): WindowsReader {
  const ask = async (
    script: string,
    variables: Readonly<Record<string, string>>,
  ): Promise<{ rows: readonly CimRow[]; sent: Moment; received: Moment }> => {
    enter('ask')
    const sent = now(clock)
    const answer = decodeScriptOutput(await outputOf(program, script, variables, deadline))
    const received = now(clock)
    if (answer.failure !== undefined) throw asProbeFailure(answer.failure)
    return { rows: answer.rows, sent, received }
  }
  return {
    via: 'local',
    async query(select, { mostRows = MOST_ROWS } = {}) {
      const { rows, ...moments } = await ask(QUERY_SCRIPT, {
        WINKMS_QUERY: selectText(select),
        WINKMS_COLUMNS: select.columns.join(','),
        // One more than wanted shows whether there are more.
        WINKMS_ROWS: String(mostRows + 1),
      })
      return { rows: rows.slice(0, mostRows), complete: rows.length <= mostRows, ...moments, roundTrips: 1 }
    },
    async readRegistry({ key, name, type }) {
      const { rows } = await ask(REGISTRY_SCRIPT, { WINKMS_KEY: key, WINKMS_NAME: name })
      const value = rows[0]?.get('value') ?? undefined
      if (value === undefined) return undefined
      if (type === 'multi_string') return typeof value === 'string' ? [value] : value
      if (typeof value !== 'string') throw new ProbeFailure('protocol_error', `${name} is a list of texts`)
      return type === 'dword' ? Number(value) >>> 0 : value
    },
  }
}

function outputOf(
  program: string,
  script: string,
  variables: Readonly<Record<string, string>>,
  deadline: Deadline,
): Promise<string> {
  return new Promise((resolve, reject) => {
    if (deadline.ended) throw new ProbeFailure('timeout', 'no time left to start PowerShell')
    const env: Record<string, string> = { ...variables }
    for (const name of ENVIRONMENT) {
      const value = process.env[name]
      if (value !== undefined) env[name] = value
    }
    const encoded = Buffer.from(script, 'utf16le').toString('base64')
    let child: ChildProcess
    try {
      child = spawn(program, ['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', encoded], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        windowsHide: true,
      })
    } catch (error) {
      reject(startFailure(error))
      return
    }
    const chunks: Buffer[] = []
    let size = 0
    let complaint = ''
    const fail = (failure: ProbeFailure): void => {
      letGo()
      child.kill('SIGKILL')
      reject(failure)
    }
    const letGo = deadline.own(() => fail(new ProbeFailure('timeout', 'PowerShell does not answer in time')))
    child.on('error', (error) => fail(startFailure(error)))
    // A process that could not be started for want of descriptors has no streams either.
    child.stdout?.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= MOST_OUTPUT_BYTES) chunks.push(chunk)
      else fail(new ProbeFailure('too_large', `PowerShell prints more than ${MOST_OUTPUT_BYTES} bytes`))
    })
    child.stderr?.setEncoding('utf8')
    child.stderr?.on('data', (text: string) => (complaint = (complaint + text).slice(0, 500)))
    child.on('close', (code) => {
      letGo()
      if (code === 0) resolve(Buffer.concat(chunks).toString('utf8'))
      else
        reject(
          new ProbeFailure(
            'protocol_error',
            `PowerShell ended with ${code ?? 'a signal'}: ${complaint.trim()}`,
          ),
        )
    })
  })
}

function startFailure(error: unknown): ProbeFailure {
  const { reason } = socketFailure(error, 'PowerShell')
  return reason === 'exporter_overloaded'
    ? new ProbeFailure(reason, 'PowerShell cannot be started now', { cause: error })
    : new ProbeFailure('not_configured', 'PowerShell cannot be started', { cause: error })
}

/** NativeErrorCode of Microsoft.Management.Infrastructure by name. */
const NATIVE: Readonly<Record<string, Reason>> = {
  AccessDenied: 'access_denied',
  InvalidNamespace: 'not_found',
  InvalidClass: 'not_found',
  NotFound: 'not_found',
  ServerLimitsExceeded: 'too_large',
}

/** E_ACCESSDENIED and WBEM_E_ACCESS_DENIED, signed as .NET has them. */
const ACCESS_DENIED = [0x8007_0005 | 0, 0x8004_1003 | 0]

function asProbeFailure({ kind, native, hresult }: ScriptFailure): ProbeFailure {
  const denied = ACCESS_DENIED.includes(hresult) || kind === 'SecurityException'
  const reason = denied ? 'access_denied' : (NATIVE[native] ?? 'protocol_error')
  const code = hresultText(hresult >>> 0)
  return new ProbeFailure(reason, `Windows refuses: ${native || kind} (${code})`)
}
