// What is told, as text: the plain way, by which the book is judged.
import type { Emit, Family } from '../../src/model/metric.ts'
import { headOf, labelValue, numberText, type Head, type Tell } from '../../src/views/lines.ts'

/** The lines of one subject's samples, by family name. */
export type Lines = ReadonlyMap<string, string>

/** A sample's line up to its number. */
function samplePrefix({ name, type, labels }: Family, head: Head, values: readonly string[]): string {
  let { pairs } = head
  let own = name
  if (type === 'histogram') {
    const [suffix = '', bound] = values
    own = `${name}_${suffix}`
    if (bound !== undefined) pairs += `${pairs === '' ? '' : ','}le="${labelValue(bound)}"`
  } else {
    for (let index = head.count; index < labels.length; index += 1)
      pairs += `${pairs === '' ? '' : ','}${labels[index]}="${labelValue(values[index - head.count] ?? '')}"`
  }
  return pairs === '' ? `${own} ` : `${own}{${pairs}} `
}

export function linesOf(tell: Tell): Lines {
  const lines = new Map<string, string>()
  tell((metrics, reading, subject, labels) => {
    const head = headOf(labels)
    for (const metric of metrics) {
      let text = lines.get(metric.name) ?? ''
      const emit: Emit = (value, ...values) => {
        if (value !== undefined) text += `${samplePrefix(metric, head, values)}${numberText(Number(value))}\n`
      }
      metric.samples(reading, emit, subject)
      if (text !== '') lines.set(metric.name, text)
    }
  })
  return lines
}
