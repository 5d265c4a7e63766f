// Every file under bad/ is wrong in the way that its name says, and this is all that is said about it.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

import { formatProblem, readConfig } from '../../src/config/load.ts'

const directory = join(dirname(fileURLToPath(import.meta.url)), 'bad')

/** File name to lines, without the file's name that each begins with. */
const SAID: Readonly<Record<string, readonly string[]>> = {
  'address-not-an-ip': [
    '3:29: hosts[0].addresses[1]: must be an IP address, got "192.0.2.300"',
    '3:42: hosts[0].addresses[2]: must be an IP address, got "kms01"',
    '3:49: hosts[0].addresses[3]: must be an IP address, got "fe80::1%eth0"',
    '4:17: hosts[0].connect_to: must be an IP address, got "kms01.corp.example"',
  ],
  'alias-of-one-fault-twice': [
    '3:29: hosts[0].probes.port.timeot: is not a known key (hint: did you mean "timeout"?)',
  ],
  'ca-file-missing': [
    "6:23: hosts[0].windows.tls.ca_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    '11:23: hosts[1].windows.tls.ca_file: names a file that holds no certificate (hint: PEM text is expected)',
    '14:65: clients[0].windows.tls.ca_file: names a file that is a directory',
  ],
  'cim-alone': [
    '3:33: hosts[0].probes.clock.sources: lists only cim, which needs windows with via winrm or local',
    '8:18: hosts[1].probes.clock.sources: lists only cim, which needs windows with via winrm or local',
  ],
  'credentials-none': [
    '3:41: hosts[0].windows.credentials: there are no credentials named "reader" (hint: name it under the top-level credentials)',
  ],
  'credentials-over-http': [
    '3:44: hosts[0].windows.url: would send the password in clear text (hint: use https)',
    '5:86: hosts[1].windows.tls: means nothing to an http:// url (hint: use https)',
  ],
  'credentials-unknown': [
    '3:95: hosts[0].windows.credentials: there are no credentials named "raeder" (hint: did you mean "reader"?)',
    '5:95: hosts[1].windows.credentials: there are no credentials named "constructor" (hint: there are: reader)',
  ],
  'cron-bad': [
    '3:20: probes.srv.schedule: is not a cron expression that can be run: hour 99 is not 0 to 23',
    '4:24: probes.service.schedule: must be a duration like 15s or a cron expression of 6 fields, got "* * *"',
    '7:34: hosts[0].probes.clock.schedule: is not a cron expression that can be run: hour 99 is not 0 to 23',
  ],
  'duplicate-names': [
    '1:39: resolvers[2]: "192.0.2.1:53" is listed twice (hint: the first one is on line 1)',
    '1:55: resolvers[3]: "[2001:DB8:0::1]:53" is listed twice (hint: the first one is on line 1)',
    '4:32: hosts[0].addresses[1]: "2001:DB8:0:0::1" is listed twice (hint: the first one is on line 4)',
    '5:11: hosts[1].name: "KMS01.corp.example." is listed twice (hint: the first one is on line 3)',
    '6:38: hosts[1].serves[2]: "windows_11" is listed twice (hint: the first one is on line 6)',
    '9:44: domains[0].expect[1].target: "KMS01.corp.example" is listed twice (hint: the first one is on line 9)',
    '10:28: domains[0].resolvers[1]: "192.0.2.1" is listed twice (hint: the first one is on line 10)',
    '11:11: domains[1].name: "corp.example" is listed twice (hint: the first one is on line 8)',
    '13:27: probes.clock.sources[1]: "ntp" is listed twice (hint: the first one is on line 13)',
    '13:64: probes.clock.references[1]: "ntp.corp.example:123" is listed twice (hint: the first one is on line 13)',
    '17:13: clients[2].name: "PC-042.corp.example" is listed twice (hint: the first one is on line 16)',
  ],
  'expect-single-label': [
    '3:14: domains[0].expect[0]: must be a fully qualified DNS name, got "kms01" (hint: write it with its domain, like kms01.corp.example)',
    '3:31: domains[0].expect[1].target: must be a fully qualified DNS name, got "kms02" (hint: write it with its domain, like kms02.corp.example)',
    '3:40: domains[0].expect[2]: must be a DNS name, not an address, got "192.0.2.10"',
    '3:52: domains[0].expect[3]: must be text or a mapping, got 5 (hint: put it in quotes)',
    '3:55: domains[0].expect[4]: must be text or a mapping, got a list',
  ],
  'fingerprint-bad': [
    '6:27: hosts[0].windows.tls.fingerprint: is a SHA-1 fingerprint, got "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09" (hint: give the SHA-256: openssl x509 -noout -fingerprint -sha256)',
    '8:69: hosts[1].windows.tls.fingerprint: must be a SHA-256 fingerprint of 64 hex digits, with or without colons, got "e3b0c442"',
    '14:9: hosts[2].windows.tls.ca_file: is given besides fingerprint, which is all that is looked at then (hint: keep one of them)',
    "14:18: hosts[2].windows.tls.ca_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    '15:9: hosts[2].windows.tls.server_name: is given besides fingerprint, which is all that is looked at then (hint: keep one of them)',
    '21:27: hosts[3].windows.tls.fingerprint: must be text, got 1.2345678901234568e+63 (hint: put it in quotes)',
  ],
  'host-name-bad': [
    '2:11: hosts[0].name: must be a DNS name or an IP address, got "kms01.corp.example:1688" (hint: the port has a key of its own)',
    '3:11: hosts[1].name: must be a DNS name or an IP address, got "192.0.2"',
    '4:11: hosts[2].name: must be a DNS name or an IP address, got "kms_01..corp.example"',
    '5:11: hosts[3].name: must be a DNS name in ASCII, got "kmsä.corp.example" (hint: write the punycode form, xn--...)',
    '6:11: hosts[4].name: must be a DNS name or an IP address, got ""',
    '7:11: hosts[5].name: must be text, got 12 (hint: put it in quotes)',
  ],
  'key-missing': [
    '2:5: hosts[0]: has no "name", which it needs',
    '5:7: hosts[1].windows: has no "url", which via windows_exporter needs',
    '7:14: hosts[2].windows: has no "credentials", which via winrm needs',
    '9:5: clients[0]: has no "windows", which it needs',
    '11:5: domains[0]: has no "name", which it needs',
    '11:14: domains[0].expect[0]: has no "target", which it needs',
    '13:11: credentials.reader: has no "auth", which it needs',
    '14:10: credentials.basic: has no "username", which auth basic needs',
    '15:9: credentials.ntlm: has no "username", which auth ntlm needs',
    '16:11: credentials.keytab: has no "username", which keytab_file needs (hint: the principal whose key it holds, like svc-kms@CORP.EXAMPLE)',
    '17:16: credentials.certificate: has no "certificate_file", which auth certificate needs',
    '17:16: credentials.certificate: has no "key_file", which auth certificate needs',
  ],
  'key-of-another-way': [
    '4:21: hosts[0].windows.url: means nothing to via local (hint: local takes no other key)',
    '4:63: hosts[0].windows.credentials: means nothing to via local (hint: local takes no other key)',
    '4:85: hosts[0].windows.registry: means nothing to via local (hint: local takes no other key)',
    '4:101: hosts[0].windows.tls: means nothing to via local (hint: local takes no other key)',
    '9:7: hosts[1].windows.allow_unencrypted: means nothing to via windows_exporter (hint: it takes url, credentials, tls)',
    '10:7: hosts[1].windows.registry: means nothing to via windows_exporter (hint: it takes url, credentials, tls)',
    '13:28: clients[0].windows.allow_unencrypted: means nothing to via local (hint: local takes no other key)',
    '15:68: credentials.basic.keytab_file: means nothing to auth basic (hint: it takes username, password_file, password_env)',
    '16:67: credentials.ntlm.key_file: means nothing to auth ntlm (hint: it takes username, password_file, password_env)',
    '17:31: credentials.kerberos.password_file: means nothing to auth kerberos (hint: it takes username, keytab_file, cache_file)',
    '20:5: credentials.certificate.username: means nothing to auth certificate (hint: it takes certificate_file, key_file)',
    "21:23: credentials.certificate.certificate_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    "22:15: credentials.certificate.key_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    '23:5: credentials.certificate.password_env: means nothing to auth certificate (hint: it takes certificate_file, key_file)',
    '24:78: credentials.keytab-and-cache.cache_file: is given besides keytab_file (hint: keep one of them)',
  ],
  'key-unknown': [
    '1:1: client: is not a known key (hint: did you mean "clients"?)',
    '2:1: host: is not a known key (hint: did you mean "hosts"?)',
    '5:5: hosts[0].Port: is not a known key (hint: did you mean "port"?)',
    '6:5: hosts[0].connect-to: is not a known key (hint: did you mean "connect_to"?)',
    '7:15: hosts[0].probes.srv: is not a known key (hint: known here: port, service, clock, licensing, activity)',
    '7:32: hosts[0].probes.port.interval: is not a known key (hint: known here: schedule, timeout)',
    '8:14: hosts[0].windows: has no "credentials", which via winrm needs',
    '8:28: hosts[0].windows.credential: is not a known key (hint: did you mean "credentials"?)',
    '8:55: hosts[0].windows.tls.fingerprints: is not a known key (hint: did you mean "fingerprint"?)',
    '10:3: probes.license: is not a known key (hint: did you mean "licensing"?)',
    '11:16: probes.licensing.first_read: is not a known key (hint: known here: schedule, timeout)',
    '12:21: probes.clock.ports.http2: is not a known key (hint: did you mean "http"?)',
    '12:32: probes.clock.ports.wholly-unlike: is not a known key (hint: known here: smb2, ntp, http, ntlm)',
    '12:50: probes.clock.ports.cim: is not a known key (hint: known here: smb2, ntp, http, ntlm)',
    '14:34: clients[0].port: is not a known key (hint: known here: name, connect_to, labels, windows, probes)',
    '14:81: clients[0].probes.licensing: is not a known key (hint: known here: client)',
  ],
  'label-reserved': [
    '3:15: hosts[0].labels.host: is a label that the exporter or Prometheus sets itself',
    '3:24: hosts[0].labels.instance: is a label that the exporter or Prometheus sets itself',
    '3:37: hosts[0].labels.__meta: must be a label name: letters, digits and _, not starting with a digit or __',
    '3:48: hosts[0].labels.9lives: must be a label name: letters, digits and _, not starting with a digit or __',
    '3:59: hosts[0].labels.a-b: must be a label name: letters, digits and _, not starting with a digit or __',
    '3:73: hosts[0].labels.site: must be text, got 5 (hint: put it in quotes)',
    '6:15: clients[0].labels.client: is a label that the exporter or Prometheus sets itself',
  ],
  'list-empty': [
    '1:12: resolvers: must list at least one',
    '2:48: hosts[0].addresses: must list at least one',
    '3:29: probes.clock.sources: must list at least one',
  ],
  'local-twice': [
    '5:12: hosts[1].windows.via: local is listed twice: it is this machine (hint: the first one is on line 2)',
    '9:21: clients[1].windows.via: local is listed twice: it is this machine (hint: the first one is on line 7)',
  ],
  'logon-file-wrong': [
    "2:51: credentials.missing.certificate_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    "2:74: credentials.missing.key_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    '3:49: credentials.wrong.certificate_file: names a file that holds no certificate (hint: PEM text is expected)',
    '3:74: credentials.wrong.key_file: names a file that holds no private key (hint: PEM text is expected)',
    '4:53: credentials.directory.certificate_file: names a file that is a directory',
    '4:66: credentials.directory.key_file: names a file that is a directory',
    '5:49: credentials.blank.certificate_file: must not be empty',
    '5:63: credentials.blank.key_file: must not be empty',
    "6:63: credentials.keytab-missing.keytab_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    '7:61: credentials.keytab-wrong.keytab_file: names a file that is not a keytab (hint: ktutil and ktpass write one)',
    '8:61: credentials.keytab-empty.keytab_file: names a file that is not a keytab (hint: ktutil and ktpass write one)',
    '10:46: credentials.cache-wrong.cache_file: names a file that is not a credential cache',
    '11:50: credentials.cache-directory.cache_file: names a file that is a directory',
    '12:48: credentials.not-a-principal.username: must be a Kerberos principal, which has no backslash (hint: like svc-kms@CORP.EXAMPLE, the realm in capitals)',
    '13:57: credentials.absolute.keytab_file: names a file that does not exist',
  ],
  'number-out-of-range': [
    '3:11: hosts[0].port: must be 1 to 65535, got 70000',
    '5:11: hosts[1].port: must be a whole number, got 1688.5',
    '7:11: hosts[2].port: must be a whole number, got "1688"',
    '10:52: domains[0].expect[0].weight: must be 0 to 65535, got -1',
    '10:66: domains[0].expect[0].priority: must be 0 to 65535, got 65536',
    '11:24: limits.concurrency: must be 1 to 4096, got 0',
    '11:37: limits.per_host: must be 1 to 64, got 1000',
    '11:61: limits.discovered_hosts: must be a whole number, got NaN',
  ],
  'password-env-not-set': [
    '2:58: credentials.reader.password_env: names an environment variable that is not set',
    '3:58: credentials.writer.password_env: names an environment variable that is empty',
    '4:56: credentials.third.password_env: must be the name of an environment variable',
  ],
  'password-file-missing': [
    "2:60: credentials.missing.password_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    '3:58: credentials.empty.password_file: names a file that is empty',
    '4:62: credentials.directory.password_file: names a file that is a directory',
    '5:58: credentials.blank.password_file: must not be empty',
  ],
  'password-in-the-file': [
    '5:5: credentials.reader.password: is not a known key (hint: a password is read from password_file or password_env, never from this file)',
    '7:9: credentials.typo: has neither password_file nor password_env; it needs one of them',
    '7:40: credentials.typo.passwrod_file: is not a known key (hint: did you mean "password_file"?)',
    '8:10: credentials.glued: has neither password_file nor password_env; it needs one of them',
    '8:42: credentials.glued["<secret>"]: is not a known key (hint: a password is read from password_file or password_env, never from this file)',
    '10:5: credentials.folded: has neither password_file nor password_env; it needs one of them',
    '11:15: credentials.folded.username: must not hold a colon',
    '13:9: credentials.text: must be a mapping',
  ],
  'password-source-not-one': [
    '2:70: credentials.both.password_env: is given besides password_file (hint: keep one of them)',
    '3:9: credentials.none: has neither password_file nor password_env; it needs one of them',
  ],
  'reference-bad': [
    '2:25: probes.clock.references[0]: must be a DNS name or an IP address, with or without a port, got "ntp.corp.example:0" (hint: like ntp.corp.example, "192.0.2.1:123" or "[2001:db8::1]:123")',
    '2:47: probes.clock.references[1]: must be a DNS name or an IP address, with or without a port, got "http://ntp.corp.example" (hint: like ntp.corp.example, "192.0.2.1:123" or "[2001:db8::1]:123")',
    '2:74: probes.clock.references[2]: must be a DNS name or an IP address, with or without a port, got "[2001:db8::1" (hint: like ntp.corp.example, "192.0.2.1:123" or "[2001:db8::1]:123")',
    '2:90: probes.clock.references[3]: must be a DNS name or an IP address, with or without a port, got "" (hint: like ntp.corp.example, "192.0.2.1:123" or "[2001:db8::1]:123")',
  ],
  'resolver-not-an-endpoint': [
    '1:13: resolvers[0]: must be an IP address, with or without a port, got "dns.corp.example" (hint: like 192.0.2.1, "192.0.2.1:53" or "[2001:db8::1]:53")',
    '1:31: resolvers[1]: must be an IP address, with or without a port, got "192.0.2.1:99999" (hint: like 192.0.2.1, "192.0.2.1:53" or "[2001:db8::1]:53")',
    '1:50: resolvers[2]: must be an IP address, with or without a port, got "[192.0.2.1]:53" (hint: like 192.0.2.1, "192.0.2.1:53" or "[2001:db8::1]:53")',
    '1:68: resolvers[3]: must be an IP address, with or without a port, got "192.0.2" (hint: like 192.0.2.1, "192.0.2.1:53" or "[2001:db8::1]:53")',
    '1:77: resolvers[4]: must be an IP address, with or without a port, got "" (hint: like 192.0.2.1, "192.0.2.1:53" or "[2001:db8::1]:53")',
  ],
  'schedule-out-of-range': [
    '2:21: probes.port.schedule: must be 1s to 1d, got "500ms"',
    '3:20: probes.srv.schedule: must be 1s to 1d, got "2d"',
    '3:33: probes.srv.timeout: must be 100ms to 5m, got "50ms"',
    '4:38: probes.service.timeout: must be 100ms to 5m, got "6m"',
    '5:22: probes.clock.schedule: must be a duration like 15s or a cron expression of 6 fields, got "soon"',
    '5:37: probes.clock.timeout: must be a duration like 5s, got "later"',
    '6:27: probes.activity.first_read: must be 1h to 60d, got "59m"',
    '9:39: hosts[0].probes.activity.first_read: must be 1h to 60d, got "61d"',
    '9:68: hosts[0].probes.licensing.timeout: must be 100ms to 5m, got "6m"',
    '11:39: hosts[1].probes.activity.first_read: must be a duration like 30d, got "all"',
  ],
  'schedule-without-unit': [
    '2:21: probes.port.schedule: 15 has no unit (hint: write 15s)',
    '2:34: probes.port.timeout: 5 has no unit (hint: write 5s)',
    '3:20: probes.srv.schedule: 60 has no unit (hint: write 60s)',
    '3:35: probes.srv.timeout: 0.5 has no unit (hint: write a duration like 5s)',
    '4:22: probes.clock.schedule: must be a duration like 15s, got true',
    '4:37: probes.clock.timeout: -5 has no unit (hint: write a duration like 5s)',
    '5:25: probes.activity.schedule: 60 has no unit (hint: write 60s)',
    '5:41: probes.activity.first_read: 30 has no unit (hint: write 30d)',
    '8:39: hosts[0].probes.activity.first_read: 1.5 has no unit (hint: write a duration like 5d)',
    '10:39: hosts[1].probes.activity.first_read: must be a duration like 30d, got true',
  ],
  'timeout-longer-than-schedule': [
    '2:20: probes.port.timeout: 20s is longer than the schedule, 15s (hint: a run must end before the next one starts)',
    '3:20: probes.srv.schedule: 3s is shorter than the timeout, 5s (hint: a run must end before the next one starts)',
    '5:24: probes.activity.timeout: 61s is longer than the schedule, 1m (hint: a run must end before the next one starts)',
    '8:36: hosts[0].probes.service.schedule: 3m is shorter than the timeout, 4m (hint: a run must end before the next one starts)',
    '8:60: hosts[0].probes.clock.timeout: 2m is longer than the schedule, 1m (hint: a run must end before the next one starts)',
    '12:87: hosts[2].probes.licensing.schedule: 19s is shorter than the timeout, 20s (hint: a run must end before the next one starts)',
    '15:31: domains[0].probes.srv.timeout: 4s is longer than the schedule, 3s (hint: a run must end before the next one starts)',
    '19:35: clients[0].probes.client.schedule: 10s is shorter than the timeout, 20s (hint: a run must end before the next one starts)',
  ],
  'top-level-list': ['1:1: must be a mapping, got a list'],
  'url-bad': [
    '3:44: hosts[0].windows.url: must be a URL that begins with https:// or http://',
    '5:44: hosts[1].windows.url: must be a URL that begins with https:// or http://',
    '7:44: hosts[2].windows.url: must not carry a user name or password (hint: name an entry of credentials instead)',
  ],
  'value-missing': [
    '2:4: hosts[0]: has no value (hint: give it one or remove the entry)',
    '3:5: hosts[1].name: has no value (hint: give it one or remove the key)',
    '4:5: hosts[1].port: has no value (hint: give it one or remove the key)',
    '5:1: domains: has no value (hint: give it one or remove the key)',
    '7:3: probes.port: has no value (hint: give it one or remove the key)',
  ],
  'value-not-among-choices': [
    '3:21: hosts[0].windows.via: must be one of windows_exporter, winrm, local, got "winrn" (hint: did you mean "winrm"?)',
    '4:34: hosts[0].probes.clock.sources[0]: must be one of smb2, ntp, http, ntlm, cim, got "smb" (hint: did you mean "smb2"?)',
    '4:39: hosts[0].probes.clock.sources[1]: must be one of smb2, ntp, http, ntlm, cim, got "wmi"',
    '5:26: hosts[0].serves[1]: must be one of windows_server_2025, windows_server_2022, windows_server_2019, windows_server_2016, windows_server_2012_r2, windows_server_2012, windows_server_2008_r2, windows_11, windows_10, windows_8_1, windows_8, windows_7, got "windows_12" (hint: did you mean "windows_11"?)',
    '7:39: domains[0].unexpected: must be one of error, ignore, got "ignored" (hint: did you mean "ignore"?)',
    '9:19: credentials.reader.auth: must be one of basic, ntlm, kerberos, certificate, got "negotiate"',
    '10:24: discovery.from_srv: must be true or false, got "yes"',
    '13:21: clients[0].windows.via: must be one of winrm, local, got "windows_exporter"',
  ],
  'value-of-the-wrong-kind': [
    '1:12: resolvers: must be a list, got "192.0.2.1"',
    '3:3: hosts: must be a list, got a mapping',
    '4:11: domains[0]: must be a mapping, got "corp.example"',
    '5:14: credentials: must be a mapping, got a list',
    '6:17: probes.port: must be a mapping, got "15s"',
    '6:27: probes.srv: must be a mapping, got a list',
    '7:9: limits: must be a mapping, got 5',
    '8:12: discovery: must be a mapping, got true',
  ],
  'winrm-logon-and-wire': [
    '3:33: hosts[0].windows.url: would send the password in clear text (hint: use https, or auth ntlm or kerberos; or say allow_unencrypted: true)',
    '5:33: hosts[1].windows.url: has no TLS, which auth certificate needs (hint: use https)',
    '8:83: hosts[2].windows.allow_unencrypted: means nothing to an https:// url (hint: remove the key)',
    '10:48: hosts[3].windows.allow_unencrypted: means nothing to an https:// url (hint: remove the key)',
    '13:81: hosts[4].windows.allow_unencrypted: means nothing to auth ntlm, which sends no password (hint: remove the key)',
    '16:85: hosts[5].windows.tls: means nothing to an http:// url (hint: use https)',
    '18:95: hosts[6].windows.credentials: names a logon of auth ntlm; windows_exporter knows only basic',
    '22:26: clients[0].windows.url: would send the password in clear text (hint: use https, or auth ntlm or kerberos; or say allow_unencrypted: true)',
    '24:41: clients[1].windows.credentials: there are no credentials named "bassic" (hint: did you mean "basic"?)',
    "29:55: credentials.certificate.certificate_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
    "29:78: credentials.certificate.key_file: names a file that does not exist (hint: a relative name begins at this file's directory)",
  ],
}

