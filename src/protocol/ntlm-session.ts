// What two sides of an NTLM logon share afterwards (MS-NLMP 3.4): each message is signed and sealed, in order, by keys
// that differ by direction. Extended session security, 128 bits and key exchange only: ntlm.ts accepts nothing less.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { MalformedMessage } from '../model/failure.ts'
import { createRc4, type Rc4 } from './rc4.ts'

const SIGNATURE_BYTES = 16

export interface SealedMessage {
  /** 16 bytes (MS-NLMP 2.2.2.9.2). */
  readonly signature: Uint8Array
  /** As long as the plain text. */
  readonly data: Uint8Array
}

export interface NtlmSession {
  /** Messages must reach the other side in the order in which they were sealed. */
  seal(plain: Uint8Array): SealedMessage
  /** Throws MalformedMessage for what the other side did not seal, or not as its next message; ask no more then. */
  unseal(message: SealedMessage): Uint8Array
}

type Direction = 'client-to-server' | 'server-to-client'

/** SIGNKEY and SEALKEY (MS-NLMP 3.4.5.2, 3.4.5.3). */
export function sessionKeys(
  exportedSessionKey: Uint8Array,
  direction: Direction,
): { readonly signing: Uint8Array; readonly sealing: Uint8Array } {
  const derive = (use: string): Uint8Array =>
    createHash('md5')
      .update(exportedSessionKey)
      .update(`session key to ${direction} ${use} key magic constant\0`, 'latin1')
      .digest()
  return { signing: derive('signing'), sealing: derive('sealing') }
}

function signature(signing: Uint8Array, stream: Rc4, sequence: number, plain: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(SIGNATURE_BYTES)
  bytes.writeUInt32LE(1, 0)
  bytes.writeUInt32LE(sequence, 12)
  const checksum = createHmac('md5', signing).update(bytes.subarray(12)).update(plain).digest()
  bytes.set(stream(checksum.subarray(0, 8)), 4)
  return bytes
}

/** One side of a session; `side` is ours. */
export function createNtlmSession(
  exportedSessionKey: Uint8Array,
  side: 'client' | 'server' = 'client',
): NtlmSession {
  const direction = (sender: 'client' | 'server') => {
    const keys = sessionKeys(
      exportedSessionKey,
      sender === 'client' ? 'client-to-server' : 'server-to-client',
    )
    return { signing: keys.signing, stream: createRc4(keys.sealing), sequence: 0 }
  }
  const ours = direction(side)
  const theirs = direction(side === 'client' ? 'server' : 'client')

  return {
    // The data first, then the checksum, from the same stream (MS-NLMP 3.4.3).
    seal(plain) {
      const data = ours.stream(plain)
      return { signature: signature(ours.signing, ours.stream, ours.sequence++, plain), data }
    },
    unseal(message) {
      const plain = theirs.stream(message.data)
      const expected = signature(theirs.signing, theirs.stream, theirs.sequence++, plain)
      if (message.signature.length !== SIGNATURE_BYTES || !timingSafeEqual(message.signature, expected))
        throw new MalformedMessage('the NTLM signature is wrong: altered, or out of order', 0)
      return plain
    },
  }
}
