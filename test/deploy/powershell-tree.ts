// PowerShell scripts as trees, by the grammar that editors use.
import { createRequire } from 'node:module'
import { join } from 'node:path'

export interface Node {
  readonly type: string
  readonly text: string
  readonly isError: boolean
  readonly isMissing: boolean
  readonly hasError: boolean
  readonly startPosition: { readonly row: number; readonly column: number }
  readonly children: readonly Node[]
}

interface TreeSitter {
  readonly Parser: {
    init(options: object): Promise<void>
    new (): { setLanguage(language: unknown): void; parse(text: string): { readonly rootNode: Node } }
  }
  readonly Language: { load(file: string): Promise<unknown> }
}

const require = createRequire(import.meta.url)
const WASM = join(require.resolve('@vscode/tree-sitter-wasm/package.json'), '../wasm')

export async function loadGrammar(): Promise<(text: string) => Node> {
  const { Parser, Language } = require(join(WASM, 'tree-sitter.js')) as TreeSitter
  await Parser.init({ locateFile: (name: string) => join(WASM, name) })
  const parser = new Parser()
  parser.setLanguage(await Language.load(join(WASM, 'tree-sitter-powershell.wasm')))
  return (text) => parser.parse(text).rootNode
}

/** Where a script does not parse, by line. */
export function faultsOf(node: Node): readonly string[] {
  if (!node.hasError && !node.isMissing) return []
  const own =
    node.isError || node.isMissing
      ? [
          `line ${node.startPosition.row + 1}: ${node.isMissing ? `${node.type} is missing` : node.text.slice(0, 60)}`,
        ]
      : []
  return [...own, ...node.children.flatMap(faultsOf)]
}

/** All nodes of these types, in the order of the text. */
export function nodesOf(node: Node, ...types: readonly string[]): readonly Node[] {
  return [
    ...(types.includes(node.type) ? [node] : []),
    ...node.children.flatMap((child) => nodesOf(child, ...types)),
  ]
}
