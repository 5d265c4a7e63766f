// The schema for editors and charts, made from the one that the file is checked with.
import * as z from 'zod'

import { schema } from './schema.ts'

/** JSON Schema, draft 2020-12, of the file as it is written: defaults may be left out, durations are text. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' })
  return {
    $schema,
    title: 'winkms-exporter configuration',
    description: 'Which Windows KMS hosts and domains are watched, and how. Every key may be left out.',
    ...rest,
  }
}
