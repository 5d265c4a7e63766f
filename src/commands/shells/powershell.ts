// Completion for PowerShell, Windows PowerShell 5.1 included: one script block, and a table of flags for each command.
import { briefOf, flagsOf, type Command, type Flag } from '../options.ts'

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
const list = (words: readonly string[]): string => `@(${words.map(quoted).join(', ')})`

function flagRow([name, { value, kind, repeatable, help }]: readonly [string, Flag]): string {
  const takes = (): string => {
    if (value === undefined) return '$null'
    if (kind === 'file' || kind === 'folder') return quoted(kind)
    return list(kind ?? [])
  }
  return `      @{ Name = '--${name}'; Takes = ${takes()}; Again = $${repeatable === true}; Help = ${quoted(help)} }`
}

function commandRow(command: Command): string {
  const { name, operands } = command
  const words = operands === undefined || operands === 'hosts' ? [] : Object.keys(operands)
  const files =
    operands === undefined || operands === 'hosts' ? [] : words.filter((word) => operands[word] === 'file')
  return `    ${quoted(name)} = @{
      Help = ${quoted(briefOf(command))}
      Words = ${list(words)}
      Files = ${list(files)}
      Flags = @(
${Object.entries(flagsOf(command))
  .map((flag) => `  ${flagRow(flag)}`)
  .join('\n')}
      )
    }`
}

export function powershellScript(commands: readonly Command[]): string {
  return `# PowerShell completion of winkms-exporter, written by: winkms-exporter completion powershell
Register-ArgumentCompleter -Native -CommandName 'winkms-exporter', 'winkms-exporter.exe' -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)

  $commands = [ordered]@{
${commands.map(commandRow).join('\n')}
  }

  function Show-Word([string] $Text, [string] $Kind, [string] $Help) {
    $shown = $Text
    if ($Text -match '[\\s''&|;,(){}$]') { $Text = "'" + $Text.Replace("'", "''") + "'" }
    New-Object System.Management.Automation.CompletionResult $Text, $shown, $Kind, $Help
  }

  function Show-Path([string] $Before, [string] $Start, [bool] $FoldersOnly) {
    $folder = ''
    if ($Start -match '^(.*[\\\\/])') { $folder = $Matches[1] }
    Get-ChildItem -Path ($Start + '*') -ErrorAction SilentlyContinue |
      Where-Object { $_.PSIsContainer -or -not $FoldersOnly } |
      ForEach-Object { Show-Word ($Before + $folder + $_.Name) 'ProviderItem' $_.FullName }
  }

  function Show-Value($Takes, [string] $Before, [string] $Start) {
    if ($Takes -is [string]) { Show-Path $Before $Start ($Takes -eq 'folder') }
    else {
      $Takes | Where-Object { $_.StartsWith($Start) } |
        ForEach-Object { Show-Word ($Before + $_) 'ParameterValue' $_ }
    }
  }

  # What stands between the command and the word that is being written.
  $given = @($commandAst.CommandElements |
      Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
      Select-Object -Skip 1 |
      ForEach-Object { $_.Extent.Text })
  $name = '${commands[0]?.name}'
  $isFirst = $given.Count -eq 0
  if (-not $isFirst -and $commands.Contains($given[0])) {
    $name = $given[0]
    $given = @($given | Select-Object -Skip 1)
  }
  $command = $commands[$name]

  $waiting = $null
  $beside = @()
  $seen = @()
  foreach ($word in $given) {
    if ($waiting) { $waiting = $null; continue }
    if (-not $word.StartsWith('--')) { $beside += $word; continue }
    $flag = $command.Flags | Where-Object { $_.Name -eq $word.Split('=')[0] }
    if ($flag) {
      $seen += $flag.Name
      if ($null -ne $flag.Takes -and -not $word.Contains('=')) { $waiting = $flag }
    }
  }

  if ($waiting) { Show-Value $waiting.Takes '' $wordToComplete }
  elseif ($wordToComplete -match '^(--[^=]+)=(.*)$') {
    $flagName = $Matches[1]
    $start = $Matches[2]
    $flag = $command.Flags | Where-Object { $_.Name -eq $flagName }
    if ($flag -and $null -ne $flag.Takes) { Show-Value $flag.Takes ($flagName + '=') $start }
  }
  elseif ($wordToComplete.StartsWith('-')) {
    $command.Flags |
      Where-Object { $_.Name.StartsWith($wordToComplete) -and ($_.Again -or $seen -notcontains $_.Name) } |
      ForEach-Object {
        $text = $_.Name
        if ($null -ne $_.Takes) { $text += '=' }
        Show-Word $text 'ParameterName' $_.Help
      }
  }
  elseif ($isFirst) {
    $commands.Keys | Where-Object { $_.StartsWith($wordToComplete) } |
      ForEach-Object { Show-Word $_ 'Command' $commands[$_].Help }
  }
  elseif ($beside.Count -eq 0) { Show-Value $command.Words '' $wordToComplete }
  elseif ($beside.Count -eq 1 -and $command.Files -contains $beside[0]) { Show-Value 'file' '' $wordToComplete }
}
`
}
