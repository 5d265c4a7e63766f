// Apache with mod_auth_gssapi and gss-ntlmssp: an NTLM acceptor over HTTP (MS-NLMP, RFC 4559) that shares no code with
// us. Its challenge carries its clock, as that of WinRM does. Nobody can log on: its only user has a throw-away password.
import { chmodSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import type { Endpoint } from '../../../src/model/target.ts'
import { skewed } from './faketime.ts'
import { realFiles } from './need.ts'
import { place, type Placement } from './ports.ts'
import { launch, makeDirectory, type Server } from './process.ts'

const COMMAND = '/usr/sbin/apache2'
const MODULES = '/usr/lib/apache2/modules'

/** What must be there, and the Debian packages that bring it. */
const NEEDED = {
  [COMMAND]: 'apache2',
  [`${MODULES}/mod_auth_gssapi.so`]: 'libapache2-mod-auth-gssapi',
  '/etc/gss/mech.d/mech.ntlmssp.conf': 'gss-ntlmssp',
}

export interface ApacheOptions extends Placement {
  /** How far its clock is ahead of ours; negative: behind. */
  readonly skewSeconds?: number
}

/** Skips the test, aloud, unless all is installed. */
export const realApache = (context: Pick<TestContext, 'skip'>): void => realFiles(context, NEEDED)

function configuration(directory: string, at: Endpoint): string {
  const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'auth_gssapi'].map(
    (name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`,
  )
  // Root's children become www-data; for any other user, User has no effect.
  return `ServerRoot ${directory}
ServerName ${at.address}
Listen ${at.address}:${at.port}
PidFile ${directory}/apache.pid
DefaultRuntimeDir ${directory}
ErrorLog ${directory}/log
${modules.join('\n')}
User www-data
Group www-data
StartServers 1
DocumentRoot ${directory}/pages
<Location />
  AuthType GSSAPI
  AuthName lab
  GssapiConnectionBound On
  GssapiAllowedMech krb5
  GssapiAllowedMech ntlmssp
  Require valid-user
</Location>
`
}

/** Rejects like launch(). */
export async function startApache(options: ApacheOptions = {}): Promise<Server> {
  const at = await place(options, 5985)
  const directory = await makeDirectory('apache')
  chmodSync(directory, 0o755)
  const file = join(directory, 'apache.conf')
  const users = join(directory, 'users')
  await mkdir(join(directory, 'pages'))
  await writeFile(users, 'LAB:nobody:unused\n')
  await writeFile(file, configuration(directory, at))
  const running = await launch({
    name: 'apache2',
    command: COMMAND,
    args: ['-f', file, '-D', 'FOREGROUND'],
    directory,
    env: { NTLM_USER_FILE: users, ...skewed(options.skewSeconds) },
    within: options.within,
    listens: [{ protocol: 'tcp', ...at }],
  })
  return { ...at, ...running }
}
