// Local mode against stand-ins for powershell.exe: small programs that print what the documentation of Get-CimInstance
// and ConvertTo-Json has, or misbehave. There is no PowerShell for this platform to test with; the scripts themselves
// are checked for syntax in test/deploy/powershell.test.ts.
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../../src/io/clock.ts'
import { openLocal } from '../../../src/io/windows/local.ts'
import { QUERY_SCRIPT, REGISTRY_SCRIPT } from '../../../src/io/windows/powershell.ts'
import type { WindowsReader } from '../../../src/io/windows/windows.ts'
import { uint32Of } from '../../../src/protocol/cim.ts'
import { AMPLE_SECONDS, deadlineOf, failureOf } from '../support.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'local-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

let made = 0

/** A program in place of PowerShell; `body` is JavaScript with `print` at hand. What it was given is written down. */
async function standIn(body: string): Promise<{ program: string; given: () => Promise<Given> }> {
  const program = join(directory, `powershell-${++made}`)
  const record = `${program}.given`
  await writeFile(
    program,
    `#!${process.execPath}
require('node:fs').writeFileSync(${JSON.stringify(record)}, JSON.stringify({ args: process.argv.slice(2), env: process.env }))
const print = (value) => process.stdout.write((typeof value === 'string' ? value : JSON.stringify(value)) + '\\r\\n')
${body}
`,
  )
  await chmod(program, 0o755)
  return { program, given: async () => JSON.parse(await readFile(record, 'utf8')) as Given }
}

