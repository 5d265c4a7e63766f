// `/metrics` and whatever else speaks the exposition format: negotiation, compression, streaming.
import type { Request, Response } from 'express'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { createGzip } from 'node:zlib'
import { CONTENT_TYPES, type Format } from '../views/lines.ts'

const [TEXT, OPENMETRICS] = (['text', 'openmetrics'] as const).map((format) =>
  CONTENT_TYPES[format].replace(/; charset.*/, ''),
) as [string, string]

/** Prometheus 3 says how names beyond the old alphabet are to be escaped; we have none, so any way is right. */
const OFFERS = [
  TEXT,
  OPENMETRICS,
  ...['allow-utf-8', 'underscores', 'dots', 'values'].map((way) => `${OPENMETRICS}; escaping=${way}`),
]

/** Text 0.0.4 unless OpenMetrics is asked for by name. */
export function chooseFormat(request: Request): Format {
  const chosen = request.accepts(OFFERS)
  return typeof chosen === 'string' && chosen.startsWith('application/openmetrics-text')
    ? 'openmetrics'
    : 'text'
}

/** So much is copied and handed on in one turn of the event loop: a fraction of a millisecond. */
const PIECE_BYTES = 256 * 1024

/**
 * What was handed over, copied before it can change, in larger pieces and with a turn of the event loop after each: runs
 * go on while a scrape is sent.
 */
async function* inTurns(
  pieces: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>,
): AsyncGenerator<Uint8Array> {
  let buffer = Buffer.allocUnsafe(PIECE_BYTES)
  let filled = 0
  for await (const each of pieces) {
    const piece = typeof each === 'string' ? Buffer.from(each) : each
    const full = filled + piece.length > buffer.length ? buffer.subarray(0, filled) : undefined
    if (full !== undefined) {
      buffer = Buffer.allocUnsafe(Math.max(PIECE_BYTES, piece.length))
      filled = 0
    }
    buffer.set(piece, filled)
    filled += piece.length
    if (full === undefined || full.length === 0) continue
    yield full
    await turn()
  }
  if (filled > 0) yield buffer.subarray(0, filled)
}

/** A peer that goes away, before the sending or in the middle of it, ends it; that is no error of ours. */
export async function sendPieces(
  request: Request,
  response: Response,
  contentType: string,
  pieces: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>,
): Promise<void> {
  if (response.destroyed) return
  response.set('content-type', contentType)
  response.vary('Accept').vary('Accept-Encoding')
  try {
    if (request.acceptsEncodings('gzip', 'identity') === 'gzip') {
      response.set('content-encoding', 'gzip')
      // Level 1: a scrape's lines shrink to a fifteenth already. The work is done off the event loop.
      await pipeline(Readable.from(inTurns(pieces)), createGzip({ level: 1 }), response)
    } else {
      await pipeline(Readable.from(inTurns(pieces)), response)
    }
  } catch (error) {
    if (!response.destroyed && !response.writableEnded) response.destroy()
    if (!isGone(error)) throw error
  }
}

function isGone(error: unknown): boolean {
  const codes: readonly unknown[] = ['ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_UNABLE_TO_PIPE']
  return error instanceof Error && 'code' in error && codes.includes(error.code)
}
