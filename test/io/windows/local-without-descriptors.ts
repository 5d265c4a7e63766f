// A process of its own for `local.test.ts`: uses up its descriptors, asks by PowerShell, and prints what came of it.
import { openSync } from 'node:fs'
import { systemClock } from '../../../src/io/clock.ts'
import { createDeadline } from '../../../src/io/deadline.ts'
import { openLocal } from '../../../src/io/windows/local.ts'
import { ProbeFailure } from '../../../src/model/failure.ts'

const deadline = createDeadline(10)
const reader = openLocal({ deadline, enter() {} }, systemClock, '/bin/true')
// What is loaded at first use has its descriptors already.
await reader.query({ from: 'Win32_Service', columns: ['State'] }).catch(() => {})
try {
  for (;;) openSync('/dev/null', 'r')
} catch {
  const end = await reader
    .query({ from: 'Win32_Service', columns: ['State'] })
    .catch((error: unknown) => error)
  process.stdout.write(`${end instanceof ProbeFailure ? end.reason : String(end)}\n`)
}
deadline.close()
