// The text of a WQL query, taken apart. Pure; what a query means is `wql.ts`'s business.

type Token =
  | { readonly kind: 'word' | 'string' | 'symbol'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string; readonly value: number }

export type Literal = string | number | boolean | null
export type Operator = '=' | '<>' | '<' | '>' | '<=' | '>=' | 'LIKE'

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  | {
      readonly kind: 'compare'
      readonly property: string
      readonly operator: Operator
      readonly value: Literal
    }

export interface Query {
  readonly columns: readonly string[] | undefined
  readonly from: string
  readonly where: Condition | undefined
}

const MOST_CHARACTERS = 16_384

const TOKEN =
  /\s*(?:(?<word>[A-Za-z_]\w*)|(?<number>-?\d+(?:\.\d+)?)(?!\w)|'(?<single>(?:[^'\\]|\\.)*)'|"(?<double>(?:[^"\\]|\\.)*)"|(?<symbol><>|!=|<=|>=|[=<>(),*]))/sy

function tokensOf(text: string): readonly Token[] | undefined {
  const tokens: Token[] = []
  const end = text.trimEnd().length
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < end) {
    const groups = TOKEN.exec(text)?.groups
    if (groups === undefined) return undefined
    const { word, number, single, double, symbol } = groups
    const quoted = single ?? double
    if (word !== undefined) tokens.push({ kind: 'word', text: word })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, value: Number(number) })
    else if (quoted !== undefined)
      tokens.push({
        kind: 'string',
        text: quoted.replaceAll(/\\(.)/gs, (_whole, escaped: string) => escaped),
      })
    else tokens.push({ kind: 'symbol', text: symbol ?? '' })
  }
  return tokens
}

/** Undefined for what is no query. */
export function parse(text: string): Query | undefined {
  const tokens = text.length > MOST_CHARACTERS ? undefined : tokensOf(text)
  if (tokens === undefined) return undefined
  let at = 0
  const isNext = (expected: string): boolean => {
    const token = tokens[at]
    return token !== undefined && token.kind !== 'string' && token.text.toUpperCase() === expected
  }
  const take = (expected: string): boolean => {
    if (!isNext(expected)) return false
    at += 1
    return true
  }
  const name = (): string | undefined => {
    const token = tokens[at]
    at += 1
    return token?.kind === 'word' ? token.text : undefined
  }

  function list(): readonly string[] | undefined {
    const names: string[] = []
    do {
      const next = name()
      if (next === undefined) return undefined
      names.push(next)
    } while (take(','))
    return names
  }
  function either(): Condition | undefined {
    return series('OR', 'or', () => series('AND', 'and', negated))
  }
  function series(
    word: string,
    kind: 'and' | 'or',
    part: () => Condition | undefined,
  ): Condition | undefined {
    const parts: Condition[] = []
    do {
      const next = part()
      if (next === undefined) return undefined
      parts.push(next)
    } while (take(word))
    return { kind, parts }
  }
  function negated(): Condition | undefined {
    if (take('NOT')) {
      const part = negated()
      return part && { kind: 'not', part }
    }
    if (!take('(')) return comparison()
    const inner = either()
    return take(')') ? inner : undefined
  }
  function comparison(): Condition | undefined {
    const property = name()
    if (property === undefined) return undefined
    if (take('IS')) {
      const operator = take('NOT') ? '<>' : '='
      return take('NULL') ? { kind: 'compare', property, operator, value: null } : undefined
    }
    const operator = operatorOf(tokens?.[at])
    const value = literalOf(tokens?.[at + 1])
    at += 2
    if (operator === undefined || value === undefined) return undefined
    // The WQL reference has `= NULL` and `<> NULL`, and no other comparison with it.
    if (value === null && operator !== '=' && operator !== '<>') return undefined
    return { kind: 'compare', property, operator, value }
  }

  if (!take('SELECT')) return undefined
  const all = take('*')
  const columns = all ? undefined : list()
  if (!all && columns === undefined) return undefined
  if (!take('FROM')) return undefined
  const from = name()
  if (from === undefined) return undefined
  const where = take('WHERE') ? either() : undefined
  const isWhole =
    at === tokens.length && (where !== undefined || !tokens.some((token) => isWord(token, 'WHERE')))
  return isWhole ? { columns, from, where } : undefined
}

function isWord(token: Token, word: string): boolean {
  return token.kind === 'word' && token.text.toUpperCase() === word
}

const OPERATORS = ['=', '<>', '<', '>', '<=', '>=', 'LIKE'] as const

function operatorOf(token: Token | undefined): Operator | undefined {
  if (token === undefined || token.kind === 'string') return undefined
  const text = token.text === '!=' ? '<>' : token.text.toUpperCase()
  return OPERATORS.find((operator) => operator === text)
}

function literalOf(token: Token | undefined): Literal | undefined {
  if (token === undefined || token.kind === 'symbol') return undefined
  if (token.kind === 'number') return token.value
  if (token.kind === 'string') return token.text
  return { TRUE: true, FALSE: false, NULL: null }[token.text.toUpperCase()]
}
