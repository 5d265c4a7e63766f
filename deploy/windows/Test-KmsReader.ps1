<#
.SYNOPSIS
  Asks a KMS host over WinRM what winkms-exporter asks, as the account that it will use, and says which right is missing.

.DESCRIPTION
  Read only. Run it from any machine in Windows PowerShell 5.1 or PowerShell 7 on Windows.

.PARAMETER ComputerName
  The host.

.PARAMETER Credential
  The account; without it, whoever runs the script.

.PARAMETER UseSsl
  Over HTTPS (5986), as the exporter does unless told otherwise.

.PARAMETER Registry
  Also asks what `registry: true` needs.

.EXAMPLE
  .\Test-KmsReader.ps1 -ComputerName kms01.corp.example -Credential CORP\svc-kms-reader -UseSsl
#>
#Requires -Version 5.1
[CmdletBinding()]
param(
  [Parameter(Mandatory = $true)]
  [string]$ComputerName,
  [System.Management.Automation.PSCredential]
  [System.Management.Automation.Credential()]
  $Credential = [System.Management.Automation.PSCredential]::Empty,
  [switch]$UseSsl,
  [switch]$Registry
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$results = New-Object System.Collections.ArrayList

function Add-Result {
  param([string]$What, [string]$Outcome, [string]$Right)
  [void]$results.Add((New-Object psobject -Property ([ordered]@{ What = $What; Outcome = $Outcome; 'Missing right' = $Right })))
}

function Test-Query {
  param($Session, [string]$What, [string]$Query, [string]$Right, [switch]$MayBeEmpty)
  try {
    $rows = @(Get-CimInstance -CimSession $Session -Namespace 'root/cimv2' -Query $Query)
    if ($rows.Count -gt 0) { Add-Result -What $What -Outcome "ok, $($rows.Count) row(s)" -Right '' }
    elseif ($MayBeEmpty) { Add-Result -What $What -Outcome 'no rows' -Right "none, or: $Right" }
    else { Add-Result -What $What -Outcome 'no rows' -Right $Right }
  } catch {
    Add-Result -What $What -Outcome $_.Exception.Message -Right $Right
  }
}

$session = $null
try {
  $parameters = @{ ComputerName = $ComputerName; SessionOption = (New-CimSessionOption -UseSsl:$UseSsl) }
  if ($Credential -ne [System.Management.Automation.PSCredential]::Empty) { $parameters.Credential = $Credential }
  $session = New-CimSession @parameters
  Add-Result -What 'WinRM' -Outcome 'ok' -Right ''
} catch {
  Add-Result -What 'WinRM' -Outcome $_.Exception.Message -Right 'Remote Management Users, or Read and Execute in RootSDDL'
}

if ($null -ne $session) {
  # By the calendar of WMI, whatever that of the user is.
  $invariant = [System.Globalization.CultureInfo]::InvariantCulture
  $since = (Get-Date).ToUniversalTime().AddDays(-1).ToString('yyyyMMddHHmmss', $invariant) + '.000000+000'
  $namespace = 'Enable Account and Remote Enable on root\cimv2'
  Test-Query -Session $session -What 'operating system' -Right $namespace -Query 'SELECT Caption, BuildNumber FROM Win32_OperatingSystem'
  Test-Query -Session $session -What 'state of sppsvc' -Right 'service manager: scmanager and sppsvc' -Query "SELECT Name, State FROM Win32_Service WHERE Name = 'sppsvc'"
  Test-Query -Session $session -What 'licensing service' -Right $namespace -Query 'SELECT Version, IsKeyManagementServiceMachine FROM SoftwareLicensingService'
  Test-Query -Session $session -What 'licensed products' -Right $namespace -Query 'SELECT ID, LicenseStatus FROM SoftwareLicensingProduct WHERE PartialProductKey <> NULL'
  Test-Query -Session $session -What 'log files' -Right 'Event Log Readers' -Query "SELECT NumberOfRecords FROM Win32_NTEventlogFile WHERE LogfileName = 'Key Management Service'"
  Test-Query -Session $session -What 'requests of the last day' -Right 'Event Log Readers' -MayBeEmpty -Query "SELECT RecordNumber FROM Win32_NTLogEvent WHERE Logfile = 'Key Management Service' AND TimeGenerated > '$since'"
  Test-Query -Session $session -What 'version of the kernel' -Right $namespace -Query "SELECT Version FROM CIM_DataFile WHERE Name = 'C:\\Windows\\System32\\ntoskrnl.exe'"
  if ($Registry) {
    try {
      $answer = Invoke-CimMethod -CimSession $session -Namespace 'root/default' -ClassName StdRegProv -MethodName GetDWORDValue -Arguments @{
        hDefKey = [uint32]2147483650
        sSubKeyName = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
        sValueName = 'UBR'
      }
      Add-Result -What 'registry' -Outcome "ok, UBR $($answer.uValue)" -Right ''
    } catch {
      Add-Result -What 'registry' -Outcome $_.Exception.Message -Right 'Execute Methods on root\default'
    }
  }
  Remove-CimSession -CimSession $session
}

$results | Format-Table -AutoSize -Wrap
if (@($results | Where-Object { $_.'Missing right' -ne '' -and $_.'Missing right' -notlike 'none*' }).Count -gt 0) { exit 1 }
