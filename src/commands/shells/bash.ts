// Completion for bash, from 3.2 on. It needs neither the package bash-completion nor the exporter while it completes.
import { flagsOf, type Command } from '../options.ts'

const written = ([name, { value }]: readonly [string, { readonly value?: string }]): string =>
  `--${name}${value === undefined ? '' : '='}`

export function bashScript(commands: readonly Command[]): string {
  const flags = commands.map((command) => {
    const own = Object.entries(flagsOf(command)).map(written).join(' ')
    return `    ${command.name}) flags=' ${own} ' ;;`
  })
  const all = new Map(commands.flatMap((command) => Object.entries(flagsOf(command))))
  const repeatable = [...all].filter(([, flag]) => flag.repeatable === true).map(([name]) => `--${name}`)
  const kinds = [...all].flatMap(([name, { value, kind }]) => {
    if (value === undefined || kind === undefined) return []
    if (kind === 'file' || kind === 'folder') return [`    --${name}) kind=${kind} ;;`]
    return [`    --${name}) kind=words list='${kind.join(' ')}' ;;`]
  })
  const operands = commands.flatMap(({ name, operands: own }) => {
    if (own === undefined) return []
    if (own === 'hosts') return [`        ${name}:*) kind=hosts ;;`]
    const files = Object.keys(own).filter((word) => own[word] === 'file')
    return [
      ...(files.length === 0
        ? []
        : [`        ${files.map((word) => `${name}:1:${word}`).join('|')}) kind=file ;;`]),
      `        ${name}:0:*) kind=words list='${Object.keys(own).join(' ')}' ;;`,
    ]
  })
  const names = commands.map(({ name }) => name)
  return `# bash completion of winkms-exporter, written by: winkms-exporter completion bash
_winkms_exporter() {
  local words count=0 rest=$COMP_LINE word i
  # Bash makes words of their own of what is in COMP_WORDBREAKS: what no space parts is one again here.
  words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((i > 0)) && [[ $rest != [[:space:]]* ]]; then
      words[count - 1]+=$word
    else
      words[count]=$word
      count=$((count + 1))
    fi
    rest=\${rest#"\${rest%%[![:space:]]*}"}
    rest=\${rest#"$word"}
  done
  local current=\${words[count - 1]}

  local command=${names[0]} first=1
  case \${words[1]} in
    ${names.join('|')}) ((count > 2)) && command=\${words[1]} first=2 ;;
  esac
  local flags=
  case $command in
${flags.join('\n')}
  esac

  # What is there already: flags that may not be given again, operands, and a flag that waits for its value.
  local waiting= beside=0 last=
  for ((i = first; i < count - 1; i++)); do
    word=\${words[i]}
    if [[ -n $waiting ]]; then
      waiting=
    elif [[ $word == --* ]]; then
      [[ $flags == *" $word= "* ]] && waiting=$word
      case \${word%%=*} in
        ${repeatable.join('|')}) ;;
        *) flags=\${flags/ \${word%%=*}= / } flags=\${flags/ \${word%%=*} / } ;;
      esac
    else
      beside=$((beside + 1)) last=$word
    fi
  done

  local kind= list= before= value=$current
  if [[ -z $waiting && $current == --*=* ]]; then
    waiting=\${current%%=*} before=$waiting= value=\${current#*=}
  fi
  case $waiting in
    '')
      case $command:$beside:$last in
${operands.join('\n')}
      esac
      [[ $first == 1 && $count == 2 ]] && kind=words list='${names.join(' ')}'
      [[ $current == -* ]] && kind=words list=$flags
      ;;
${kinds.join('\n')}
  esac

  COMPREPLY=()
  local reply IFS=$' \\t\\n' breaks=
  case $kind in
    words) COMPREPLY=($(compgen -W "$list" -- "$value")) ;;
    hosts) COMPREPLY=($(compgen -A hostname -- "$value")) ;;
    file | folder)
      [[ $kind == file ]] && list=-f || list=-d
      while IFS= read -r reply; do
        COMPREPLY[\${#COMPREPLY[@]}]=$reply
      done < <(compgen $list -- "$value")
      type compopt &>/dev/null && compopt -o filenames
      ;;
  esac
  # Of the word, bash replaces only what is after the last of these.
  [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
  [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
  rest=
  [[ -n $breaks ]] && rest=\${current%"\${current##*[$breaks]}"}
  for ((i = 0; i < \${#COMPREPLY[@]}; i++)); do
    reply=$before\${COMPREPLY[i]}
    COMPREPLY[i]=\${reply#"$rest"}
  done
  [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == --*= ]] && type compopt &>/dev/null && compopt -o nospace
  return 0
}
complete -F _winkms_exporter winkms-exporter
`
}
