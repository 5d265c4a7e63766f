// Log lines to a stream whose reader may hang, go away and come back (a log collector that is restarted, a disk that is
// full). Nobody waits for it and nobody dies of it: what cannot be had rid of is lost, and counted.
import type { Writable } from 'node:stream'

export interface LossListener {
  /** Once for every line. */
  readonly lost: () => void
  /** Lines can be written again, after so many were lost. */
  readonly recovered: (lines: number) => void
}

/** Some five thousand lines. Node.js itself would keep them all. */
const MOST_WAITING_BYTES = 2 ** 20

export function createLineSink(stream: Writable, { lost, recovered }: LossListener): (line: string) => void {
  let unsaid = 0
  // Every failure is told to the writer of the line as well, and without a listener it would end the process.
  stream.on('error', () => {})
  const lose = (): void => {
    unsaid += 1
    lost()
  }
  return (line) => {
    if (stream.writableLength + line.length > MOST_WAITING_BYTES) return lose()
    stream.write(line, (error) => {
      if (error) return lose()
      if (unsaid === 0 || stream.writableLength > 0) return
      const lines = unsaid
      unsaid = 0
      recovered(lines)
    })
  }
}
