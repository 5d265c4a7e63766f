// The NTLM challenge of a simulated host: MS-NLMP 2.2.1.2. It is never followed by a login; there are no accounts here.
import { randomBytes } from 'node:crypto'
import { filetime } from './clock.ts'

const SIGNATURE = Buffer.from('NTLMSSP\0', 'latin1')
const PAYLOAD_AT = 56

// UNICODE, REQUEST_TARGET, NTLM, ALWAYS_SIGN, TARGET_TYPE_DOMAIN, EXTENDED_SESSIONSECURITY, TARGET_INFO, VERSION, 128, 56.
const FLAGS = 0xa2898205

// MS-NLMP 2.2.2.1.
const AV_EOL = 0
const AV_NB_COMPUTER_NAME = 1
const AV_NB_DOMAIN_NAME = 2
const AV_DNS_COMPUTER_NAME = 3
const AV_DNS_DOMAIN_NAME = 4
const AV_TIMESTAMP = 7

export function isNegotiateMessage(token: Buffer): boolean {
  return token.length >= 16 && token.subarray(0, 8).equals(SIGNATURE) && token.readUInt32LE(8) === 1
}

/** `name` is the host's DNS name; NetBIOS names are made from its first two labels. */
export function challengeMessage(name: string, unixMilliseconds: number): Buffer {
  const [computer = '', domain = ''] = name.split('.').map((label) => label.toUpperCase().slice(0, 15))
  const time = Buffer.alloc(8)
  time.writeBigUInt64LE(filetime(unixMilliseconds))
  const target = Buffer.from(domain, 'utf16le')
  const info = Buffer.concat([
    pair(AV_NB_DOMAIN_NAME, target),
    pair(AV_NB_COMPUTER_NAME, Buffer.from(computer, 'utf16le')),
    pair(AV_DNS_DOMAIN_NAME, Buffer.from(name.split('.').slice(1).join('.'), 'utf16le')),
    pair(AV_DNS_COMPUTER_NAME, Buffer.from(name, 'utf16le')),
    pair(AV_TIMESTAMP, time),
    pair(AV_EOL, Buffer.alloc(0)),
  ])
  const head = Buffer.alloc(PAYLOAD_AT)
  SIGNATURE.copy(head)
  head.writeUInt32LE(2, 8)
  writeField(head, 12, target.length, PAYLOAD_AT)
  head.writeUInt32LE(FLAGS, 20)
  randomBytes(8).copy(head, 24)
  writeField(head, 40, info.length, PAYLOAD_AT + target.length)
  // Version 10.0.20348, NTLM revision 15.
  Buffer.from([10, 0, 0x7c, 0x4f, 0, 0, 0, 15]).copy(head, 48)
  return Buffer.concat([head, target, info])
}

function pair(id: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16LE(id, 0)
  head.writeUInt16LE(value.length, 2)
  return Buffer.concat([head, value])
}

function writeField(into: Buffer, at: number, length: number, offset: number): void {
  into.writeUInt16LE(length, at)
  into.writeUInt16LE(length, at + 2)
  into.writeUInt32LE(offset, at + 4)
}
