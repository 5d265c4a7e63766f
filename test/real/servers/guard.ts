// What must not outlive the test process (process groups, folders, namespaces) is promised to a small shell that holds
// the other end of a pipe. However the test process ends, even by SIGKILL, the pipe closes and the shell cleans up.
// It is not how things are stopped in the ordinary way: that is each owner's stop().
import { spawn } from 'node:child_process'

export interface Guard {
  /** The ordinary clean-up has been done: the shell ends without doing anything. */
  readonly release: () => void
}

/** `cleanUp` is shell text that sees `args` as `$1`, `$2`, ...; it runs only if this process ends before release(). */
export function guard(cleanUp: string, ...args: readonly string[]): Guard {
  const script = `read -r word; if [ "$word" = done ]; then exit 0; fi\n${cleanUp}`
  const shell = spawn('/bin/sh', ['-c', script, 'guard', ...args], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  shell.on('error', () => undefined)
  shell.stdin.on('error', () => undefined)
  shell.unref()
  return {
    release: () => {
      shell.stdin.end('done\n')
    },
  }
}
