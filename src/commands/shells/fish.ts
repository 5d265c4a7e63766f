// Completion for fish: a list of what may follow what, one line each.
import { briefOf, flagsOf, type Command, type Flag } from '../options.ts'

const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`

function flagLine(
  command: string,
  [name, { value, kind, repeatable, help }]: readonly [string, Flag],
): string {
  const when =
    repeatable === true ? `__winkms_exporter_is ${command}` : `__winkms_exporter_is ${command} ${name}`
  const takes = (): string => {
    if (value === undefined) return ''
    if (kind === 'file') return ' -rF'
    if (kind === 'folder') return " -xa '(__fish_complete_directories)'"
    return kind === undefined ? ' -x' : ` -xa ${quoted(kind.join(' '))}`
  }
  return `complete -c winkms-exporter -n ${quoted(when)} -l ${name}${takes()} -d ${quoted(help)}`
}

function operandLines({ name, operands }: Command): readonly string[] {
  if (operands === undefined) return []
  const is = `__winkms_exporter_is ${name}`
  if (operands === 'hosts') {
    return [`complete -c winkms-exporter -n ${quoted(is)} -xa '(__fish_print_hostnames)' -d host`]
  }
  const words = Object.keys(operands)
  const files = words.filter((word) => operands[word] === 'file')
  const first = `${is}; and not __fish_seen_subcommand_from ${words.join(' ')}`
  return [
    `complete -c winkms-exporter -n ${quoted(first)} -a ${quoted(words.join(' '))}`,
    ...files.map(
      (word) =>
        `complete -c winkms-exporter -n ${quoted(`${is}; and __fish_seen_subcommand_from ${word}`)} -F`,
    ),
  ]
}

export function fishScript(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name)
  const lines = commands.flatMap((command) => [
    '',
    `complete -c winkms-exporter -n __winkms_exporter_first -a ${command.name} -d ${quoted(briefOf(command))}`,
    ...Object.entries(flagsOf(command)).map((flag) => flagLine(command.name, flag)),
    ...operandLines(command),
  ])
  return `# fish completion of winkms-exporter, written by: winkms-exporter completion fish

function __winkms_exporter_first
    test (count (commandline -opc)) -eq 1
end

# Whether this command is meant, and this flag, if one is named, has not been given yet.
function __winkms_exporter_is
    set -l words (commandline -opc)
    set -e words[1]
    set -l command ${names[0]}
    if set -q words[1]; and contains -- $words[1] ${names.join(' ')}
        set command $words[1]
    end
    test $command = $argv[1]; or return 1
    if set -q argv[2]
        # The last may be the flag whose value is being written.
        not string match -q -- "--$argv[2]=*" $words
        and not contains -- --$argv[2] $words[1..-2]
    end
end

complete -c winkms-exporter -f
${lines.join('\n')}
`
}
