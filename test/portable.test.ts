// What only some systems have, and who may use it: each row is a call or a name that means nothing, or something else, on
// Windows; each file in it has a branch for Windows, or does no harm there, and says which. The lab is for Linux.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

interface Row {
  readonly what: string
  readonly pattern: RegExp
  /** What the pattern has to find, so that it is known to find anything. */
  readonly examples: readonly string[]
  /** Files of src, and why they may. */
  readonly allowed: Readonly<Record<string, string>>
}

const ROWS: readonly Row[] = [
  {
    what: 'signals, by name',
    pattern: /'SIG[A-Z0-9]+'/,
    examples: ["process.on('SIGUSR2', f)"],
    allowed: {
      'commands/life.ts': 'signalsOn() has another list for Windows, where SIGHUP is the end of the window',
      'io/systemd.ts': 'asks nothing but on Linux',
      'io/windows/local.ts': "ends PowerShell; Node.js makes TerminateProcess of any signal's name",
    },
  },
  {
    what: 'processes by number',
    pattern: /\bprocess\.kill\(/,
    examples: ['process.kill(pid, 0)'],
    allowed: {
      'commands/life.ts': 'ends itself: TerminateProcess on Windows',
      'io/state-file.ts': 'signal 0 asks whether the process is there, on Windows too',
    },
  },
  {
    what: 'users, groups, and rights of the process',
    pattern: /\bprocess\.(?:[gs]ete?[ug]id|getgroups|setgroups|initgroups|umask)\b|\buserInfo\(/,
    examples: ['process.getuid?.()', 'process.setgid(1)', 'process.umask(0o77)', 'userInfo().uid'],
    allowed: {},
  },
  {
    what: 'rights and links of files',
    pattern: /\b0o[0-7]{3,}\b|\b(?:l?chmod|l?chown|symlink|link|lutimes)(?:Sync)?\(\w*(?:path|file|dir)/i,
    examples: ["open(name, 'wx', 0o600)", 'chmod(file, mode)', 'symlinkSync(path, other)'],
    allowed: {
      'io/state-file.ts':
        "for the owner only; Windows ignores it: there the directory's own list counts, which the installer sets",
      'io/systemd.ts': 'a flag of a socket, on Linux only',
    },
  },
  {
    what: 'flags of open() that Windows lacks',
    pattern: /\bO_(?:NOFOLLOW|NONBLOCK|DIRECTORY|NOCTTY|SYNC|DSYNC|NOATIME)\b/,
    examples: ['constants.O_NOFOLLOW'],
    allowed: {},
  },
  {
    what: 'absolute paths of Unix',
    pattern: /['"`]\/(?:proc|etc|dev|tmp|var|usr|sys|run|bin|opt|home)(?:\/|['"`])/,
    examples: ["readFile('/etc/resolv.conf')", "'/proc/self/status'", '`/dev/null`'],
    allowed: { 'io/machine.ts': 'resolv.conf; the registry is asked on Windows' },
  },
  {
    what: 'programs of the system',
    pattern: /\b(?:execFile|execFileSync|spawn|spawnSync|fork)\b(?=[()])|\bexecSync\(/,
    examples: ["spawn('ip', [])", "promisify(execFile)('ss')"],
    allowed: {
      'io/machine.ts':
        "reg.exe by its full path, on Windows only; without an answer the machine's domains are unknown",
      'io/systemd.ts': 'systemd-notify, on Linux only',
      'io/windows/local.ts': 'PowerShell by its full path, on Windows only',
    },
  },
  {
    what: 'libraries of the system',
    pattern: /\bkoffi\.load\(/,
    examples: ["koffi.load('libc.so.6')"],
    allowed: {
      'io/systemd.ts': 'on Linux only',
      'io/windows/logon/gssapi.ts': 'says on Windows that Kerberos is not there',
    },
  },
  {
    what: 'the path of a URL as a name of a file, which begins with a slash before the drive',
    pattern: /import\.meta\.url\)\.pathname|import\.meta\.(?:dirname|filename)/,
    examples: ["new URL('x', import.meta.url).pathname"],
    allowed: {},
  },
  {
    what: 'names of files put together or taken apart by hand',
    pattern: /(?:split|lastIndexOf)\('\/'\)|\$\{(?:\w*[dD]irectory|\w*[fF]older|\w*[pP]ath)\}\//,
    examples: ["file.split('/')", '`${directory}/x.json`'],
    allowed: {},
  },
  {
    what: 'rules of paths of one system',
    pattern: /\b(?:posix|win32)\.(?:join|resolve|dirname|basename)\b/,
    examples: ['posix.join(a, b)'],
    allowed: {
      'io/machine.ts': 'where reg.exe is',
      'io/windows/local.ts': 'where PowerShell is',
    },
  },
  {
    what: 'files put in the place of others, which Windows refuses while somebody reads them',
    pattern: /\brename\b/,
    examples: ['await rename(a, b)'],
    allowed: {
      'io/state-file.ts': 'moveOver() tries again on Windows',
      'io/state.ts': 'puts a file aside; where that fails it stays where it is, which is said',
    },
  },
  {
    what: 'being told of changes of files, which each system does in its own way',
    pattern: /\bwatch(?:File)?\b(?=.*\bfrom 'node:fs)|\bfs\.watch/,
    examples: ["import { watch } from 'node:fs/promises'"],
    allowed: {},
  },
  {
    what: 'sockets that are files',
    pattern: /\blisten\(\{?\s*path\b|\bAF_UNIX\b|\.sock\b['"`]/,
    examples: ["server.listen({ path: 'x' })", "'/run/x.sock'", 'const AF_UNIX = 1'],
    allowed: { 'io/systemd.ts': 'on Linux only' },
  },
  {
    what: 'the system, by name',
    pattern: /\bprocess\.platform\b/,
    examples: ["process.platform === 'win32'"],
    allowed: {
      'commands/diagnose.ts': 'reports it',
      'io/machine.ts': 'resolv.conf or the registry',
      'io/state-file.ts': 'moveOver()',
      'io/systemd-sockets.ts': 'Linux only',
      'io/systemd.ts': 'Linux only',
      'io/windows/local.ts': 'Windows only',
      'io/windows/logon/gssapi.ts': 'not on Windows',
      'server/http.ts': 'what reloads',
    },
  },
]

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('lab/'))
  .map((file) => [file, withoutComments(readFileSync(join(SRC, file), 'utf8'))] as const)

/** Lines that are comments as a whole: prose may name what code may not. */
function withoutComments(text: string): string {
  return text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '')
}

describe('what Windows lacks', () => {
  it('is looked for in all of the sources', () => {
    expect(sources.length).toBeGreaterThan(150)
  })

  it.each(ROWS)('$what: found where it is', ({ pattern, examples }) => {
    expect(examples.filter((example) => !pattern.test(example))).toEqual([])
  })

  it.each(ROWS)('$what: used by those that may, and by no other', ({ pattern, allowed }) => {
    const using = sources.filter(([, text]) => pattern.test(text)).map(([file]) => file)
    expect(using.toSorted()).toEqual(Object.keys(allowed).toSorted())
  })
})
