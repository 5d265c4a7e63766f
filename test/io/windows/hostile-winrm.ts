// WinRM peers of a few lines, which say what a test tells them to. Their words follow recorded answers of Windows
// (2008 R2, 2012) and DSP0226; nothing of ours writes or reads them.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listenServer, type Listener } from '../../../src/lab/listener.ts'
import { during } from '../../during.ts'
import { LOOPBACK } from '../support.ts'

const ENVELOPE =
  'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" ' +
  'xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" ' +
  'xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'

export function answerTo(messageId: string, body: string, action = 'x'): string {
  return (
    `<s:Envelope xml:lang="en-US" ${ENVELOPE}><s:Header><a:Action>${action}</a:Action>` +
    `<a:MessageID>uuid:11111111-2222-3333-4444-555555555555</a:MessageID>` +
    '<a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>' +
    `<a:RelatesTo>${messageId}</a:RelatesTo></s:Header><s:Body>${body}</s:Body></s:Envelope>`
  )
}

/** As of a projection: the class is not named, nothing is prefixed. */
export function fragment(properties: string): string {
  return `<w:XmlFragment>${properties}</w:XmlFragment>`
}

/** The answer to Enumerate: of the w: namespace, the context empty when all is said. */
export function enumerated(items: string, context = ''): string {
  const end = context === '' ? '<w:EndOfSequence/>' : ''
  return (
    `<n:EnumerateResponse><n:EnumerationContext>${context}</n:EnumerationContext>` +
    `<w:Items>${items}</w:Items>${end}</n:EnumerateResponse>`
  )
}

/** The answer to Pull: of the n: namespace, without a context when all is said. */
export function pulled(items: string, context?: string): string {
  const next = context === undefined ? '' : `<n:EnumerationContext>${context}</n:EnumerationContext>`
  const end = context === undefined ? '<n:EndOfSequence/>' : ''
  return `<n:PullResponse>${next}<n:Items>${items}</n:Items>${end}</n:PullResponse>`
}

/** As Windows passes a WMI error on: its own code outside, the provider's inside. */
export function wmiFault(code: number, inner = code, text = 'Zugriff verweigert'): string {
  return (
    '<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code>' +
    `<s:Reason><s:Text xml:lang="de-DE">${text}</s:Text></s:Reason><s:Detail>` +
    `<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="${code}" Machine="kms01">` +
    '<f:Message><f:ProviderFault provider="WMI Provider" path="%systemroot%\\system32\\WsmWmiPl.dll">' +
    `<f:WSManFault Code="${inner}" Machine="kms01"><f:Message>${text} </f:Message></f:WSManFault>` +
    '<f:ExtendedError><q:__ExtendedStatus xmlns:q="u"><q:Description xsi:nil="true"/></q:__ExtendedStatus></f:ExtendedError>' +
    '</f:ProviderFault></f:Message></f:WSManFault></s:Detail></s:Fault>'
  )
}

export interface Heard {
  readonly kind: 'Identify' | 'Enumerate' | 'Pull' | 'Release' | 'other'
  readonly text: string
  readonly messageId: string
  readonly wql: string
  /** Undefined where there is none. */
  readonly context: string | undefined
  readonly maxElements: number
  readonly authorization: string | undefined
  /** 1 for the first connection. */
  readonly connection: number
  readonly response: ServerResponse
  /** Ends the connection, whatever was said on it. */
  hangUp(): void
  /** Sends a whole SOAP answer. */
  say(body: string, status?: number): void
}

export interface Peer extends Listener {
  readonly heard: readonly Heard[]
  /** Connections that were ever made. */
  readonly connections: number
  /** Resolves when the connection of that number is over. */
  closed(connection: number): Promise<void>
  readonly url: string
}

function between(text: string, tag: string): string | undefined {
  return new RegExp(`<(?:\\w+:)?${tag}(?: [^>]*)?>([^<]*)</`).exec(text)?.[1]
}

function unescape(text: string): string {
  return text.replaceAll(/&#(\d+);/g, (_whole, code: string) => String.fromCodePoint(Number(code)))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

/** Answers Identify by itself, and Release, unless `everything` is `act`'s. Ends with the test. */
export async function winrmPeer(
  act: (heard: Heard) => void | Promise<void>,
  { everything = false } = {},
): Promise<Peer> {
  const heard: Heard[] = []
  const numbers = new WeakMap<object, number>()
  let connections = 0
  const server = createServer((request, response) => {
    void (async () => {
      const text = await bodyOf(request)
      const action = between(text, 'Action') ?? ''
      const kind = /<\w+:Identify\/>/.test(text)
        ? 'Identify'
        : (['Enumerate', 'Pull', 'Release'] as const).find((name) => action.endsWith(`/enumeration/${name}`))
      const messageId = between(text, 'MessageID') ?? ''
      const each: Heard = {
        kind: kind ?? 'other',
        text,
        messageId,
        wql: unescape(between(text, 'Filter') ?? ''),
        context: between(text, 'EnumerationContext'),
        maxElements: Number(between(text, 'MaxElements')),
        authorization: request.headers.authorization,
        connection: numbers.get(request.socket) ?? 0,
        response,
        hangUp: () => void request.socket.destroy(),
        say(body, status = /<s:Fault>/.test(body) ? 500 : 200) {
          response.writeHead(status, { 'content-type': 'application/soap+xml;charset=UTF-8' })
          response.end(answerTo(messageId, body))
        },
      }
      heard.push(each)
      if (everything) await act(each)
      else if (kind === 'Identify') each.say('<i:IdentifyResponse xmlns:i="u"/>')
      else if (kind === 'Release') each.say('')
      else await act(each)
    })()
  })
  server.keepAliveTimeout = 0
  const endings: Promise<void>[] = []
  server.on('connection', (socket) => {
    numbers.set(socket, ++connections)
    endings.push(new Promise((resolve) => socket.once('close', () => resolve())))
  })
  const listener = await during(listenServer(server, LOOPBACK))
  return {
    ...listener,
    heard,
    get connections() {
      return connections
    },
    closed: async (connection) => endings[connection - 1],
    url: `http://127.0.0.1:${listener.port}/wsman`,
  }
}
