// One run of everything about a host, beside the schedule: over a simulated Windows, on real input and output.
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { estateOf, type Estate } from '../../src/config/targets.ts'
import { examine, type Examination, type ExamineOptions } from '../../src/engine/examine.ts'
import { createIo, type Io } from '../../src/io/io.ts'
import { kmsHost } from '../../src/lab/windows-machine.ts'
import { READER, startWinrm } from '../../src/lab/winrm.ts'
import { silentLog } from '../../src/model/log.ts'
import { canaryReading, BY_WINRM, tell } from '../diagnosis/scene.ts'
import { LOOPBACK } from '../io/support.ts'

const NAME = 'kms01.corp.example'

/** A KMS host and a canary, both of them the same simulated Windows. */
async function lab() {
  const server = await startWinrm(kmsHost({ name: NAME }), LOOPBACK)
  onTestFinished(() => server.stop())
  vi.stubEnv('WINKMS_TEST_PASSWORD', READER.password)
  onTestFinished(() => void vi.unstubAllEnvs())
  const windows = `{ via: winrm, url: '${server.url}', credentials: reader, allow_unencrypted: true }`
  const { config, problems } = parseConfig(
    `
hosts: [{ name: ${NAME}, connect_to: 127.0.0.1, windows: ${windows} }]
clients: [{ name: pc1.corp.example, connect_to: 127.0.0.1, windows: ${windows} }]
credentials: { reader: { auth: basic, username: ${READER.username}, password_env: WINKMS_TEST_PASSWORD } }
domains: []
`,
    { file: 'test.yml', checkCron: () => undefined },
  )
  if (config === undefined) throw new Error(JSON.stringify(problems))
  const io = createIo()
  onTestFinished(() => io.close())
  return { estate: estateOf(config, { resolvers: [], searchDomains: [] }, []), io, server }
}

async function examined(
  { estate, io }: { estate: Estate; io: Io },
  options: Partial<ExamineOptions> = {},
): Promise<Examination> {
  const [host] = estate.hosts
  if (host === undefined) throw new Error('no host')
  return examine(host, estate, { io, log: silentLog, ...options })
}

describe('an examination', () => {
  it('reads the event log, and leaves the bookmark where it was', async () => {
    const { estate, io } = await lab()
    const write = vi.spyOn(io.state, 'write')
    const { results } = await examined({ estate, io }, { only: ['activity'] })
    expect(results.map(({ probe, failure }) => [probe, failure])).toEqual([['activity', undefined]])
    expect(write).not.toHaveBeenCalled()
    expect(await io.state.read(`activity-${NAME}`)).toBeUndefined()
  })

  it('asks Windows of the host, and no canary', async () => {
    const { estate, io } = await lab()
    const { results, diagnosis } = await examined(
      { estate, io },
      { only: ['licensing', 'activity', 'client'] },
    )
    expect(results.map(({ probe }) => probe).toSorted()).toEqual(['activity', 'licensing'])
    const verdicts = new Map(diagnosis.findings.map(({ cause, verdict }) => [cause, verdict]))
    expect(verdicts.get('kms_not_enabled')).toBe('ruled_out')
    expect(verdicts.get('event_log_unreadable')).toBe('ruled_out')
  })

  it('heeds what canaries of the host have said before', async () => {
    const { estate, io } = await lab()
    const { clients } = tell({
      yaml: BY_WINRM,
      clients: [canaryReading({ clientOs: 'windows_server_2025' })],
    })
    const { diagnosis } = await examined({ estate, io }, { only: ['licensing'], clients })
    const finding = diagnosis.findings.find(({ cause }) => cause === 'version_mismatch')
    expect(finding?.verdict).toBe('named')
    const stranger = clients.map((result) => ({
      ...result,
      ...(result.reading && { reading: { ...result.reading, kms: undefined } }),
    })) as typeof clients
    const other = await examined({ estate, io }, { only: ['licensing'], clients: stranger })
    expect(other.diagnosis.findings.find(({ cause }) => cause === 'version_mismatch')?.verdict).toBe(
      'unknown',
    )
  })
})
