// deploy/man/winkms-exporter.1: the commands and flags from the table that parses them, between a few written paragraphs;
// in mdoc(7).
import { commands } from '../src/commands/commands.ts'
import { flagsOf, type Command, type Flag } from '../src/commands/options.ts'

const FILE = 'deploy/man/winkms-exporter.1'
/** When its words were last changed. */
const DATE = 'November 27, 2026'

/** Text that roff sets as it stands, wherever on a line. */
function text(words: string): string {
  return words
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll('^', String.raw`\(ha`)
    .replaceAll('~', String.raw`\(ti`)
    .replaceAll('`', String.raw`\(ga`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll('"', String.raw`\(dq`)
    .replaceAll(/^\./gm, String.raw`\&.`)
}

/** Prose: each sentence on a line of its own, as roff wants it. */
const prose = (words: string): string => text(words).replaceAll(/(?<=[a-z)][.:]) (?=[a-zA-Z])/g, '\n')

/** Lines that are longer than a terminal is wide are broken; macros and what is set as it stands are not. */
function wrapped(page: string): string {
  let literal = false
  const lines = page.split('\n').flatMap((line) => {
    if (/^\.[BE]d/.test(line)) literal = line.startsWith('.Bd')
    if (literal || line.startsWith('.')) return [line]
    return line.match(/\S.{0,76}(?=\s|$)/g) ?? [line]
  })
  return lines.join('\n')
}

function flagItem([name, { value, repeatable, fallback, help }]: readonly [string, Flag]): string {
  const head = value === undefined ? '' : ` Ns = Ns Ar ${text(value)}`
  const more = [
    ...(repeatable === true ? ['May be given several times.'] : []),
    ...(fallback === undefined ? [] : [`Default: ${text(fallback)}.`]),
  ]
  return [`.It Fl \\-${text(name)}${head}`, `${prose(help)}.`, ...more].join('\n')
}

/** What a command leaves to the next one that has it: flags that two commands share are explained once. */
function flagList(command: Command, toldBy: Command | undefined): string {
  const told = Object.entries(toldBy === undefined ? {} : flagsOf(toldBy))
  const same = ([name, { value, fallback, help }]: readonly [string, Flag]): boolean =>
    told.some(
      ([other, flag]) =>
        other === name && flag.value === value && flag.fallback === fallback && flag.help === help,
    )
  const all = Object.entries(flagsOf(command))
  const own = all.filter((flag) => !same(flag))
  const shared = all.filter(same).map(([name]) => `.Fl \\-${text(name)}`)
  const also =
    shared.length === 0 ? [] : ['.Pp', `As ${toldBy?.name ?? ''} has them:`, `${shared.join(' ,\n')} .`]
  const list = own.length === 0 ? [] : ['.Bl -tag -width Ds', ...own.map(flagItem), '.El']
  return [...list, ...also].join('\n')
}

/** `[serve] [flags]` and the like, as roff has them. */
function synopsis({ usage }: Command): string {
  const words = usage.replace(/^winkms-exporter /, '').split(' ')
  const set = words.map((word) => {
    const [, optional, name = '', dots = ''] = /^(\[?)([^\].]*)\]?(\.*)$/.exec(word) ?? []
    if (name === '|') return String.raw`\*(Ba`
    const shown = /^[A-Z]/.test(name)
      ? `Ar ${name}${dots === '' ? '' : ' ...'}`
      : name === 'flags'
        ? 'Ar flags'
        : `Cm ${text(name)}`
    return optional === '' ? shown : `Op ${shown}`
  })
  return ['.Nm', ...set.map((word) => (word.startsWith('\\') ? word : `.${word}`))].join('\n')
}

function section(command: Command, toldBy: Command | undefined): string {
  return `.Ss ${text(command.name)}
${prose(command.summary)}
${flagList(command, toldBy)}`
}

export function manualFiles(version: string): Readonly<Record<string, string>> {
  const [serve] = commands
  const page = `.\\" Generated from the tables in src/commands by npm run docs; do not edit.
.\\" winkms-exporter ${version}
.Dd ${DATE}
.Dt WINKMS-EXPORTER 1
.Os
.Sh NAME
.Nm winkms-exporter
.Nd watches Windows KMS hosts for Prometheus
.Sh SYNOPSIS
${commands.map(synopsis).join('\n')}
.Sh DESCRIPTION
.Nm
watches Key Management Service hosts, by which Windows and Office are activated in volume, and tells Prometheus whether
clients can activate, and if not, why.
It asks from outside and without credentials where that is possible: the port, the SRV records, the clocks.
With an account that may read, it asks Windows itself.
It never sends an activation request, and it changes nothing.
.Pp
Without a configuration it watches the hosts that the SRV records of the machine\\(aqs own search domains name.
A command to start a configuration from is in
.Sx EXAMPLES .
.Sh COMMANDS
Without a command,
.Cm ${serve?.name ?? ''}
is meant.
A value follows its flag after
.Ql =
or a blank.
${commands.map((command) => section(command, command === serve ? undefined : serve)).join('\n')}
.Sh SIGNALS
.Bl -tag -width Ds
.It Dv SIGHUP
Reads the configuration and the certificates again.
What is wrong with them is logged, and changes nothing.
.It Dv SIGTERM , SIGINT
Ends the exporter within ten seconds; a second one at once.
.El
.Sh ENVIRONMENT
.Bl -tag -width Ds
.It Ev NO_COLOR
Whatever it is set to, text for terminals has no colours.
.It Ev NOTIFY_SOCKET , WATCHDOG_USEC
Set by
.Xr systemd 1 ,
which is told when the exporter is ready, and that it is alive.
.It Ev KRB5_CONFIG , KRB5CCNAME
Used by the Kerberos library where a host is asked with
.Ql auth: kerberos .
.El
.Pp
Passwords come from the variables that the configuration names, or from files.
.Sh FILES
.Bl -tag -width Ds
.It Pa data/
What of the event logs has been read; another place is named by
.Fl \\-storage.path .
.El
.Sh EXIT STATUS
.Bl -tag -width Ds
.It 0
The daemon was ended by a signal; a file is correct; every host that
.Cm diagnose
asked serves.
.It 1
The exporter could not start; a file is wrong; a host does not serve.
.It 2
.Cm diagnose
could not tell.
.It 64
Wrong usage.
.It 70
A defect of the exporter.
.El
.Sh EXAMPLES
Write a commented configuration, check it, and watch by it:
.Bd -literal -offset indent
winkms-exporter config example > winkms.yml
winkms-exporter config check winkms.yml
winkms-exporter \\-\\-config.file=winkms.yml
.Ed
.Pp
Ask about one host, now, and write a report to attach to a ticket:
.Bd -literal -offset indent
winkms-exporter diagnose kms01.corp.example \\-\\-report=kms01.html
.Ed
.Pp
Try it without any Windows:
.Bd -literal -offset indent
winkms-exporter demo
.Ed
.Sh SEE ALSO
.Xr kinit 1 ,
.Xr systemd 1
.Pp
Documents are installed beside the program: every metric in
.Pa docs/metrics.md ,
rights in
.Pa docs/permissions.md ,
and what to do about each alert in
.Pa docs/runbooks .
The running exporter has the last at
.Pa /runbooks ,
too.
`
  return { [FILE]: wrapped(page) }
}
