// `/metrics` and whatever else speaks the exposition format: negotiation, compression, streaming.
import type { Request, Response } from 'express'
import type { Writable } from 'node:stream'
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

/** Resolves once the sink has no more need of the bytes. */
function written(sink: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Gone('closed'))
    if (sink.destroyed) return gone()
    sink.once('close', gone)
    sink.write(bytes, (error) => {
      sink.off('close', gone)
      if (error) reject(error)
      else resolve()
    })
  })
}

/**
 * Copies what it is handed before that can change, into one buffer (a new one for each piece would have the collector run
 * at every scrape), as fast as the sink takes it, and with a turn of the event loop after each.
 */
async function feed(sink: Writable, pieces: Pieces): Promise<void> {
  let buffer = new Uint8Array(0)
  let filled = 0
  for await (const each of pieces) {
    const piece = typeof each === 'string' ? Buffer.from(each) : each
    if (filled + piece.length > buffer.length) {
      const larger = new Uint8Array(Math.max(filled + piece.length, filled === 0 ? 0 : PIECE_BYTES))
      larger.set(buffer.subarray(0, filled))
      buffer = larger
    }
    buffer.set(piece, filled)
    filled += piece.length
    if (filled < PIECE_BYTES / 2) continue
    await written(sink, buffer.subarray(0, filled))
    filled = 0
    await turn()
  }
  if (filled > 0) await written(sink, buffer.subarray(0, filled))
}

type Pieces = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

/** A peer that goes away, before the sending or in the middle of it, ends it; that is no error of ours. */
export async function sendPieces(
  request: Request,
  response: Response,
  contentType: string,
  pieces: Pieces,
): Promise<void> {
  if (response.destroyed) return
  response.set('content-type', contentType)
  response.vary('Accept').vary('Accept-Encoding')
  try {
    if (request.acceptsEncodings('gzip', 'identity') === 'gzip') {
      response.set('content-encoding', 'gzip')
      // Level 1: a scrape's lines shrink to a fifteenth already. The work is done off the event loop.
      const gzip = createGzip({ level: 1 })
      const piped = pipeline(gzip, response)
      piped.catch(() => {})
      try {
        await feed(gzip, pieces)
      } catch (error) {
        gzip.destroy()
        throw error
      }
      gzip.end()
      await piped
    } else {
      await feed(response, pieces)
      response.end()
    }
  } catch (error) {
    if (!response.destroyed && !response.writableEnded) response.destroy()
    if (!isGone(error)) throw error
  }
}

class Gone extends Error {}

function isGone(error: unknown): boolean {
  const codes: readonly unknown[] = [
    'ERR_STREAM_PREMATURE_CLOSE',
    'ERR_STREAM_UNABLE_TO_PIPE',
    'ERR_STREAM_DESTROYED',
    'ECONNRESET',
    'EPIPE',
  ]
  return error instanceof Gone || (error instanceof Error && 'code' in error && codes.includes(error.code))
}
