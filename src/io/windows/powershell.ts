// The scripts of local mode. They are constants: what to ask comes in by the environment, and is never made a part of
// them. Each prints one JSON text a line, every value as text, and says at the end that it is the end.

/** What the scripts have in common: how a value is written, and how a failure is told. */
const PROLOGUE = String.raw`
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
try { [Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false } catch { }

function ConvertTo-Text($Value) {
  if ($null -eq $Value) { return $null }
  if ($Value -is [datetime]) { return $Value.ToUniversalTime().ToString('o', [cultureinfo]::InvariantCulture) }
  return [System.Convert]::ToString($Value, [cultureinfo]::InvariantCulture)
}

function Write-Line($Content) {
  [Console]::Out.WriteLine((ConvertTo-Json -InputObject $Content -Compress -Depth 3))
}

function Write-Failure($Problem) {
  $exception = $Problem.Exception
  # What a .NET method throws arrives wrapped.
  while ($exception -is [System.Management.Automation.MethodInvocationException] -and $null -ne $exception.InnerException) {
    $exception = $exception.InnerException
  }
  $native = ''
  if ($exception.PSObject.Properties['NativeErrorCode']) { $native = [string]$exception.NativeErrorCode }
  Write-Line @{ failure = @{ kind = $exception.GetType().Name; native = $native; hresult = [string]$exception.HResult } }
}
`

/** Rows of a WQL query: WINKMS_QUERY, WINKMS_COLUMNS (with commas), WINKMS_ROWS (how many at most). */
export const QUERY_SCRIPT = String.raw`${PROLOGUE}
try {
  $columns = $env:WINKMS_COLUMNS.Split(',')
  $count = 0
  Get-CimInstance -Namespace 'root/cimv2' -Query $env:WINKMS_QUERY |
    Select-Object -First ([int]$env:WINKMS_ROWS) |
    ForEach-Object {
      $row = [ordered]@{}
      foreach ($column in $columns) {
        $property = $_.CimInstanceProperties[$column]
        if ($null -eq $property -or $null -eq $property.Value) { $row[$column] = $null }
        elseif ($property.Value -is [array]) {
          $row[$column] = @(foreach ($element in $property.Value) { ConvertTo-Text $element })
        }
        else { $row[$column] = ConvertTo-Text $property.Value }
      }
      Write-Line @{ row = $row }
      $count++
    }
  Write-Line @{ end = [string]$count }
} catch {
  Write-Failure $_
}
`

/** One value under HKEY_LOCAL_MACHINE: WINKMS_KEY, WINKMS_NAME. Null when there is none. */
export const REGISTRY_SCRIPT = String.raw`${PROLOGUE}
try {
  $value = [Microsoft.Win32.Registry]::GetValue(('HKEY_LOCAL_MACHINE\' + $env:WINKMS_KEY), $env:WINKMS_NAME, $null)
  if ($value -is [array]) { $value = @(foreach ($element in $value) { ConvertTo-Text $element }) }
  else { $value = ConvertTo-Text $value }
  Write-Line @{ row = @{ value = $value } }
  Write-Line @{ end = '1' }
} catch {
  Write-Failure $_
}
`
