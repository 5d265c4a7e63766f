// Cuts a TCP stream into messages. Knows no protocol: each brings a function that reads the length off the front.
import type { Socket } from 'node:net'

const MAX_FRAME_BYTES = 1 << 17

/** Bytes of the whole first message; `undefined` when more are needed to tell, `null` when it is none of ours. */
export type FrameLength = (received: Buffer) => number | undefined | null

/** Calls `onFrame` for each whole message. Anything that is no message closes the connection. */
export function onFrames(socket: Socket, frameLength: FrameLength, onFrame: (frame: Buffer) => void): void {
  let received: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    while (received.length > 0 && !socket.destroyed) {
      const length = frameLength(received)
      if (length === null || (length !== undefined && length > MAX_FRAME_BYTES)) {
        socket.destroy()
        return
      }
      if (length === undefined || received.length < length) return
      const frame = received.subarray(0, length)
      received = received.subarray(length)
      onFrame(frame)
    }
  })
}
