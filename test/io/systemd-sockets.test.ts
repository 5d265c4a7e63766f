import { describe, expect, it } from 'vitest'
import { passedSockets } from '../../src/io/systemd-sockets.ts'

const PID = String(process.pid)

describe('sockets that systemd passes', () => {
  it('are as many as it says, from descriptor 3 on', () => {
    expect(passedSockets({ LISTEN_FDS: '1', LISTEN_PID: PID }, 'linux')).toEqual([{ fd: 3 }])
    expect(passedSockets({ LISTEN_FDS: '3', LISTEN_PID: PID }, 'linux').map(({ fd }) => fd)).toEqual([
      3, 4, 5,
    ])
  })

  it.each([
    [{}, 'no socket was passed (LISTEN_FDS, LISTEN_PID): start the socket unit'],
    [{ LISTEN_FDS: '1' }, 'no socket was passed (LISTEN_FDS, LISTEN_PID)'],
    [{ LISTEN_FDS: '1', LISTEN_PID: '1' }, `no socket was passed to this process (${PID}), but to "1"`],
    [{ LISTEN_FDS: '0', LISTEN_PID: PID }, 'no socket was passed: LISTEN_FDS is "0"'],
    [{ LISTEN_FDS: '-1', LISTEN_PID: PID }, 'LISTEN_FDS is "-1"'],
    [{ LISTEN_FDS: '1e9', LISTEN_PID: PID }, 'LISTEN_FDS is "1e9"'],
    [{ LISTEN_FDS: '', LISTEN_PID: PID }, 'LISTEN_FDS is ""'],
  ])('are not there with %j, and that is said', (environment, says) => {
    expect(() => passedSockets(environment, 'linux')).toThrow(says)
  })

  it.each(['win32', 'darwin', 'freebsd'])('are not there on %s', (platform) => {
    expect(() => passedSockets({ LISTEN_FDS: '1', LISTEN_PID: PID }, platform)).toThrow(
      'no systemd but on Linux',
    )
  })
})