interface Given {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

function reader(program: string, seconds = AMPLE_SECONDS): WindowsReader {
  return openLocal({ deadline: deadlineOf(seconds), enter() {} }, systemClock, program)
}

const SELECT = { from: 'Win32_Service', columns: ['Name', 'ExitCode'], where: "Name = 'sppsvc'" }

describe('a query', () => {
  it('hands the question over by the environment, and reads the rows', async () => {
    const { program, given } = await standIn(`
      print({ row: { Name: 'sppsvc', ExitCode: '0' } })
      print({ end: '1' })`)
    const answer = await reader(program).query(SELECT)
    expect(answer).toMatchObject({ complete: true, roundTrips: 1 })
    expect(answer.rows.map((row) => Object.fromEntries(row))).toEqual([{ name: 'sppsvc', exitcode: '0' }])
    expect(answer.received.wallSeconds).toBeGreaterThanOrEqual(answer.sent.wallSeconds)
    const { args, env } = await given()
    expect(args.slice(0, -1)).toEqual(['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand'])
    expect(Buffer.from(args.at(-1) ?? '', 'base64').toString('utf16le')).toBe(QUERY_SCRIPT)
    expect(env).toMatchObject({
      WINKMS_QUERY: "SELECT Name, ExitCode FROM Win32_Service WHERE Name = 'sppsvc'",
      WINKMS_COLUMNS: 'Name,ExitCode',
    })
  })

  it('keeps our own environment to itself', async () => {
    vi.stubEnv('WINKMS_TEST_PASSWORD', 'hunter2')
    const { program, given } = await standIn(`print({ end: '0' })`)
    await reader(program).query(SELECT)
    vi.unstubAllEnvs()
    expect(JSON.stringify(await given())).not.toContain('hunter2')
  })

  it('asks for one row more than wanted, to know whether there are more', async () => {
    const { program } = await standIn(`
      const rows = Math.min(5, Number(process.env.WINKMS_ROWS))
      for (let row = 0; row < rows; row++) print({ row: { Name: String(row) } })
      print({ end: String(rows) })`)
    expect(await reader(program).query(SELECT, { mostRows: 3 })).toMatchObject({ complete: false })
    expect((await reader(program).query(SELECT, { mostRows: 3 })).rows).toHaveLength(3)
    expect(await reader(program).query(SELECT, { mostRows: 5 })).toMatchObject({ complete: true })
  })

  it.each([
    ['AccessDenied', '-2147217405', 'access_denied'],
    ['', '-2147024891', 'access_denied'],
    ['InvalidClass', '-2147217392', 'not_found'],
    ['InvalidNamespace', '-2147217394', 'not_found'],
    ['InvalidQuery', '-2147217385', 'protocol_error'],
  ])('turns %s %s into %s', async (native, hresult, reason) => {
    const { program } = await standIn(
      `print(${JSON.stringify({ failure: { kind: 'CimException', native, hresult } })})`,
    )
    expect(await failureOf(reader(program).query(SELECT))).toMatchObject({ reason })
  })

  it('is protocol_error, with what PowerShell complained of, when it ends badly', async () => {
    const { program } = await standIn(`process.stderr.write('not allowed by policy'); process.exitCode = 3`)
    const { reason, message } = await failureOf(reader(program).query(SELECT))
    expect(reason).toBe('protocol_error')
    expect(message).toContain('not allowed by policy')
  })

  it('ends with its deadline, and PowerShell with it', async () => {
    const { program } = await standIn(`
      require('node:fs').writeFileSync(process.argv[1] + '.pid', String(process.pid))
      setInterval(() => {}, 1000)`)
    expect(await failureOf(reader(program, 1).query(SELECT))).toMatchObject({ reason: 'timeout' })
    const pid = Number(await readFile(`${program}.pid`, 'utf8'))
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'))
  })

  it('is cut off where it would never end', async () => {
    const { program } = await standIn(`
      const flood = () => { while (process.stdout.write('x'.repeat(65536))); process.stdout.once('drain', flood) }
      process.stdout.on('error', () => process.exit())
      flood()`)
    expect(await failureOf(reader(program, 30).query(SELECT))).toMatchObject({ reason: 'too_large' })
  })

  it.each([
    ['is not there', 'nowhere'],
    // Node reports this one at once, where it tells of others later.
    ['cannot be started', 'x'.repeat(5000)],
  ])('says so when PowerShell %s', async (_, program) => {
    expect(await failureOf(reader(join(directory, program)).query(SELECT))).toMatchObject({
      reason: 'not_configured',
    })
  })

  it('survives that no process can be started for want of descriptors', async () => {
    const script = fileURLToPath(new URL('local-without-descriptors.ts', import.meta.url))
    const node = `${process.execPath} --import tsx ${script}`
    const { stdout } = await promisify(execFile)('bash', ['-c', `ulimit -n 256; exec ${node}`])
    expect(stdout).toBe('exporter_overloaded\n')
  })
})

describe('the registry', () => {
  const value = { key: String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion`, name: 'UBR' }

  it('gives numbers, texts and lists', async () => {
    const { program, given } = await standIn(`
      print({ row: { value: '2322' } })
      print({ end: '1' })`)
    expect(await reader(program).readRegistry({ ...value, type: 'dword' })).toBe(2322)
    expect(await reader(program).readRegistry({ ...value, type: 'string' })).toBe('2322')
    expect(await reader(program).readRegistry({ ...value, type: 'multi_string' })).toEqual(['2322'])
    const { args, env } = await given()
    expect(Buffer.from(args.at(-1) ?? '', 'base64').toString('utf16le')).toBe(REGISTRY_SCRIPT)
    expect(env).toMatchObject({ WINKMS_KEY: value.key, WINKMS_NAME: 'UBR' })
  })

  it('gives nothing for a value that is not there', async () => {
    const { program } = await standIn(`
      print({ row: { value: null } })
      print({ end: '1' })`)
    expect(await reader(program).readRegistry({ ...value, type: 'dword' })).toBeUndefined()
  })
})

describe('elsewhere than on Windows', () => {
  it('says that there is no Windows to ask', () => {
    vi.stubGlobal('process', { ...process, platform: 'linux' })
    expect(() => openLocal({ deadline: deadlineOf(1), enter() {} }, systemClock)).toThrow(/this is none/)
    vi.unstubAllGlobals()
  })
})

it('reads a number that PowerShell printed as one', async () => {
  const { program } = await standIn(`
    print({ row: { Name: null, ExitCode: '1066' } })
    print({ end: '1' })`)
  const { rows } = await reader(program).query(SELECT)
  expect(rows.map((row) => uint32Of(row, 'ExitCode'))).toEqual([1066])
})
