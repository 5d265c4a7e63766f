// XML as WS-Management speaks it, bounded: no document type (and so no entities of the sender's making), no processing
// instructions, a limit on length and depth, and a plain small tree. The only owner of fast-xml-parser.
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { MalformedMessage } from '../model/failure.ts'

export interface XmlElement {
  /** Without its prefix. */
  readonly name: string
  /** By name without prefix; namespace declarations are left out. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** All that is directly in the element, entities resolved, blanks kept. */
  readonly text: string
}

interface XmlLimits {
  /** UTF-16 code units. */
  readonly mostLength: number
  readonly mostDepth: number
  readonly mostElements: number
}

/** Windows declares some ten namespaces in its longest. */
const MOST_TAG_LENGTH = 8192

const ATTRIBUTES = ':@'
const TEXT = '#text'
const CDATA = '#cdata'

/** An object with one key, the element's name (or TEXT, or CDATA), and its attributes beside it. */
type Node = Readonly<Record<string, unknown>>

// Entities are left as they are and resolved below, so that nothing can expand; values stay text ("0409" is no number).
const OPTIONS = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  cdataPropName: CDATA,
}

const PREDEFINED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/**
 * Throws MalformedMessage for a name that XML itself does not define. A number that is no character is U+FFFD: any client
 * may put such a thing into a host's event log, and must not keep the rest of it from being read.
 */
function resolveEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replaceAll(
    /&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{1,8}));|&/g,
    (whole, decimal?: string, hex?: string, name?: string) => {
      const code = decimal === undefined ? (hex === undefined ? NaN : parseInt(hex, 16)) : Number(decimal)
      if (code >= 0) return code > 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : '\uFFFD'
      const known = name === undefined ? undefined : PREDEFINED[name]
      if (known === undefined)
        throw new MalformedMessage(`"${whole}" does not stand for anything`, text.indexOf(whole))
      return known
    },
  )
}

function attributesOf(node: Node): ReadonlyMap<string, string> {
  const attributes = Object.entries((node[ATTRIBUTES] ?? {}) as Readonly<Record<string, string>>)
  return new Map(attributes.map(([name, value]) => [name, resolveEntities(value)]))
}

function elementOf(node: Node): XmlElement {
  const name = Object.keys(node).find((key) => key !== ATTRIBUTES) ?? ''
  const children: XmlElement[] = []
  let text = ''
  for (const child of node[name] as readonly Node[]) {
    if (TEXT in child) text += resolveEntities(String(child[TEXT]))
    else if (CDATA in child) text += (child[CDATA] as readonly Node[]).map((part) => part[TEXT]).join('')
    else children.push(elementOf(child))
  }
  return { name, attributes: attributesOf(node), children, text }
}

const notWellFormed = (what: string, at: number): MalformedMessage =>
  new MalformedMessage(`not well-formed XML (${what})`, at)

/** Where the tag that begins there ends. Quoted values may hold a `>`. */
function tagEnd(text: string, at: number): number {
  let quote = ''
  const most = Math.min(text.length, at + MOST_TAG_LENGTH)
  for (let index = at + 1; index < most; index++) {
    const character = text[index]
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '"' || character === "'") quote = character
    else if (character === '>') return index
  }
  if (most === text.length) throw notWellFormed('a tag without an end', at)
  throw new MalformedMessage(`a tag of over ${MOST_TAG_LENGTH} characters`, at)
}

const ASIDES = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
] as const

/** XML 1.0 productions 4, 40 and 42: a name, or the slash of an end tag, right behind the `<`. */
const TAG = /<\/?[:A-Z_a-z\u0080-\uFFFF]/y

/**
 * One pass without recursion, before anything that could be made to work hard. Strict about where a tag begins and ends:
 * what the parser takes for a tag and this does not would not be counted.
 */
function checkShape(text: string, { mostDepth, mostElements }: XmlLimits): void {
  let depth = 0
  let elements = 0
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at + 1)) {
    const aside = ASIDES.find(([begin]) => text.startsWith(begin, at))
    if (aside !== undefined) {
      const [begin, ending] = aside
      const end = text.indexOf(ending, at + begin.length)
      if (end === -1) throw notWellFormed(`a "${begin}" without an end`, at)
      at = end
      continue
    }
    TAG.lastIndex = at
    if (!TAG.test(text)) throw notWellFormed('a "<" that begins no tag', at)
    const isEnd = text[at + 1] === '/'
    const end = isEnd ? text.indexOf('>', at) : tagEnd(text, at)
    if (end === -1) throw notWellFormed('a tag without an end', at)
    if (isEnd) depth--
    else {
      elements++
      if (text[end - 1] !== '/') depth++
    }
    if (depth < 0) throw notWellFormed('an end without a beginning', at)
    if (elements > mostElements) throw new MalformedMessage(`more than ${mostElements} elements`, at)
    if (depth > mostDepth) throw new MalformedMessage(`more than ${mostDepth} elements deep`, at)
    at = end
  }
}

function parseRoots(text: string): readonly XmlElement[] {
  try {
    const verdict = XMLValidator.validate(text)
    if (verdict !== true) {
      const { code, line } = verdict.err
      throw notWellFormed(`${code}, line ${line}`, 0)
    }
    const roots = new XMLParser(OPTIONS).parse(text) as readonly Node[]
    return roots.filter((node) => !(TEXT in node) && !(CDATA in node)).map(elementOf)
  } catch (error) {
    if (error instanceof MalformedMessage) throw error
    // The parser throws plain errors of its own, for names such as __proto__.
    throw new MalformedMessage('not well-formed XML', 0)
  }
}

/** SOAP 1.2, section 5, forbids all other processing instructions, and parsers do not agree where those end. */
const DECLARATION = /^<\?xml[ \t\r\n][^<>?]*\?>/

/**
 * The root. Throws MalformedMessage for what is not whole, goes beyond the limits, or brings a document type or a processing
 * instruction.
 */
export function parseXml(text: string, limits: XmlLimits): XmlElement {
  const { mostLength } = limits
  if (text.length > mostLength) throw new MalformedMessage(`over ${mostLength} characters of XML`, mostLength)
  const body = text.replace(/^\uFEFF/, '').replace(DECLARATION, '')
  const type = body.search(/<!(?:DOCTYPE|ENTITY)/i)
  if (type !== -1) throw new MalformedMessage('a document type is not accepted', type)
  checkShape(body, limits)
  const [root, ...others] = parseRoots(body)
  if (root === undefined || others.length > 0) throw new MalformedMessage('not one XML element', 0)
  return root
}

/** For an element's text and an attribute's value. Throws MalformedMessage for characters that XML 1.0 cannot carry. */
export function escapeXml(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const bad = text.search(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/)
  if (bad !== -1) throw new MalformedMessage('a character that XML cannot carry', bad)
  return text.replaceAll(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** The first of that name. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name)
}

/** The first child of the first child, and so on down the names. */
export function pathOf(element: XmlElement, ...names: readonly string[]): XmlElement | undefined {
  return names.reduce<XmlElement | undefined>((at, name) => at && childOf(at, name), element)
}
