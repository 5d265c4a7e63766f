// The file to start from, printed by `config example`. It loads as it stands; what needs files of yours is commented.

export const exampleConfig = `# yaml-language-server: $schema=./winkms.schema.json
# winkms-exporter. Every key may be left out; an empty file watches what this machine's search domains publish.
# Print the schema for your editor with: winkms-exporter config schema > winkms.schema.json

# DNS servers; leave out to use this machine's own.
# resolvers: [192.0.2.1, "192.0.2.2:53", "[2001:db8::1]:53"]

hosts:
  - name: kms01.corp.example
    addresses: [192.0.2.10] # what its A and AAAA records should say
    labels: { site: berlin } # added to every series about this host
    windows: # what only Windows itself can tell, from windows_exporter
      via: windows_exporter
      url: http://kms01.corp.example:9182/metrics
  - name: kms02.corp.example
    port: 1688
    serves: [windows_server_2025, windows_11] # the newest clients that have to activate here
    # windows: # WinRM tells the most: licence, count, event log, clock; it needs a logon, below
    #   via: winrm
    #   credentials: reader
    #   # url: https://kms02.corp.example:5986/wsman # this one, where none is given
    #   # tls: { ca_file: corp-ca.pem } # or fingerprint: the SHA-256 of the one certificate to accept
    probes:
      port: { schedule: 30s }
  # A host that this exporter runs on is asked by PowerShell, without a logon:
  # - name: kms03.corp.example
  #   windows: { via: local }

# Canaries: real KMS clients whose activation is watched. Nothing is ever changed there.
# clients:
#   - name: pc-042.corp.example
#     windows: { via: winrm, credentials: reader }

domains:
  - name: corp.example # asked for _vlmcs._tcp.corp.example
    expect:
      - kms01.corp.example
      - { target: kms02.corp.example, port: 1688, priority: 0, weight: 0 }
    unexpected: error # or ignore; a record that nobody expects may be stale or rogue

# A password is never written here: its file is named, or an environment variable by password_env.
# credentials:
#   reader: # ntlm and kerberos encrypt what they send, over http too; basic and certificate need https
#     auth: ntlm
#     username: CORP\\svc-kms-reader
#     password_file: reader.password
#   keytab: { auth: kerberos, username: svc-kms-reader@CORP.EXAMPLE, keytab_file: reader.keytab }
#   scraper: { auth: basic, username: prometheus, password_env: SCRAPER_PASSWORD }
#   machine: { auth: certificate, certificate_file: machine.pem, key_file: machine.key }

# The defaults. A schedule is a duration or a cron expression of 6 fields, seconds first: "*/15 * * * * *".
probes:
  port: { schedule: 15s, timeout: 5s }
  srv: { schedule: 1m, timeout: 5s }
  service: { schedule: 30s, timeout: 10s }
  clock:
    schedule: 1m
    timeout: 5s
    sources: [smb2, ntp, http, ntlm, cim]
    ports: { smb2: 445, ntp: 123, http: 5985, ntlm: 5985 }
    references: [] # NTP servers that are right, like ntp.corp.example; without any, this machine's clock is
  # These three need windows by winrm or local.
  licensing: { schedule: 5m, timeout: 20s }
  activity: { schedule: 1m, timeout: 20s, first_read: 30d } # of the event log, the first time
  client: { schedule: 10m, timeout: 20s }

limits: { concurrency: 1024, per_host: 4, discovered_hosts: 100 }

discovery: { from_srv: true } # also watch the hosts that the domains' SRV records name
`
