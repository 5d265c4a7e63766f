// Answers SMB2 NEGOTIATE and nothing after it: the clock of a file server, before any login.
// MS-SMB2 2.1 (framing), 2.2.1 (header), 2.2.3 and 2.2.4 (negotiate).
import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'
import { filetime } from './clock.ts'
import { onFrames } from './frames.ts'
import { listenTcp } from './listener.ts'
import type { Listener, Where } from './listener.ts'

const DIALECTS = [0x0202, 0x0210, 0x0300, 0x0302, 0x0311]
const HEADER_BYTES = 64
const PREAUTH_INTEGRITY = 1

// SPNEGO NegTokenInit that offers NTLMSSP alone (RFC 4178 4.2.1).
const SECURITY_BLOB = Buffer.from('601c06062b0601050502a0123010a00e300c060a2b06010401823702020a', 'hex')

export async function startSmb2(clock: Clock, where: Where): Promise<Listener> {
  const serverGuid = randomBytes(16)
  const startedAt = clock() - 86_400_000
  return listenTcp(where, (socket) => {
    let negotiated = false
    onFrames(socket, frameLength, (frame) => {
      const message = frame.subarray(4)
      const dialect = negotiated ? undefined : chooseDialect(message)
      // A second NEGOTIATE ends the connection (3.3.5.4), and so does everything that would come after the first.
      if (dialect === undefined) {
        socket.destroy()
        return
      }
      negotiated = true
      socket.write(
        framed(negotiateResponse(dialect, message.readBigUInt64LE(24), serverGuid, clock(), startedAt)),
      )
    })
  })
}

function frameLength(received: Buffer): number | undefined | null {
  if (received[0] !== 0) return null
  return received.length < 4 ? undefined : 4 + received.readUIntBE(1, 3)
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(4)
  prefix.writeUIntBE(message.length, 1, 3)
  return Buffer.concat([prefix, message])
}

/** The highest dialect that both know, or nothing for what is no valid NEGOTIATE. */
function chooseDialect(message: Buffer): number | undefined {
  if (message.length < HEADER_BYTES + 36) return undefined
  if (message.readUInt32BE(0) !== 0xfe534d42 || message.readUInt16LE(4) !== HEADER_BYTES) return undefined
  if (message.readUInt16LE(12) !== 0 || message.readUInt16LE(HEADER_BYTES) !== 36) return undefined
  const count = message.readUInt16LE(HEADER_BYTES + 2)
  if (message.length < HEADER_BYTES + 36 + 2 * count) return undefined
  let chosen: number | undefined
  for (let i = 0; i < count; i += 1) {
    const offered = message.readUInt16LE(HEADER_BYTES + 36 + 2 * i)
    if (DIALECTS.includes(offered) && offered > (chosen ?? 0)) chosen = offered
  }
  return chosen === 0x0311 && !offersPreauthIntegrity(message) ? undefined : chosen
}

/** Dialect 3.1.1 is valid only with a preauth integrity context (3.3.5.4). */
function offersPreauthIntegrity(message: Buffer): boolean {
  let at = message.readUInt32LE(HEADER_BYTES + 28)
  for (let left = message.readUInt16LE(HEADER_BYTES + 32); left > 0; left -= 1) {
    if (at % 8 !== 0 || message.length < at + 8) return false
    const end = at + 8 + message.readUInt16LE(at + 2)
    if (message.length < end) return false
    if (message.readUInt16LE(at) === PREAUTH_INTEGRITY) return true
    at = Math.ceil(end / 8) * 8
  }
  return false
}

function negotiateResponse(
  dialect: number,
  messageId: bigint,
  serverGuid: Buffer,
  nowMilliseconds: number,
  startedAtMilliseconds: number,
): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write('\u00feSMB', 0, 'latin1')
  header.writeUInt16LE(HEADER_BYTES, 4)
  header.writeUInt16LE(1, 14) // one credit granted
  header.writeUInt32LE(1, 16) // from server to client
  header.writeBigUInt64LE(messageId, 24)

  const body = Buffer.alloc(64)
  body.writeUInt16LE(65, 0)
  body.writeUInt16LE(1, 2) // signing enabled
  body.writeUInt16LE(dialect, 4)
  serverGuid.copy(body, 8)
  body.writeUInt32LE(1, 24) // DFS
  body.writeUInt32LE(0x100000, 28)
  body.writeUInt32LE(0x100000, 32)
  body.writeUInt32LE(0x100000, 36)
  body.writeBigUInt64LE(filetime(nowMilliseconds), 40)
  // Windows 10 and later leave the start time zero; older ones tell it.
  body.writeBigUInt64LE(dialect === 0x0311 ? 0n : filetime(startedAtMilliseconds), 48)
  body.writeUInt16LE(HEADER_BYTES + 64, 56)
  body.writeUInt16LE(SECURITY_BLOB.length, 58)
  if (dialect !== 0x0311) return Buffer.concat([header, body, SECURITY_BLOB])

  const padding = Buffer.alloc(-SECURITY_BLOB.length & 7)
  body.writeUInt16LE(1, 6)
  body.writeUInt32LE(HEADER_BYTES + 64 + SECURITY_BLOB.length + padding.length, 60)
  return Buffer.concat([header, body, SECURITY_BLOB, padding, preauthIntegrity()])
}

function preauthIntegrity(): Buffer {
  const context = Buffer.alloc(8 + 38)
  context.writeUInt16LE(PREAUTH_INTEGRITY, 0)
  context.writeUInt16LE(38, 2)
  context.writeUInt16LE(1, 8) // one hash
  context.writeUInt16LE(32, 10) // bytes of salt
  context.writeUInt16LE(1, 12) // SHA-512
  randomBytes(32).copy(context, 14)
  return context
}
