// What fields of a file have in common, in zod's words: text that means something, numbers within bounds, lists.
import * as z from 'zod'

import type { Parsed } from './values.ts'

export function text<T>(parse: (text: string) => Parsed<T>, meta: { title?: string; pattern?: string } = {}) {
  return z
    .string()
    .meta(meta)
    .transform((given, context): T => {
      const parsed = parse(given)
      if (parsed.problem === undefined) return parsed.value
      const params = { hint: parsed.hint }
      context.issues.push({ code: 'custom', message: parsed.problem, params, input: given })
      return z.NEVER
    })
}

export function whole(min: number, max: number) {
  const range = { error: `must be ${min} to ${max}` }
  return z.int().min(min, range).max(max, range)
}

export function some<T extends z.ZodType>(element: T) {
  return z.array(element).min(1, { error: 'must list at least one' })
}

export function notEmpty() {
  return z.string().min(1, { error: 'must not be empty' })
}
