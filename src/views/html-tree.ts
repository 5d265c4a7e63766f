// The decision tree of one host: the questions in the order in which a client meets them, and under each its causes with
// verdict, evidence, source and time, or what is missing.
import { CAUSES, rowOf, TREE, type Cause } from '../diagnosis/causes.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Finding } from '../model/finding.ts'
import { evidenceList } from './html-cause.ts'
import { badge, h, type Tone } from './html-frame.ts'

const VERDICTS = {
  named: ['bad', 'this is it'],
  ruled_out: ['good', 'ruled out'],
  unknown: ['unknown', 'cannot tell'],
} as const satisfies Record<string, readonly [Tone, string]>

function verdictBadge({ verdict, warning }: Finding): string {
  const [tone, word] = warning === undefined ? VERDICTS[verdict] : (['warning', 'warning'] as const)
  return badge(tone, word)
}

export interface TreeOptions {
  /** What ids begin with, where a document has several trees. */
  readonly ids?: string
  /** Evidence beyond so much is folded away, unless the cause is named. */
  readonly mostShown?: number
}

const MOST_SHOWN = 2

function folded(
  finding: Finding<Cause>,
  side: 'for' | 'against',
  { ids = '', mostShown = MOST_SHOWN }: TreeOptions,
): string {
  const evidence = finding[side]
  if (finding.verdict === 'named' || evidence.length <= mostShown) return evidenceList(evidence)
  return `${evidenceList(evidence.slice(0, mostShown))}<details id="${ids}more-${finding.cause}-${side}"><summary>${evidence.length - mostShown} more</summary>${evidenceList(evidence.slice(mostShown))}</details>`
}

function causeItem(finding: Finding<Cause>, options: TreeOptions): string {
  const { cause, missing, warning } = finding
  const although =
    finding.for.length > 0 && finding.against.length > 0 ? '<p class="although">although</p>' : ''
  const says = [
    warning === undefined ? '' : `<p>${h(warning)}</p>`,
    folded(finding, 'for', options),
    although,
    folded(finding, 'against', options),
    missing === undefined ? '' : `<p class="missing">${h(missing)}</p>`,
  ]
  return `<li id="${options.ids ?? ''}cause-${cause}"><div class="verdict">${verdictBadge(finding)}</div><div><h4>${h(CAUSES[cause].title)} <small class="slug">${cause}</small></h4>${says.join('')}</div></li>`
}

/** Yes only when nothing that stops clients is open; what threatens is beside the cause. */
function answerTo(findings: readonly Finding<Cause>[]): string {
  const stopping = findings.filter(({ cause }) => rowOf(cause).stopsService)
  if (stopping.some(({ verdict }) => verdict === 'named')) return badge('bad', 'no')
  if (stopping.length === 0 || stopping.some(({ verdict }) => verdict === 'unknown'))
    return badge('unknown', 'cannot tell')
  return badge('good', 'yes')
}

export function treeHtml({ findings }: Diagnosis, options: TreeOptions = {}): string {
  const byCause = new Map(findings.map((finding) => [finding.cause, finding]))
  const questions = TREE.map(({ question, causes }, index) => {
    const own = causes.flatMap((cause) => byCause.get(cause) ?? [])
    return `<li id="${options.ids ?? ''}question-${index + 1}"><h3>${h(question)} ${answerTo(own)}</h3><ul class="causes">${own.map((finding) => causeItem(finding, options)).join('\n')}</ul></li>`
  })
  return `<ol class="tree">${questions.join('\n')}</ol>`
}
