// Simulated KMS hosts for an exporter in trouble: as many as wanted, and one whose event log is read.
import { onTestFinished } from 'vitest'
import { startRpc } from '../../src/lab/rpc.ts'
import { kmsHost, type WindowsMachine } from '../../src/lab/windows-machine.ts'
import { READER, startWinrm } from '../../src/lab/winrm.ts'
import { during } from '../during.ts'

export const WINDOWS_NAME = 'kms01.corp.example'
const PASSWORD = 'WINKMS_FAULTS_PASSWORD'
export const PASSWORD_ENV = { [PASSWORD]: READER.password }

export interface WindowsHost {
  readonly machine: WindowsMachine
  /** Of a configuration: credentials, and the host; its event log is read each second. */
  readonly yaml: string
}

export async function startWindowsHost(): Promise<WindowsHost> {
  const machine = kmsHost({ name: WINDOWS_NAME })
  const kms = await during(startRpc('kms', LOOPBACK))
  const server = await startWinrm(machine, LOOPBACK)
  onTestFinished(() => server.stop())
  return {
    machine,
    yaml: `domains: []
credentials: { reader: { auth: basic, username: ${READER.username}, password_env: ${PASSWORD} } }
probes: { port: { schedule: 1s, timeout: 1s }, activity: { schedule: 1s, timeout: 1s }, clock: { sources: [http], schedule: 1s, timeout: 1s } }
hosts:
  - name: ${WINDOWS_NAME}
    connect_to: 127.0.0.1
    port: ${kms.port}
    windows: { via: winrm, url: '${server.url}', credentials: reader, allow_unencrypted: true }
`,
  }
}

export const LOOPBACK = { address: '127.0.0.1', port: 0 }
