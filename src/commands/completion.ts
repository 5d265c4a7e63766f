// `completion bash|zsh|fish|powershell`: a script by which the shell completes commands, flags and values.
import { EXIT, type Context } from './context.ts'
import { parse, UsageError, type Command } from './options.ts'
import { bashScript } from './shells/bash.ts'
import { fishScript } from './shells/fish.ts'
import { powershellScript } from './shells/powershell.ts'
import { zshScript } from './shells/zsh.ts'

const SHELLS: Readonly<Record<string, (commands: readonly Command[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  powershell: powershellScript,
}

export const completionCommand: Command = {
  name: 'completion',
  usage: 'winkms-exporter completion bash | zsh | fish | powershell',
  summary: 'Prints what makes a shell complete the commands, flags and values of winkms-exporter.',
  operands: { bash: 'nothing', zsh: 'nothing', fish: 'nothing', powershell: 'nothing' },
  flags: {},
  notes: `for this shell:
  bash        source <(winkms-exporter completion bash)
  zsh         source <(winkms-exporter completion zsh)      (after compinit)
  fish        winkms-exporter completion fish | source
  powershell  winkms-exporter completion powershell | Out-String | Invoke-Expression
for all that follow, of everybody on this machine:
  bash        winkms-exporter completion bash > /usr/share/bash-completion/completions/winkms-exporter
  zsh         winkms-exporter completion zsh > /usr/local/share/zsh/site-functions/_winkms-exporter
  fish        winkms-exporter completion fish > /usr/share/fish/vendor_completions.d/winkms-exporter.fish
  powershell  the line above, in the file that $PROFILE.AllUsersAllHosts names`,
}

export function completion(
  argv: readonly string[],
  context: Pick<Context, 'out'>,
  commands: readonly Command[],
): number {
  const [shell = '', ...more] = parse(completionCommand, argv).positionals
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined
  if (script === undefined || more.length > 0) throw new UsageError(`usage: ${completionCommand.usage}`)
  context.out(script(commands))
  return EXIT.ok
}
