<#
.SYNOPSIS
  Gives one account what winkms-exporter needs to read a KMS host over WinRM, and nothing that can change anything.

.DESCRIPTION
  Run on the KMS host (or canary client) as an administrator, in Windows PowerShell 5.1. It may be run again: what is
  there already is left alone. With -WhatIf it says what it would do; with -Remove it takes the same rights away again.
  Before each change it prints the security descriptor as it was, so that it can be put back by hand.

  It changes rights only: group memberships, the security of WMI namespaces, of the service manager and of sppsvc, and
  WinRM's RootSDDL. See docs/permissions.md for what each right is for.

.PARAMETER Account
  DOMAIN\name of a user, group, or group managed service account (with its $).

.PARAMETER Registry
  Also what `registry: true` needs: the right to execute methods in root\default. More than reading: leave it out
  unless the update revision or DnsDomainPublishList is wanted from the registry.

.PARAMETER Remove
  Takes the rights away, those of -Registry too.

.EXAMPLE
  .\Grant-KmsReader.ps1 -Account CORP\svc-kms-reader -WhatIf
#>
#Requires -Version 5.1
#Requires -PSEdition Desktop
#Requires -RunAsAdministrator
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'Medium')]
param(
  [Parameter(Mandatory = $true)]
  [string]$Account,
  [switch]$Registry,
  [switch]$Remove
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$sid = (New-Object System.Security.Principal.NTAccount($Account)).Translate([System.Security.Principal.SecurityIdentifier])

# Access masks by their documented bits.
$wmiEnable = 0x1
$wmiExecuteMethods = 0x2
$wmiRemoteEnable = 0x20
$managerConnectEnumerateQuery = 0x20015   # CCLCRPRC: connect, enumerate, query lock, read control
$serviceQuery = 0x2008D                   # CCLCSWLORC: query configuration and status, dependents, interrogate, read control
$genericReadExecute = [int]0xA0000000

# What is added to, or taken from, a list of rights; returns whether that made a difference.
function Edit-Rights {
  param($Descriptor, [int]$Mask)
  $flags = [System.Security.AccessControl.InheritanceFlags]::None
  $allow = [System.Security.AccessControl.AccessControlType]::Allow
  $none = [System.Security.AccessControl.PropagationFlags]::None
  $before = $Descriptor.GetSddlForm([System.Security.AccessControl.AccessControlSections]::Access)
  if ($Remove) { [void]$Descriptor.DiscretionaryAcl.RemoveAccess($allow, $sid, $Mask, $flags, $none) }
  else { $Descriptor.DiscretionaryAcl.AddAccess($allow, $sid, $Mask, $flags, $none) }
  return $before -ne $Descriptor.GetSddlForm([System.Security.AccessControl.AccessControlSections]::Access)
}

# As a container, so that entries which only children would inherit are kept: scmanager's auditing has one.
function ConvertFrom-Sddl {
  param([string]$Sddl)
  return New-Object System.Security.AccessControl.CommonSecurityDescriptor($true, $false, $Sddl)
}

# Members are compared by identifier: how a name is written depends on where the account comes from.
function Set-Membership {
  param([string]$Group)
  $name = $Group
  if ($Group -like 'S-1-*') {
    # The name of a built-in group depends on the language of Windows, its identifier does not.
    $identifier = New-Object System.Security.Principal.SecurityIdentifier($Group)
    try { $name = $identifier.Translate([System.Security.Principal.NTAccount]).Value.Split('\')[-1] }
    catch [System.Security.Principal.IdentityNotMappedException] { Write-Verbose "$Group has no name here" }
  }
  $path = "WinNT://./$name,group"
  if (-not [System.DirectoryServices.DirectoryEntry]::Exists($path)) {
    Write-Host "group $name : not on this machine, passed over"
    return
  }
  $entry = New-Object System.DirectoryServices.DirectoryEntry($path)
  $isMember = $false
  foreach ($member in @($entry.psbase.Invoke('Members'))) {
    $bytes = [byte[]]$member.GetType().InvokeMember('objectSid', 'GetProperty', $null, $member, $null)
    if ((New-Object System.Security.Principal.SecurityIdentifier($bytes, 0)).Value -eq $sid.Value) { $isMember = $true }
  }
  if ($isMember -eq (-not $Remove)) {
    Write-Host "group $name : nothing to do"
    return
  }
  $verb = 'Add'
  if ($Remove) { $verb = 'Remove' }
  if ($PSCmdlet.ShouldProcess("group $name", "$verb $Account")) {
    [void]$entry.psbase.Invoke($verb, "WinNT://$($sid.Value)")
    Write-Host "group $name : $verb $Account"
  }
}

# By the method itself: with -WhatIf, Invoke-WmiMethod would not even read.
function Set-NamespaceRights {
  param([string]$Namespace, [int]$Mask)
  $security = Get-WmiObject -Namespace $Namespace -Class __SystemSecurity
  $held = @($null)
  $code = $security.PSBase.InvokeMethod('GetSD', $held)
  if ($code -ne 0) { throw "$Namespace : GetSD returned $code" }
  $descriptor = New-Object System.Security.AccessControl.CommonSecurityDescriptor($true, $false, [byte[]]$held[0], 0)
  Write-Host "$Namespace : was $($descriptor.GetSddlForm('Access'))"
  if (-not (Edit-Rights -Descriptor $descriptor -Mask $Mask)) {
    Write-Host "$Namespace : nothing to do"
    return
  }
  if ($PSCmdlet.ShouldProcess($Namespace, "rights 0x$($Mask.ToString('X')) for $Account")) {
    # Not by New-Object, which wraps what it makes; a method of WMI does not take the wrapper.
    $bytes = [byte[]]::new($descriptor.BinaryLength)
    $descriptor.GetBinaryForm($bytes, 0)
    $code = $security.PSBase.InvokeMethod('SetSD', [object[]](, $bytes))
    if ($code -ne 0) { throw "$Namespace : SetSD returned $code" }
    Write-Host "$Namespace : is $($descriptor.GetSddlForm('Access'))"
  }
}

# `sc sdset` replaces the whole descriptor, so it begins with what `sc sdshow` gives, auditing included.
function Set-ServiceRights {
  param([string]$Name, [int]$Mask)
  $sddl = (@(& sc.exe sdshow $Name) -join '').Trim()
  if ($LASTEXITCODE -ne 0) { throw "sc sdshow $Name failed with $LASTEXITCODE" }
  Write-Host "$Name : was $sddl"
  $descriptor = ConvertFrom-Sddl -Sddl $sddl
  if (-not (Edit-Rights -Descriptor $descriptor -Mask $Mask)) {
    Write-Host "$Name : nothing to do"
    return
  }
  $changed = $descriptor.GetSddlForm([System.Security.AccessControl.AccessControlSections]::All)
  if ($PSCmdlet.ShouldProcess($Name, "sc sdset $changed")) {
    & sc.exe sdset $Name $changed | Out-Null
    # sppsvc is protected, and may refuse. Its state is then inferred from its port: no reason to give up here.
    if ($LASTEXITCODE -ne 0) { Write-Warning "$Name : sc sdset failed with $LASTEXITCODE; nothing was changed there" }
    else { Write-Host "$Name : is $changed" }
  }
}

function Set-WinrmRights {
  $path = 'WSMan:\localhost\Service\RootSDDL'
  $sddl = (Get-Item -Path $path).Value
  Write-Host "WinRM RootSDDL : was $sddl"
  $descriptor = ConvertFrom-Sddl -Sddl $sddl
  if (-not (Edit-Rights -Descriptor $descriptor -Mask $genericReadExecute)) {
    Write-Host 'WinRM RootSDDL : nothing to do'
    return
  }
  $changed = $descriptor.GetSddlForm([System.Security.AccessControl.AccessControlSections]::All)
  if ($PSCmdlet.ShouldProcess('WinRM', "RootSDDL $changed")) {
    Set-Item -Path $path -Value $changed -Force
    Write-Host "WinRM RootSDDL : is $changed"
  }
}

# WSMan:\ would ask whether to start it, and at a computer's start nobody answers.
if ((Get-Service -Name WinRM).Status -ne 'Running') {
  throw 'The service WinRM does not run on this machine: enable remote management first (winrm quickconfig).'
}

Set-Membership -Group 'S-1-5-32-580'            # Remote Management Users
Set-Membership -Group 'S-1-5-32-573'            # Event Log Readers
Set-Membership -Group 'WinRMRemoteWMIUsers__'   # on older versions of Windows
Set-WinrmRights
Set-NamespaceRights -Namespace 'root/cimv2' -Mask ($wmiEnable -bor $wmiRemoteEnable)
if ($Registry -or $Remove) {
  Set-NamespaceRights -Namespace 'root/default' -Mask ($wmiEnable -bor $wmiExecuteMethods -bor $wmiRemoteEnable)
}
Set-ServiceRights -Name 'scmanager' -Mask $managerConnectEnumerateQuery
Set-ServiceRights -Name 'sppsvc' -Mask $serviceQuery

if (-not $Remove) {
  Write-Host "Check with: .\Test-KmsReader.ps1 -ComputerName $env:COMPUTERNAME -Credential $Account"
  Write-Host 'Group memberships count from the next logon of the account.'
}
