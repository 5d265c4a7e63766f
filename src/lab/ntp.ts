// An NTP server in client/server mode, as a simulated clock: RFC 5905 7.3. No authentication, no extension fields.
import type { Clock } from './clock.ts'
import { ntpTimestamp } from './clock.ts'
import { listenUdp } from './listener.ts'
import type { Listener, Where } from './listener.ts'

const PACKET_BYTES = 48
const CLIENT = 3
const SERVER = 4

export async function startNtp(clock: Clock, where: Where): Promise<Listener> {
  return listenUdp(where, (request, reply) => {
    const receivedAt = clock()
    const answer = respond(request, receivedAt, clock)
    if (answer) reply(answer)
  })
}

function respond(request: Buffer, receivedAt: number, clock: Clock): Buffer | undefined {
  const first = request[0] ?? 0
  if (request.length < PACKET_BYTES || (first & 7) !== CLIENT) return undefined
  const answer = Buffer.alloc(PACKET_BYTES)
  answer.writeUInt8((first & 0x38) | SERVER, 0) // leap indicator 0, the client's version
  answer.writeUInt8(2, 1) // stratum
  answer.writeUInt8(request[2] ?? 0, 2) // poll
  answer.writeInt8(-10, 3) // precision: the lab's clock ticks in milliseconds
  answer.writeUInt32BE(0x00000042, 4) // root delay, 1 ms
  answer.writeUInt32BE(0x00000042, 8) // root dispersion
  answer.writeUInt32BE(0x7f7f0101, 12) // reference id: some upstream
  answer.writeBigUInt64BE(ntpTimestamp(receivedAt - 16_000), 16)
  request.copy(answer, 24, 40, 48) // originate: what the client sent
  answer.writeBigUInt64BE(ntpTimestamp(receivedAt), 32)
  answer.writeBigUInt64BE(ntpTimestamp(clock()), 40)
  return answer
}
