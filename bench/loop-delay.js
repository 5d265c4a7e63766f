// Loaded into the exporter before it starts: tells, when asked by SIGUSR2, how long its event loop was held up since the
// last time. Sampled every five milliseconds.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION = 5
const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
delay.enable()
const milliseconds = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION)
process.on('SIGUSR2', () => {
  const told = {
    p50: milliseconds(delay.percentile(50)),
    p99: milliseconds(delay.percentile(99)),
    p999: milliseconds(delay.percentile(99.9)),
    most: milliseconds(delay.max),
  }
  delay.reset()
  writeFileSync(process.env.BENCH_DELAY_FILE, JSON.stringify(told))
})
