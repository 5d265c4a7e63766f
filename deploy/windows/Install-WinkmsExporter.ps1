<#
.SYNOPSIS
  Installs winkms-exporter as a Windows service, upgrades it, or takes it away again.

.DESCRIPTION
  Run as an administrator, in Windows PowerShell 5.1 or PowerShell 7. It downloads nothing: Node.js has to be installed for
  the whole machine, and WinSW (2.12 or newer) has to be there as a file. Run again, it upgrades: settings that are not
  given stay as they are, and so do the configuration, the storage and the account. With -WhatIf it says what it would do.

  The service runs as NT SERVICE\winkmsexporter, an account without a password that belongs to this service alone and
  has no right but to read its configuration and to write its storage and its logs.

.PARAMETER Source
  The folder that has dist\main.js: the unpacked package, or a clone after `npm run build`.

.PARAMETER Wrapper
  WinSW's program for this machine. Needed the first time; given again, it is replaced.

.PARAMETER WrapperSha256
  What Get-FileHash should say of it.

.PARAMETER Node
  node.exe, 20 or newer. For the whole machine: the service's account cannot read anybody's profile.

.PARAMETER ListenAddress
  [host]:port to listen on; 127.0.0.1:11688 for this machine only.

.PARAMETER AllowFrom
  Addresses or networks from which the firewall lets Prometheus in. Without it the firewall is left alone.

.PARAMETER WebConfigFile
  The file that sets TLS and passwords (--web.config.file), below %ProgramData%\winkms-exporter.

.PARAMETER EnableReload
  Lets POST /-/reload reload the configuration; Windows has no signal for it.

.PARAMETER PasswordFor
  Asks for a password and writes it to secrets\NAME.txt, for `password_file: secrets/NAME.txt` in the configuration.

.PARAMETER Uninstall
  Takes away the service, its program and its firewall rule.

.PARAMETER RemoveData
  With -Uninstall: the configuration, secrets, storage and logs too.

.EXAMPLE
  .\Install-WinkmsExporter.ps1 -Source C:\Temp\package -Wrapper C:\Temp\WinSW-x64.exe -AllowFrom 192.0.2.20
