// The diagnosis for a person at a shell, tired, at 3 a.m.: the answer first, then what to do, then what it rests on.
import { CAUSES, fillIn, rowOf, TREE, type Cause } from '../diagnosis/causes.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import { CLIENT_ERRORS, type ClientErrorCode } from '../kms/error-codes.ts'
import type { Evidence, Finding } from '../model/finding.ts'
import type { Result } from '../model/result.ts'
import { printable, utc } from './printable.ts'
import { unasked } from './unasked.ts'

export type Colour = 'red' | 'green' | 'yellow' | 'bold' | 'dim'
export type Paint = (colour: Colour, text: string) => string

export const plainPaint: Paint = (_colour, text) => text

const CODES: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 }

export const terminalPaint: Paint = (colour, text) => `\u001b[${CODES[colour]}m${text}\u001b[0m`

const SERVING = {
  true: ['green', 'SERVING'],
  false: ['red', 'NOT SERVING'],
  undefined: ['yellow', 'CANNOT TELL'],
} as const

const MARKS = { named: ['red', 'FAIL'], ruled_out: ['green', ' ok '], unknown: ['yellow', ' ?  '] } as const

const WARNING = ['yellow', 'warn'] as const

function evidenceLine({ says, source }: Evidence, paint: Paint): string {
  return `${printable(says)} ${paint('dim', `[${printable(source)}]`)}`
}

function whatToDo(diagnosis: Diagnosis, finding: Finding<Cause>, paint: Paint): string {
  const { host, domains, clientErrors } = diagnosis
  const [domain] = domains
  const facts = { host: printable(host.name), port: host.port, domain: domain && printable(domain) }
  const row = rowOf(finding.cause)
  const code = clientErrors.find(({ cause }) => cause === finding.cause)?.code as ClientErrorCode | undefined
  const lines = [
    paint('bold', `  ${row.title} (${finding.cause})`),
    ...(code === undefined ? [] : [`    clients see  ${code}: ${CLIENT_ERRORS[code].meaning}`]),
    `    do this      ${fillIn(row.remedy, facts)}`,
    `    command      ${fillIn(row.command, facts)}`,
    ...finding.for.map(
      (each, index) => `    ${index === 0 ? 'because    ' : '           '}  ${evidenceLine(each, paint)}`,
    ),
    ...finding.against.map(
      (each, index) => `    ${index === 0 ? 'although   ' : '           '}  ${evidenceLine(each, paint)}`,
    ),
  ]
  return lines.join('\n')
}

function branch(finding: Finding<Cause>, paint: Paint): string {
  const { cause, verdict, missing, warning } = finding
  const [colour, mark] = warning === undefined ? MARKS[verdict] : WARNING
  const says =
    verdict === 'named'
      ? paint('bold', CAUSES[cause].title)
      : warning !== undefined
        ? printable(warning)
        : verdict === 'unknown'
          ? `cannot tell: ${printable(missing ?? '')}`
          : printable(finding.against[0]?.says ?? '')
  return `    ${paint(colour, mark)} ${cause.padEnd(22)} ${says}`
}

/** One line a cause; those that cannot be told for one and the same reason share a line. */
function branches(findings: readonly Finding<Cause>[], paint: Paint): readonly string[] {
  const [first] = findings
  const alike = findings.every(({ verdict, missing }) => verdict === 'unknown' && missing === first?.missing)
  if (first === undefined || findings.length < 3 || !alike)
    return findings.map((finding) => branch(finding, paint))
  const [colour, mark] = MARKS.unknown
  return [
    `    ${paint(colour, mark)} ${printable(first.missing ?? '')}`,
    `         ${paint('dim', findings.map(({ cause }) => cause).join(', '))}`,
  ]
}

function couldNotBeAsked({ host }: Diagnosis, results: readonly Result[], paint: Paint): readonly string[] {
  const lines = unasked(host, results).flatMap(
    ({ subjects, failure: { reason, stage, detail }, itTakes }) => [
      `    ${paint('yellow', printable(subjects.join(', ')))}: ${reason} at ${printable(stage)}`,
      `      said         ${printable(detail)}`,
      ...(itTakes === undefined ? [] : [`      it takes     ${itTakes}`]),
    ],
  )
  return lines.length === 0 ? [] : ['', '  Could not be asked', ...lines]
}

/** `results`: the runs that the diagnosis rests on. `now`: Unix seconds. */
export function diagnosisText(
  diagnosis: Diagnosis,
  results: readonly Result[],
  paint: Paint,
  now: number,
): string {
  const { host, serving, findings } = diagnosis
  const [colour, word] = SERVING[String(serving) as keyof typeof SERVING]
  const named = findings.filter(({ verdict }) => verdict === 'named')
  const byCause = new Map(findings.map((finding) => [finding.cause, finding]))
  const tree = TREE.flatMap(({ question, causes }) => [
    `  ${question}`,
    ...branches(
      causes.flatMap((cause) => byCause.get(cause) ?? []),
      paint,
    ),
  ])
  return [
    `${paint('bold', printable(host.name))} port ${host.port}: ${paint(colour, word)}   ${paint('dim', utc(now))}`,
    ...(named.length > 0 ? ['', ...named.map((finding) => whatToDo(diagnosis, finding, paint))] : []),
    ...(named.length === 0 && serving === false
      ? ['', '  Cannot tell why. What is missing stands beside each cause.']
      : []),
    '',
    ...tree,
    ...couldNotBeAsked(diagnosis, results, paint),
    '',
  ].join('\n')
}
