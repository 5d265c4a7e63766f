// Loaded into the exporter before it starts: tells, when asked by SIGUSR2, how long its event loop was held up since the
// last time (sampled every five milliseconds), what its heap held after the last full collection, and its open handles.
import { writeFileSync } from 'node:fs'
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'

const RESOLUTION = 5
const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
delay.enable()
const milliseconds = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION)

// Collections come by themselves: one that is asked for would hide what happens without.
let live = 0
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries())
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) live = process.memoryUsage().heapUsed
}).observe({ entryTypes: ['gc'] })

process.on('SIGUSR2', () => {
  const told = {
    p50: milliseconds(delay.percentile(50)),
    p99: milliseconds(delay.percentile(99)),
    p999: milliseconds(delay.percentile(99.9)),
    most: milliseconds(delay.max),
    liveBytes: live,
    handles: process.getActiveResourcesInfo().length,
  }
  delay.reset()
  writeFileSync(process.env.BENCH_DELAY_FILE, JSON.stringify(told))
})
