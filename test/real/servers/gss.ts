// A WinRM-shaped acceptor on MIT's libgssapi and gss-ntlmssp (gss-server.py): NTLM, Kerberos and SPNEGO, sealing both
// ways, channel bindings over TLS. It answers what it was sent, inside <echo>.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'
import { makeCertificate, type CertificateFiles, type CertificateOptions } from './certificate.ts'
import { realFiles } from './need.ts'
import { place, type Placement } from './ports.ts'
import { launch, makeDirectory, type Server } from './process.ts'

/** Debian's own interpreter: the only one that its python3-gssapi is for. */
const COMMAND = '/usr/bin/python3'
const SCRIPT = fileURLToPath(new URL('gss-server.py', import.meta.url))

const NEEDED = {
  '/usr/lib/python3/dist-packages/gssapi': 'python3-gssapi',
  '/etc/gss/mech.d/mech.ntlmssp.conf': 'gss-ntlmssp',
  '/usr/bin/openssl': 'openssl',
}

/** Who may log on by NTLM: `DOMAIN:user:password` each. */
const GSS_USERS = ['LAB:monitor:P@ssw0rd-ä1', 'LAB:plain:secret'] as const

export interface GssOptions extends Placement {
  /** With a certificate of our own making, or that of the caller. */
  readonly tls?: CertificateOptions | Pick<CertificateFiles, 'certificateFile' | 'keyFile'>
  /** Over TLS: `ignored` unless told; `relaxed` refuses a wrong binding, `required` a missing one too. */
  readonly cbt?: 'ignored' | 'relaxed' | 'required'
  readonly users?: readonly string[]
  /** For Kerberos: KRB5_CONFIG, KRB5_KTNAME and whatever else it takes. */
  readonly env?: Readonly<Record<string, string>>
  /** Flips a bit in each sealed answer. */
  readonly corruptAnswers?: boolean
  /** Refuses text that is not sealed. */
  readonly encryptedOnly?: boolean
  /** What it answers instead of the echo. */
  readonly answer?: string
}

export interface GssServer extends Server {
  /** PEM file to trust, where the certificate is of our own making; gone when the server stops. */
  readonly authorityFile: string | undefined
  readonly certificateFile: string | undefined
}

/** Skips the test, aloud, unless all is installed. */
export const realGss = (context: Pick<TestContext, 'skip'>): void => realFiles(context, NEEDED)

/** Rejects like launch(), or when openssl does not make the certificate. */
export async function startGss(options: GssOptions = {}): Promise<GssServer> {
  const at = await place(options, options.tls === undefined ? 5985 : 5986)
  const directory = await makeDirectory('gss')
  try {
    const { tls, cbt = 'ignored', users = GSS_USERS, answer } = options
    const made = tls === undefined || 'keyFile' in tls ? undefined : await makeCertificate(directory, tls)
    const files = made ?? (tls as CertificateFiles | undefined)
    const usersFile = join(directory, 'users')
    await writeFile(usersFile, users.map((line) => `${line}\n`).join(''))
    const answerFile = join(directory, 'answer')
    if (answer !== undefined) await writeFile(answerFile, answer)
    const running = await launch({
      name: 'gss-server',
      command: COMMAND,
      args: [
        SCRIPT,
        '--address',
        at.address,
        '--port',
        String(at.port),
        '--cbt',
        cbt,
        ...(files === undefined ? [] : ['--tls', files.certificateFile, files.keyFile]),
        ...(options.corruptAnswers === true ? ['--corrupt-answers'] : []),
        ...(options.encryptedOnly === true ? ['--encrypted-only'] : []),
        ...(answer === undefined ? [] : ['--answer', answerFile]),
      ],
      directory,
      // No replay cache: it would be a file that outlives the test.
      env: { NTLM_USER_FILE: usersFile, KRB5RCACHENAME: 'none:', ...options.env },
      within: options.within,
      listens: [{ protocol: 'tcp', ...at }],
    })
    return {
      ...at,
      ...running,
      authorityFile: made?.authorityFile,
      certificateFile: files?.certificateFile,
    }
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}
