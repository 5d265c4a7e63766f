import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { childOf, escapeXml, parseXml, pathOf } from '../../src/protocol/xml.ts'
import { malformedBy, timed } from './support.ts'

const LIMITS = { mostLength: 1 << 20, mostDepth: 40, mostElements: 50_000 }

function parse(text: string): ReturnType<typeof parseXml> {
  return parseXml(text, LIMITS)
}

describe('parseXml', () => {
  it('gives names without prefixes, attributes, children in order and text as it is', () => {
    const root = parse(
      '\uFEFF<?xml version="1.0" encoding="UTF-8"?>\n<w:a xmlns:w="u" i:nil="true" b="&lt;1&#38;">' +
        ' t&#xe4;&#228; <w:c/><d>0409</d><d> 1e5 </d><![CDATA[<&amp;]]><!-- <x> --></w:a>\n',
    )
    expect(root.name).toBe('a')
    expect([...root.attributes]).toEqual([
      ['nil', 'true'],
      ['b', '<1&'],
    ])
    expect(root.children.map(({ name, text }) => [name, text])).toEqual([
      ['c', ''],
      ['d', '0409'],
      ['d', ' 1e5 '],
    ])
    expect(root.text).toBe(' t\u00e4\u00e4 <&amp;')
  })

  it('puts the replacement character for numbers that are no character', () => {
    expect(parse('<a b="&#x110000;">1&#0;2&#x0;3&#9999999;4&#1;</a>')).toMatchObject({
      text: '1\uFFFD2\uFFFD3\uFFFD4\u0001',
      attributes: new Map([['b', '\uFFFD']]),
    })
  })

  it('finds by name, down a path', () => {
    const root = parse('<a><b><c>1</c></b><b><c>2</c></b></a>')
    expect(pathOf(root, 'b', 'c')?.text).toBe('1')
    expect(pathOf(root, 'x', 'c')).toBeUndefined()
    expect(childOf(root, 'c')).toBeUndefined()
  })

  it.each([
    ['nothing', ''],
    ['no XML', 'hello'],
    ['what is cut off', '<a><b></b>'],
    ['what is closed by another', '<x:a></y:a>'],
    ['two roots', '<a/><b/>'],
    ['a bare ampersand', '<a>b & c</a>'],
    ['an entity of HTML', '<a>&nbsp;</a>'],
    ['an attribute twice', '<a b="1" b="2"/>'],
    ['a name that is a trap', '<__proto__><polluted>1</polluted></__proto__>'],
    ['an attribute that is a trap', '<a __proto__="1"/>'],
    ['a web page', '<html><body><p>Login<br></body></html>'],
    ['an external entity', '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'],
    ['a bare document type', '<!doctype html><html></html>'],
    ['a tag without a name', '<a><></></a>'],
    ['a tag with a number for a name', '<a><1/></a>'],
    ['a blank before the name', '<a>< b/></a>'],
    ['a comment without an end', '<a/><!-- <b>'],
    ['an end first', '</a><a>'],
    ['a declaration of its own kind', '<a><!ELEMENT b></a>'],
    ['a processing instruction', '<a><?b?></a>'],
    ['a declaration that comes late', ' <?xml version="1.0"?><a/>'],
    // The parser's own quotes go beyond the first `?>`: what follows would be no attribute to it, but elements.
    ['elements hidden in an attribute', `<?x "?><b c='" ?>${'<e>'.repeat(50)}'></b>`],
    ['elements hidden behind an end tag', `<a></a "><b></b>${'<e>'.repeat(50)}">`],
    ['too deep a tree', '<a>'.repeat(41) + '</a>'.repeat(41)],
    ['too long a text', `<a>${'x'.repeat(LIMITS.mostLength)}</a>`],
    ['too many elements', `<a>${'<b/>'.repeat(LIMITS.mostElements)}</a>`],
  ])('refuses %s', (_name, text) => {
    expect(malformedBy(() => parse(text))).toBeDefined()
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })

  it('does not take for elements what stands in comments and CDATA', () => {
    const asides = `<!-- ${'<b "'.repeat(3_000)} --><![CDATA[${"<b '".repeat(3_000)}]]>`
    expect(parse(`<a c=">">${asides}</a>`).children).toEqual([])
  })

  it('takes what is just within its limits', () => {
    expect(parse('<a>'.repeat(40) + '</a>'.repeat(40)).name).toBe('a')
    expect(parse(`<a>${'<b/>'.repeat(LIMITS.mostElements - 1)}</a>`).children).toHaveLength(49_999)
  })

  it.each([
    ['entities that multiply', '<!DOCTYPE a [<!ENTITY x "&y;&y;&y;">]><a>&x;</a>'.padEnd(1 << 20)],
    ['opening brackets', '<'.repeat(1 << 20)],
    ['elements that never close', '<a>'.repeat(1 << 18)],
    [
      'a hundred thousand attributes',
      `<a ${Array.from({ length: 90_000 }, (_, n) => `b${n}="1"`).join(' ')}/>`,
    ],
    [
      'a hundred thousand attributes behind a bracket',
      `<a b=">" ${Array.from({ length: 90_000 }, (_, n) => `c${n}="1"`).join(' ')}/>`,
    ],
    ['comments that never end', `<a>${'<!--'.repeat(1 << 18)}</a>`],
    ['instructions', `<a>${'<?b?>'.repeat(200_000)}</a>`],
    ['ampersands', `<a>${'&amp;'.repeat(200_000)}</a>`],
    ['quotes', `<a b="${"'".repeat(1 << 20)}`],
    ['closing tags', `<a>${'</a>'.repeat(1 << 18)}`],
    ['elements within text', `<a>${'x<b/>'.repeat(200_000)}</a>`],
  ])('is done with %s in good time', (_name, text) => {
    expect(timed(() => void malformedBy(() => parse(text)))).toBeLessThan(3_000)
  })

  it('is total, and keeps any text and attribute', () => {
    const piece = fc.constantFrom(
      '<a>',
      '</a>',
      '<b x="1">',
      '<b/>',
      '&#38;',
      '&',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?x?>',
      'text',
      '"',
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        (parts) => void malformedBy(() => parse(parts.join(''))),
      ),
    )
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void malformedBy(() => parse(text))))
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        let escaped = ''
        if (malformedBy(() => (escaped = escapeXml(text))) !== undefined) return
        const root = parse(`<a b="${escaped}">${escaped}</a>`)
        expect([root.text, root.attributes.get('b')]).toEqual([text, text])
      }),
    )
  })
})

describe('escapeXml', () => {
  it('leaves nothing that could end an element or an attribute', () => {
    expect(escapeXml("Name = 'a\"b' AND x < 1 & y > 2\n")).not.toMatch(/[<>"'\n]|&(?!#)/)
  })

  it('refuses what XML cannot carry', () => {
    expect(malformedBy(() => escapeXml('a\u0000b'))).toMatchObject({ offset: 1 })
  })
})
