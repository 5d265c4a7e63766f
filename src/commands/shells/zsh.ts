// Completion for zsh: its own _arguments, told of each command's flags.
import { briefOf, flagsOf, type Command, type Flag, type Kind } from '../options.ts'

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`

/** What zsh does to complete a value: nothing at all where only the user can know it. */
function action(kind: Kind | undefined): string {
  if (kind === undefined) return ' '
  if (kind === 'file') return '_files'
  if (kind === 'folder') return '_files -/'
  return `(${kind.join(' ')})`
}

function flagSpec([name, { value, kind, repeatable, help }]: readonly [string, Flag]): string {
  const words = help.replaceAll(/[[\]\\:]/g, String.raw`\$&`)
  const spec = `${repeatable === true ? '*' : ''}--${name}${value === undefined ? '' : '='}[${words}]`
  return quoted(value === undefined ? spec : `${spec}:${value}:${action(kind)}`)
}

function operandSpecs({ operands }: Command): readonly string[] {
  if (operands === undefined) return []
  if (operands === 'hosts') return [quoted('*:HOST:_hosts')]
  const files = Object.keys(operands).filter((word) => operands[word] === 'file')
  return [
    quoted(`1:what:(${Object.keys(operands).join(' ')})`),
    ...(files.length === 0 ? [] : [quoted(`2:FILE:{ [[ $line[1] == (${files.join('|')}) ]] && _files }`)]),
  ]
}

export function zshScript(commands: readonly Command[]): string {
  const [first] = commands
  const specs = (command: Command): string =>
    [...Object.entries(flagsOf(command)).map(flagSpec), ...operandSpecs(command)]
      .map((spec) => `        ${spec}`)
      .join('\n')
  const cases = commands.map(
    (command) => `    ${command.name})
      specs=(
${specs(command)}
      )
      ;;`,
  )
  const told = commands.map((command) => `    ${quoted(`${command.name}:${briefOf(command)}`)}`)
  return `#compdef winkms-exporter
# zsh completion of winkms-exporter, written by: winkms-exporter completion zsh
_winkms-exporter() {
  local curcontext=$curcontext command=${first?.name ?? ''} state
  local -a line specs commands=(
${told.join('\n')}
  )
  typeset -A opt_args
  local -a first=('1: :{ _describe command commands }')
  if (( CURRENT > 2 )) && [[ $words[2] == (${commands.map(({ name }) => name).join('|')}) ]]; then
    command=$words[2] first=()
    shift words
    (( CURRENT-- ))
  fi
  case $command in
${cases.join('\n')}
  esac
  _arguments -C $specs $first
}

# Loaded from a folder of $fpath, this file is the function; sourced, it says whose it is.
if [[ $funcstack[1] == _winkms-exporter ]]; then
  _winkms-exporter "$@"
else
  compdef _winkms-exporter winkms-exporter
fi
`
}
