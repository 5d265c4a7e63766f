// What is told, as text: the plain way, by which the book is judged.
import type { Emit } from '../../src/model/metric.ts'
import { headOf, numberText, samplePrefix, type Tell } from '../../src/views/lines.ts'

/** The lines of one subject's samples, by family name. */
export type Lines = ReadonlyMap<string, string>

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
