// WS-Management requests for the lab's tests, written out after DSP0226 and recordings; nothing of the product or the lab.

export interface Reply {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

export const CREDENTIALS = `Basic ${Buffer.from('reader:read-only').toString('base64')}`

const CIMV2 = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*'
const ENUMERATION = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration'
export const REGISTRY = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/StdRegProv'

export async function post(
  url: string,
  body: string,
  authorization: string | null = CREDENTIALS,
): Promise<Reply> {
  const headers = {
    'content-type': 'application/soap+xml;charset=UTF-8',
    ...(authorization !== null && { authorization }),
  }
  const response = await fetch(url, { method: 'POST', headers, body })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

export function soap(action: string, resource: string, body: string, messageId = 'uuid:A-1'): string {
  return `<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"
    xmlns:wsen="${ENUMERATION}" xmlns:wsman="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
    <env:Header><wsa:To>http://x/wsman</wsa:To><wsman:ResourceURI env:mustUnderstand="true">${resource}</wsman:ResourceURI>
    <wsa:Action env:mustUnderstand="true">${action}</wsa:Action><wsa:MessageID>${messageId}</wsa:MessageID></env:Header>
    <env:Body>${body}</env:Body></env:Envelope>`
}

export function enumerate(
  url: string,
  wql: string,
  {
    resource = CIMV2,
    optimize = true,
    dialect = 'http://schemas.microsoft.com/wbem/wsman/1/WQL',
    authorization = CREDENTIALS,
    maxElements = 32_000,
  } = {},
): Promise<Reply> {
  const escaped = wql.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&#62;')
  const body = `<wsen:Enumerate>${optimize ? '<wsman:OptimizeEnumeration/>' : ''}<wsman:MaxElements>${maxElements}</wsman:MaxElements>
    <wsman:Filter Dialect="${dialect}">${escaped}</wsman:Filter></wsen:Enumerate>`
  return post(url, soap(`${ENUMERATION}/Enumerate`, resource, body), authorization)
}

export function pull(
  url: string,
  context: string,
  maxElements = 32_000,
  authorization = CREDENTIALS,
): Promise<Reply> {
  const body = `<wsen:Pull><wsen:EnumerationContext>${context}</wsen:EnumerationContext>
    <wsen:MaxElements>${maxElements}</wsen:MaxElements></wsen:Pull>`
  return post(url, soap(`${ENUMERATION}/Pull`, CIMV2, body), authorization)
}

export function release(url: string, context: string): Promise<Reply> {
  const body = `<wsen:Release><wsen:EnumerationContext>${context}</wsen:EnumerationContext></wsen:Release>`
  return post(url, soap(`${ENUMERATION}/Release`, CIMV2, body))
}

export function getValue(url: string, method: string, key: string, name: string): Promise<Reply> {
  const body = `<p:${method}_INPUT xmlns:p="${REGISTRY}"><p:hDefKey>2147483650</p:hDefKey>
    <p:sSubKeyName>${key}</p:sSubKeyName><p:sValueName>${name}</p:sValueName></p:${method}_INPUT>`
  return post(url, soap(`${REGISTRY}/${method}`, REGISTRY, body))
}

export function contextOf({ text }: Reply): string | undefined {
  return /<n:EnumerationContext>([^<]+)</.exec(text)?.[1]
}

/** The fragments of a projection, each by the names of its properties; a property that comes again is joined by |. */
export function fragmentsOf({ text }: Reply): Record<string, string>[] {
  return [...text.matchAll(/<w:XmlFragment[^>]*>(.*?)<\/w:XmlFragment>/gs)].map(([, inner = '']) => {
    const row: Record<string, string> = {}
    for (const [, name = '', nil, value = ''] of inner.matchAll(
      /<(\w+)(?: (xsi:nil="true")\/|\/|>(.*?)<\/\1)>/gs,
    )) {
      const said = nil === undefined ? value : 'nil'
      row[name] = row[name] === undefined ? said : `${row[name]}|${said}`
    }
    return row
  })
}

/** All rows of a query, by as many Pulls as it takes. */
export async function queryAll(
  url: string,
  wql: string,
  authorization = CREDENTIALS,
): Promise<Record<string, string>[]> {
  let reply = await enumerate(url, wql, { authorization })
  const rows = fragmentsOf(reply)
  for (let context = contextOf(reply); context !== undefined; context = contextOf(reply)) {
    reply = await pull(url, context, 32_000, authorization)
    rows.push(...fragmentsOf(reply))
  }
  return rows
}
