// Prose of runbooks: plain text in which `this` is code and [[service_stopped]] another runbook. Nothing else is markup.
import { RUNBOOK_NAMES, type RunbookName } from './names.ts'

export type Part =
  | { readonly kind: 'text' | 'code'; readonly text: string }
  | { readonly kind: 'runbook'; readonly name: RunbookName }

function isName(text: string): text is RunbookName {
  return (RUNBOOK_NAMES as readonly string[]).includes(text)
}

/** Throws where a backtick is left open or a runbook does not exist: those are our own mistakes. */
export function partsOf(prose: string): readonly Part[] {
  const pieces = prose.split('`')
  if (pieces.length % 2 === 0) throw new Error(`an open backtick: ${prose}`)
  return pieces.flatMap((piece, index): readonly Part[] => {
    if (piece === '') return []
    if (index % 2 === 1) return [{ kind: 'code', text: piece }]
    return piece.split(/\[\[(.*?)\]\]/).flatMap((text, place): readonly Part[] => {
      if (place % 2 === 0) return text === '' ? [] : [{ kind: 'text', text }]
      if (!isName(text)) throw new Error(`no runbook "${text}": ${prose}`)
      return [{ kind: 'runbook', name: text }]
    })
  })
}
