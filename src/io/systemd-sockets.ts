// Sockets that systemd opened and passes on (sd_listen_fds(3)): descriptors from 3 on, for the one process that it names.
// They are there before the exporter is, and stay open while it is started again.

const FIRST = 3

type Environment = Readonly<Record<string, string | undefined>>

/** In the order of the socket unit. Throws, saying why, where there are none. */
export function passedSockets(
  environment: Environment = process.env,
  platform: string = process.platform,
): readonly { readonly fd: number }[] {
  if (platform !== 'linux') throw new Error('--web.systemd-socket: there is no systemd but on Linux')
  const { LISTEN_FDS: count, LISTEN_PID: pid } = environment
  if (count === undefined || pid === undefined) {
    throw new Error(
      '--web.systemd-socket: no socket was passed (LISTEN_FDS, LISTEN_PID): start the socket unit, not the service by itself',
    )
  }
  // A parent that was meant has left its variables to us, but not its descriptors.
  if (pid !== String(process.pid)) {
    throw new Error(
      `--web.systemd-socket: no socket was passed to this process (${process.pid}), but to ${JSON.stringify(pid)}`,
    )
  }
  if (!/^[1-9]\d{0,2}$/.test(count)) {
    throw new Error(`--web.systemd-socket: no socket was passed: LISTEN_FDS is ${JSON.stringify(count)}`)
  }
  return Array.from({ length: Number(count) }, (_, index) => ({ fd: FIRST + index }))
}
