// Peers whose every free text tries to break out of wherever it is put: markup, quotes, label quoting, sequences that
// steer a terminal, formats, NUL, half a character. Each text carries the name of where it came from.
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { readFile } from 'node:fs/promises'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { startDns } from '../../src/lab/dns.ts'
import { published, request12288 } from '../../src/lab/event-log.ts'
import { listenServer } from '../../src/lab/listener.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { kmsClient, kmsHost, kmsProduct } from '../../src/lab/windows-machine.ts'
import { startWinrm } from '../../src/lab/winrm.ts'
import { during } from '../during.ts'
import { winrmPeer, wmiFault } from '../io/windows/hostile-winrm.ts'
import { LOOPBACK } from '../io/support.ts'
import { program } from '../real/servers/need.ts'

/** A series that no page of metrics may have. */
export const FORGED = 'winkms_forged'

/** `where` comes first, so that a text that is cut is known by it. */
export function evil(where: string): string {
  return `from-${where}<script>alert(1)</script>"'\\"} 1\n${FORGED}{a="b"} 1\r\n<img src=x onerror=alert(2)>\u001b[31m\u009b2J\u202e\u2066\u2028\u0000%s%n%x{{.}}\${7*7}&#60;b\ud800`
}

/** As XML can carry it, and some that it cannot. */
function xml(text: string): string {
  return Array.from({ length: text.length }, (_, index) => `&#${text.charCodeAt(index)};`).join('')
}

/** What fits the label of a name: 63 bytes, and no dot. */
const LABELS = [
  'from-dns<script>alert(1)<',
  'from-dns"} 1\nwinkms_forged 1\n',
  'from-dns\u001b[31m\u009b2J\u0000\\\\',
  `from-dns'%s%n${'\u00ff'.repeat(40)}`,
]

function certificateOf(directory: string): { readonly certificateFile: string; readonly keyFile: string } {
  const [certificateFile, keyFile] = [join(directory, 'evil.pem'), join(directory, 'evil.key')]
  const name = `from-certificate<script>alert(1)</script>"'\u009b31m\u202e%s`
  // prettier-ignore
  execFileSync(program('openssl'), ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
    '-utf8', '-subj', `/CN=${name.replaceAll('/', '\\/')}`, '-addext', 'subjectAltName=DNS:from-certificate<script>alert(1)<\\/script>"%s',
    '-days', '2', '-keyout', keyFile, '-out', certificateFile], { timeout: 15_000, stdio: 'pipe' })
  return { certificateFile, keyFile }
}

/** They live until the test has ended. Resolves with the configuration of an exporter that watches them. */
export async function startStrangers(directory: string): Promise<string> {
  const password = join(directory, 'password')
  const machine = kmsHost({
    name: 'evil.corp.example',
    os: { caption: evil('caption') },
    products: [
      kmsProduct({
        Description: `Windows(R), VOLUME_KMS_WS22 channel ${evil('description')}`,
        Name: evil('name'),
      }),
    ],
    publishList: [`${evil('publish-list')}, 1, 2`, 'corp.example, 0, 0'],
  })
  machine.receive({ clientName: evil('client-name'), cmid: '11111111-2222-4333-8444-555555555555' })
  machine.log('Application').append(published(evil('published'), Date.now() / 1000 - 60))
  const canary = kmsClient({ name: 'pc.corp.example', os: { caption: evil('client-caption') } })
  canary.log('Application').append(request12288({ host: evil('asked-host'), hresult: 0xc004_f074 }))
  const logon = { username: 'reader', password: 'right' }
  const [windows, client] = [
    await during(startWinrm(machine, LOOPBACK, logon)),
    await during(startWinrm(canary, LOOPBACK, logon)),
  ]
  const faulty = await winrmPeer(({ say }) => say(wmiFault(1, 1, xml(evil('fault')))))
  const typed = await winrmPeer(
    ({ response }) =>
      void response
        .writeHead(500, 'from-status <script>', {
          // What a header can carry: bytes, of which one is CSI.
          'content-type': `from-type<script>alert(1)</script>"\u009b31m`,
          server: 'from-server<script>',
          date: 'from-date<script>alert(1)</script>',
          'www-authenticate': ['Negotiate from-offer<script>', '<script>alert(1)</script>'],
        })
        .end(evil('body')),
    { everything: true },
  )
  const page = createServer((_request, response) => {
    const name = evil('label').replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    response.end(
      `windows_service_state{name="sppsvc",state="${name}"} 1\nwindows_service_state{name="sppsvc",state="running"} 1\nwindows_service_start_mode{name="sppsvc",start_mode="${name}"} 1\n`,
    )
  })
  const exporter = await during(listenServer(page, LOOPBACK))
  const { certificateFile, keyFile } = certificateOf(directory)
  const tls = createTlsServer({ cert: await readFile(certificateFile), key: await readFile(keyFile) })
  const secure = await during(listenServer(tls, LOOPBACK))
  const kms = await during(startRpc('kms', LOOPBACK))
  const dns = await during(
    startDns(
      {
        zones: {
          'corp.example': LABELS.map((label) => ({
            name: '_vlmcs._tcp.corp.example',
            type: 'SRV' as const,
            data: { priority: 0, weight: 0, port: kms.port, target: `${label}.corp.example` },
          })),
        },
      },
      LOOPBACK,
    ),
  )
  const host = (name: string, windows: string): string =>
    `  - { name: ${name}.corp.example, connect_to: 127.0.0.1, port: ${kms.port}, addresses: [127.0.0.1], windows: { ${windows} } }`
  const winrm = (url: string): string =>
    `via: winrm, url: '${url}', credentials: CREDENTIALS, allow_unencrypted: true`
  const hosts = [
    host('evil', `${winrm(windows.url)}, registry: true`),
    host('faulty', winrm(faulty.url)),
    host('typed', winrm(typed.url)),
    host('labelled', `via: windows_exporter, url: 'http://127.0.0.1:${exporter.port}/metrics'`),
    host(
      'certified',
      `via: winrm, url: 'https://127.0.0.1:${secure.port}/wsman', credentials: CREDENTIALS, tls: { ca_file: ${certificateFile}, server_name: kms.corp.example }`,
    ),
  ]
  const accounts = ['evil', 'faulty', 'typed', 'labelled', 'certified', 'client']
  return `resolvers: ['127.0.0.1:${dns.port}']
domains: [{ name: corp.example, expect: [evil.corp.example], unexpected: error }]
credentials:
${accounts.map((name) => `  ${name}: { auth: basic, username: reader, password_file: ${password} }`).join('\n')}
probes:
  port: { timeout: 2s }
  clock: { timeout: 5s, sources: [http, ntlm, cim], ports: { http: ${typed.port}, ntlm: ${typed.port} } }
hosts:
${hosts.map((line, index) => line.replace('CREDENTIALS', accounts[index] ?? '')).join('\n')}
clients:
  - { name: pc.corp.example, connect_to: 127.0.0.1, windows: { ${winrm(client.url).replace('CREDENTIALS', 'client')} } }
`
}

/** Which texts must have come through somewhere, or nothing was tested. The others are checked at the door, and left out. */
export const SEEN = ['caption', 'client-caption', 'fault', 'type', 'dns']