#>
#Requires -Version 5.1
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium', DefaultParameterSetName = 'Install')]
param(
  [Parameter(ParameterSetName = 'Install', Mandatory = $true)]
  [string]$Source,
  [Parameter(ParameterSetName = 'Install')]
  [string]$Wrapper,
  [Parameter(ParameterSetName = 'Install')]
  [ValidatePattern('^[0-9A-Fa-f]{64}$')]
  [string]$WrapperSha256,
  [Parameter(ParameterSetName = 'Install')]
  [string]$Node,
  [Parameter(ParameterSetName = 'Install')]
  [ValidatePattern('^(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]*):[0-9]{1,5}$')]
  [string]$ListenAddress,
  [Parameter(ParameterSetName = 'Install')]
  [ValidatePattern('^[0-9A-Fa-f.:]+(/[0-9]{1,3}|-[0-9A-Fa-f.:]+)?$')]
  [string[]]$AllowFrom,
  [Parameter(ParameterSetName = 'Install')]
  [string]$WebConfigFile,
  [Parameter(ParameterSetName = 'Install')]
  [switch]$EnableReload,
  [Parameter(ParameterSetName = 'Install')]
  [ValidatePattern('^[A-Za-z0-9_-]+$')]
  [string]$PasswordFor,
  [Parameter(ParameterSetName = 'Uninstall', Mandatory = $true)]
  [switch]$Uninstall,
  [Parameter(ParameterSetName = 'Uninstall')]
  [switch]$RemoveData
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

if (-not [System.Environment]::Is64BitProcess) { throw 'This is the 32-bit PowerShell, which has other folders: use the 64-bit one.' }

$id = 'winkmsexporter'
$program = Join-Path $env:ProgramFiles 'winkms-exporter'
$data = Join-Path $env:ProgramData 'winkms-exporter'
$wrapperFile = Join-Path $program 'winkms-exporter.exe'
$serviceFile = Join-Path $program 'winkms-exporter.xml'
$configFile = Join-Path $data 'winkms.yml'
$secrets = Join-Path $data 'secrets'
$rule = 'winkms-exporter'

$system = New-Object System.Security.Principal.SecurityIdentifier('S-1-5-18')
$administrators = New-Object System.Security.Principal.SecurityIdentifier('S-1-5-32-544')
# TrustedInstaller owns %ProgramFiles% itself.
$owners = @('S-1-5-18', 'S-1-5-32-544', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464')

function Invoke-ServiceControl {
  param([string[]]$Arguments)
  $said = @(& (Join-Path $env:SystemRoot 'System32\sc.exe') @Arguments)
  if ($LASTEXITCODE -ne 0) { throw "sc $($Arguments -join ' ') failed with $LASTEXITCODE : $($said -join ' ')" }
  return $said
}

# By number, since there is no name before there is a service.
function Get-ServiceSid {
  $said = (Invoke-ServiceControl -Arguments @('showsid', $id)) -join ' '
  if ($said -notmatch 'S-1-5-80(-[0-9]+){5}') { throw "sc showsid $id says no identifier" }
  return New-Object System.Security.Principal.SecurityIdentifier($Matches[0])
}

# Anybody may make a directory in %ProgramData%, and would keep it.
function Assert-Ours {
  param([string]$Path)
  if (-not (Test-Path -LiteralPath $Path)) { return }
  $item = Get-Item -LiteralPath $Path -Force
  if (-not $item.PSIsContainer -or ($item.Attributes -band [System.IO.FileAttributes]::ReparsePoint)) {
    throw "$Path is no plain directory: move it away first"
  }
  $owner = (Get-Acl -LiteralPath $Path).GetOwner([System.Security.Principal.SecurityIdentifier]).Value
  if ($owners -notcontains $owner) { throw "$Path belongs to $owner, not to the administrators: move it away first" }
}

# The directory and what is in it: for the administrators, and for the service as far as it needs. Nothing from above.
function Set-Directory {
  param([string]$Path, $ServiceSid, [string]$ServiceRights)
  if (-not $PSCmdlet.ShouldProcess($Path, "directory; the service: $ServiceRights")) { return }
  if (-not (Test-Path -LiteralPath $Path)) { [void](New-Item -ItemType Directory -Path $Path) }
  $security = New-Object System.Security.AccessControl.DirectorySecurity
  $security.SetAccessRuleProtection($true, $false)
  $security.SetOwner($administrators)
  $below = [System.Security.AccessControl.InheritanceFlags]'ContainerInherit, ObjectInherit'
  $here = [System.Security.AccessControl.PropagationFlags]::None
  $allow = [System.Security.AccessControl.AccessControlType]::Allow
  $rights = @(@($system, 'FullControl'), @($administrators, 'FullControl'), @($ServiceSid, $ServiceRights))
  foreach ($right in $rights) {
    $mask = [System.Security.AccessControl.FileSystemRights]$right[1]
    $entry = New-Object System.Security.AccessControl.FileSystemAccessRule($right[0], $mask, $below, $here, $allow)
    $security.AddAccessRule($entry)
  }
  Set-Acl -LiteralPath $Path -AclObject $security
}

# UTF-8 without a mark, which Set-Content of Windows PowerShell would put before it.
function Write-Text {
  param([string]$Path, [string]$Text)
  [System.IO.File]::WriteAllText($Path, $Text, (New-Object System.Text.UTF8Encoding($false)))
}

function Write-Password {
  param([string]$Path)
  if (-not $PSCmdlet.ShouldProcess($Path, 'write the password')) { return }
  $typed = Read-Host -Prompt "Password for $PasswordFor" -AsSecureString
  $memory = [System.Runtime.InteropServices.Marshal]::SecureStringToBSTR($typed)
  try { Write-Text -Path $Path -Text ([System.Runtime.InteropServices.Marshal]::PtrToStringBSTR($memory)) }
  finally { [System.Runtime.InteropServices.Marshal]::ZeroFreeBSTR($memory) }
}

function Assert-Node {
  param([string]$Path)
  if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) {
    throw "$Path is not there: install Node.js 20 or newer for the whole machine, or say where it is by -Node"
  }
  $profiles = Join-Path $env:SystemDrive 'Users'
  if ($Path.StartsWith("$profiles\", [System.StringComparison]::OrdinalIgnoreCase)) {
    throw "$Path is in somebody's profile, where the service may not read"
  }
  $version = [string](& $Path --version)
  if ($version -notmatch '^v([0-9]+)\.' -or [int]$Matches[1] -lt 20) { throw "$Path is $version; 20 or newer is needed" }
}

function Test-Configuration {
  param([string]$Executable, [string]$Entrance, [string]$Check, [string]$File)
  & $Executable $Entrance config $Check $File | Out-Host
  if ($LASTEXITCODE -ne 0) { throw "$File is not right for this version: the service was left as it is" }
}

function Set-Argument {
  param($Service, [string]$Flag, [string]$Value)
  $text = $Flag
  if ($Value -ne '') { $text = "$Flag=$Value" }
  foreach ($argument in @($Service.SelectNodes('argument'))) {
    if ($argument.InnerText -eq $Flag -or $argument.InnerText.StartsWith("$Flag=")) {
      $argument.InnerText = $text
      return
    }
  }
  $added = $Service.OwnerDocument.CreateElement('argument')
  $added.InnerText = $text
  $last = @($Service.SelectNodes('argument'))[-1]
  [void]$Service.InsertAfter($added, $last)
}

# What is there already, changed only where something is given: an upgrade keeps the address and the flags.
function Write-ServiceFile {
  $template = $serviceFile
  if (-not (Test-Path -LiteralPath $template)) { $template = Join-Path $PSScriptRoot 'winkms-exporter.xml' }
  $document = New-Object System.Xml.XmlDocument
  $document.PreserveWhitespace = $true
  $document.Load($template)
  $service = $document.DocumentElement
  if ($Node -ne '') { $service.SelectSingleNode('executable').InnerText = $Node }
  if ($ListenAddress -ne '') { Set-Argument -Service $service -Flag '--web.listen-address' -Value $ListenAddress }
  if ($WebConfigFile -ne '') { Set-Argument -Service $service -Flag '--web.config.file' -Value $WebConfigFile }
  if ($EnableReload) { Set-Argument -Service $service -Flag '--web.enable-lifecycle' -Value '' }
  if ($PSCmdlet.ShouldProcess($serviceFile, 'write')) { $document.Save($serviceFile) }
  return $service
}

function Get-Argument {
  param($Service, [string]$Flag)
  foreach ($argument in @($Service.SelectNodes('argument'))) {
    if ($argument.InnerText.StartsWith("$Flag=")) { return $argument.InnerText.Substring($Flag.Length + 1) }
  }
  return ''
}

function Stop-Exporter {
  $service = Get-Service -Name $id -ErrorAction SilentlyContinue
  if ($null -eq $service -or $service.Status -eq 'Stopped') { return }
  if ($PSCmdlet.ShouldProcess($id, 'stop')) {
    Stop-Service -Name $id
    $service.WaitForStatus('Stopped', [TimeSpan]::FromSeconds(30))
  }
}

# Puts one version in the place of the other, which is kept beside it.
function Switch-Program {
  param([string]$New, [string]$Kept)
  $current = Join-Path $program 'dist'
  if (Test-Path -LiteralPath $Kept) { Remove-Item -LiteralPath $Kept -Recurse -Force }
  if (Test-Path -LiteralPath $current) { Move-Item -LiteralPath $current -Destination $Kept }
  Move-Item -LiteralPath $New -Destination $current
}

function Register-Exporter {
  if ($null -eq (Get-Service -Name $id -ErrorAction SilentlyContinue)) {
    if (-not $PSCmdlet.ShouldProcess($id, 'create the service')) { return }
    $about = 'Watches Windows KMS hosts for Prometheus.'
    [void](New-Service -Name $id -BinaryPathName "`"$wrapperFile`"" -DisplayName 'winkms-exporter' -Description $about -StartupType Manual)
    [void](Invoke-ServiceControl -Arguments @('config', $id, 'obj=', "NT SERVICE\$id"))
  }
  if (-not $PSCmdlet.ShouldProcess($id, 'set when it starts, and what happens when it fails')) { return }
  [void](Invoke-ServiceControl -Arguments @('config', $id, 'start=', 'delayed-auto'))
  # So that what the service may do is the same under another account.
  [void](Invoke-ServiceControl -Arguments @('sidtype', $id, 'unrestricted'))
  [void](Invoke-ServiceControl -Arguments @('failure', $id, 'reset=', '3600', 'actions=', 'restart/10000/restart/10000/restart/60000'))
  [void](Invoke-ServiceControl -Arguments @('failureflag', $id, '1'))
}

function Set-Firewall {
  param([string]$Port, [string]$Executable)
  if (-not $PSCmdlet.ShouldProcess("TCP $Port from $($AllowFrom -join ', ')", 'open the firewall')) { return }
  Get-NetFirewallRule -Name $rule -ErrorAction SilentlyContinue | Remove-NetFirewallRule
  [void](New-NetFirewallRule -Name $rule -DisplayName 'winkms-exporter (Prometheus)' -Direction Inbound -Action Allow -Protocol TCP -LocalPort $Port -RemoteAddress $AllowFrom -Program $Executable -Profile @('Domain', 'Private'))
}

function Test-Listening {
  param([string]$Address, [int]$Port)
  for ($second = 0; $second -lt 30; $second++) {
    $client = New-Object System.Net.Sockets.TcpClient
    try {
      $client.Connect($Address, $Port)
      return $true
    }
    catch { Start-Sleep -Seconds 1 }
    finally { $client.Close() }
  }
  return $false
}

function Install-Exporter {
  $entrance = Join-Path $Source 'dist\main.js'
  if (-not (Test-Path -LiteralPath $entrance -PathType Leaf)) { throw "$entrance is not there: is $Source the package?" }
  if ($Wrapper -eq '' -and -not (Test-Path -LiteralPath $wrapperFile)) { throw 'Say by -Wrapper where WinSW is.' }
  if ($Wrapper -ne '' -and $WrapperSha256 -ne '' -and (Get-FileHash -LiteralPath $Wrapper -Algorithm SHA256).Hash -ne $WrapperSha256) {
    throw "$Wrapper is not what -WrapperSha256 says"
  }
  Assert-Ours -Path $program
  Assert-Ours -Path $data
  $sid = Get-ServiceSid

  Set-Directory -Path $program -ServiceSid $sid -ServiceRights 'ReadAndExecute'
  Set-Directory -Path $data -ServiceSid $sid -ServiceRights 'ReadAndExecute'
  Set-Directory -Path $secrets -ServiceSid $sid -ServiceRights 'Read'
  Set-Directory -Path (Join-Path $data 'data') -ServiceSid $sid -ServiceRights 'Modify'
  Set-Directory -Path (Join-Path $data 'logs') -ServiceSid $sid -ServiceRights 'Modify'
  if ($PasswordFor -ne '') { Write-Password -Path (Join-Path $secrets "$PasswordFor.txt") }
  if (-not (Test-Path -LiteralPath $configFile) -and $PSCmdlet.ShouldProcess($configFile, 'write an empty configuration')) {
    Write-Text -Path $configFile -Text "# Nothing said: hosts are found through DNS. See: config example`r`n"
  }

  $service = Write-ServiceFile
  $executable = [System.Environment]::ExpandEnvironmentVariables($service.SelectSingleNode('executable').InnerText)
  Assert-Node -Path $executable
  $listen = Get-Argument -Service $service -Flag '--web.listen-address'
  if (-not $PSCmdlet.ShouldProcess($program, 'copy the program, and start it')) {
    Register-Exporter
    if ($AllowFrom) { Set-Firewall -Port $listen.Substring($listen.LastIndexOf(':') + 1) -Executable $executable }
    return
  }

  $new = Join-Path $program 'dist.new'
  $old = Join-Path $program 'dist.old'
  if (Test-Path -LiteralPath $new) { Remove-Item -LiteralPath $new -Recurse -Force }
  Copy-Item -LiteralPath (Join-Path $Source 'dist') -Destination $new -Recurse
  # By the new version, while the old one still runs.
  Test-Configuration -Executable $executable -Entrance (Join-Path $new 'main.js') -Check 'check' -File $configFile
  $web = Get-Argument -Service $service -Flag '--web.config.file'
  if ($web -ne '') {
    $web = [System.Environment]::ExpandEnvironmentVariables($web)
    Test-Configuration -Executable $executable -Entrance (Join-Path $new 'main.js') -Check 'check-web' -File $web
  }

  Stop-Exporter
  Switch-Program -New $new -Kept $old
  if ($Wrapper -ne '') { Copy-Item -LiteralPath $Wrapper -Destination $wrapperFile -Force }
  Register-Exporter
  $port = $listen.Substring($listen.LastIndexOf(':') + 1)
  $address = $listen.Substring(0, $listen.LastIndexOf(':')).Trim('[', ']')
  if (@('', '0.0.0.0', 'localhost') -contains $address) { $address = '127.0.0.1' }
  elseif ($address -eq '::') { $address = '::1' }
  if ($AllowFrom) { Set-Firewall -Port $port -Executable $executable }

  Start-Service -Name $id
  if (Test-Listening -Address $address -Port ([int]$port)) {
    Write-Host "winkms-exporter listens on $listen; configuration: $configFile"
    return
  }
  $logs = Join-Path $data 'logs'
  if (-not (Test-Path -LiteralPath $old)) { throw "The exporter does not listen on $listen : see $logs" }
  Stop-Exporter
  Switch-Program -New $old -Kept $new
  Start-Service -Name $id
  throw "The new version does not listen on $listen, and the one before was put back and started: see $logs"
}

function Uninstall-Exporter {
  Stop-Exporter
  if ($null -ne (Get-Service -Name $id -ErrorAction SilentlyContinue) -and $PSCmdlet.ShouldProcess($id, 'delete the service')) {
    [void](Invoke-ServiceControl -Arguments @('delete', $id))
  }
  if ($PSCmdlet.ShouldProcess($rule, 'remove the firewall rule')) {
    Get-NetFirewallRule -Name $rule -ErrorAction SilentlyContinue | Remove-NetFirewallRule
  }
  $paths = @($program)
  if ($RemoveData) { $paths += $data }
  foreach ($path in $paths) {
    if (-not (Test-Path -LiteralPath $path)) { continue }
    Assert-Ours -Path $path
    if ($PSCmdlet.ShouldProcess($path, 'delete')) { Remove-Item -LiteralPath $path -Recurse -Force }
  }
  if (-not $RemoveData) { Write-Host "$data is left where it is" }
}

if ($Uninstall) { Uninstall-Exporter }
else { Install-Exporter }