// Stands in for the scheduler, which alone knows what it can run.
function checkCron(expression: string): string | undefined {
  return /9[89]/.test(expression) ? 'hour 99 is not 0 to 23' : undefined
}

describe('a bad file', () => {
  beforeAll(() => {
    vi.stubEnv('WINKMS_TEST_EMPTY', '')
    vi.stubEnv('WINKMS_TEST_SET', 'CanaryValue')
  })
  afterAll(() => {
    vi.unstubAllEnvs()
  })

  it('is here for every row, and has a row', () => {
    const names = readdirSync(directory).filter((name) => name.endsWith('.yml'))
    expect(names.map((name) => name.replace('.yml', '')).sort()).toEqual(Object.keys(SAID).sort())
  })

  for (const [name, lines] of Object.entries(SAID)) {
    it(`${name.replaceAll('-', ' ')}: every line, in order, and nothing else`, () => {
      const file = join(directory, `${name}.yml`)
      const { config, problems } = readConfig(file, { checkCron })
      expect(config).toBeUndefined()
      expect(problems.map((problem) => formatProblem(problem).slice(`${file}:`.length))).toEqual(lines)
      expect(JSON.stringify(problems)).not.toContain('CanaryValue')
    })
  }

  it('has its positions inside the text', () => {
    for (const name of Object.keys(SAID)) {
      const file = join(directory, `${name}.yml`)
      const lines = readFileSync(file, 'utf8').split('\n')
      for (const { line, column } of readConfig(file, { checkCron }).problems) {
        expect(column).toBeGreaterThan(0)
        expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1)
      }
    }
  })
})
