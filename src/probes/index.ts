// The list of probes: the only place that names them all. Types of results are made from it.
import type { Result } from '../model/result.ts'
import { activity } from './activity.ts'
import { client } from './client.ts'
import { clock } from './clock.ts'
import { licensing } from './licensing.ts'
import { port } from './port.ts'
import type { Probe } from './probe.ts'
import { reference } from './reference.ts'
import { service } from './service.ts'
import { srv } from './srv.ts'

export const probes = { port, srv, service, clock, reference, licensing, activity, client } as const

export type ProbeName = keyof typeof probes

type TargetOf<P> = P extends Probe<string, infer T, infer _Reading> ? T : never
type ReadingOf<P> = P extends Probe<string, infer _T, infer Reading> ? Reading : never

export type ResultOf<Name extends ProbeName> = Result<
  TargetOf<(typeof probes)[Name]>,
  ReadingOf<(typeof probes)[Name]>
>
