// The report for a shell, word by word; and what hostile text becomes in it.
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES } from '../../src/diagnosis/causes.ts'
import { cannotTell, named, ruledOut } from '../../src/diagnosis/evidence.ts'
import type { Diagnosis } from '../../src/diagnosis/diagnose.ts'
import type { Failure, Result } from '../../src/model/result.ts'
import { probes } from '../../src/probes/index.ts'
import { nothingFound } from '../../src/views/nothing-found.ts'
import { escapeHtml, printable, utc } from '../../src/views/printable.ts'
import { diagnosisText, plainPaint, terminalPaint } from '../../src/views/text.ts'
import { srvReading } from '../diagnosis/scene.ts'
import {
  answered,
  AT,
  diagnosis,
  estate,
  evidence,
  EVERYTHING,
  failed,
  first,
  HARMFUL,
  HEALTHY,
  host,
  HOSTILE,
  portResult,
  STOPPED,
  UNKNOWN,
} from './scenes.ts'

const plain = (of: Diagnosis, results: readonly Result[] = []): string =>
  diagnosisText(of, results, plainPaint, AT)

describe('the report', () => {
  it('of a healthy host', () => {
    expect(plain(HEALTHY)).toBe(`kms01.corp.example port 1688: SERVING   2027-01-15 08:00:00 UTC

  Does DNS lead clients to the host?
     ok  srv_missing            the record at 192.0.2.53:53 names the host
     ok  srv_stale              192.0.2.10 the KMS RPC interface accepts a bind
     ok  srv_wrong_port         the record at 192.0.2.53:53 names the host
     ok  host_record_wrong      the record at 192.0.2.53:53 names the host
  Can they reach it?
     ok  host_unreachable       192.0.2.10 the KMS RPC interface accepts a bind
     ok  port_blocked           192.0.2.10 the KMS RPC interface accepts a bind
  Does the KMS service answer?
     ok  service_stopped        192.0.2.10 the KMS RPC interface accepts a bind
     ok  not_kms_listener       192.0.2.10 the KMS RPC interface accepts a bind
  Do the clocks agree?
     ok  clock_skew             ntp says +1.2 ms ± 0.4 ms from the exporter's clock
     ?   exporter_clock_wrong   cannot tell: no reference clock is configured
  May the host activate?
     ?   not asked: that takes read access
         kms_not_enabled, host_not_licensed, count_below_threshold, version_mismatch, event_log_unreadable
`)
  })

  it('of a stopped service: the answer and the remedy first', () => {
    expect(plain(STOPPED)).toBe(`kms01.corp.example port 1688: NOT SERVING   2027-01-15 08:00:00 UTC

  The Software Protection service is stopped (service_stopped)
    clients see  0xC004F074: no KMS host could be contacted
    do this      Start the Software Protection service (sppsvc) on the host, and read its event log for why it stopped.
    command      net start sppsvc
    because      Windows says that sppsvc is stopped [service kms01.corp.example]
                 192.0.2.10 refuses connections: the machine answers, nobody listens there [port kms01.corp.example]
    although     ntp says +1.2 ms ± 0.4 ms from the exporter's clock [clock kms01.corp.example]

  Does DNS lead clients to the host?
     ok  srv_missing            the record at 192.0.2.53:53 names the host
     ?   srv_stale              cannot tell: not asked yet
     ?   srv_wrong_port         cannot tell: not asked yet
     ?   host_record_wrong      cannot tell: not asked yet
  Can they reach it?
     ok  host_unreachable       192.0.2.10 refuses connections: the machine answers, nobody listens there
     ?   port_blocked           cannot tell: a port cannot be tested while its service is stopped
  Does the KMS service answer?
    FAIL service_stopped        The Software Protection service is stopped
     ?   not_kms_listener       cannot tell: no connection to the port succeeds
  Do the clocks agree?
     ?   clock_skew             cannot tell: not asked yet
     ?   exporter_clock_wrong   cannot tell: not asked yet
  May the host activate?
     ?   not asked: that takes read access
         kms_not_enabled, host_not_licensed, count_below_threshold, version_mismatch, event_log_unreadable
`)
  })

  it('of a host of which nothing can be told', () => {
    expect(plain(UNKNOWN)).toBe(`kms02.corp.example port 1688: CANNOT TELL   2027-01-15 08:00:00 UTC

  Does DNS lead clients to the host?
     ?   not asked yet
         srv_missing, srv_stale, srv_wrong_port, host_record_wrong
  Can they reach it?
     ?   host_unreachable       cannot tell: not asked yet
     ?   port_blocked           cannot tell: not asked yet
  Does the KMS service answer?
     ?   service_stopped        cannot tell: not asked yet
     ?   not_kms_listener       cannot tell: not asked yet
  Do the clocks agree?
     ?   clock_skew             cannot tell: not asked yet
     ?   exporter_clock_wrong   cannot tell: not asked yet
  May the host activate?
     ?   not asked yet
         kms_not_enabled, host_not_licensed, count_below_threshold, version_mismatch, event_log_unreadable
`)
  })

  it('of a host that does not serve, and nobody knows why', () => {
    const why = 'Cannot tell why. What is missing stands beside each cause.'
    expect(plain(diagnosis({ serving: false }))).toContain(`UTC\n\n  ${why}\n\n  Does DNS`)
    for (const of of [HEALTHY, STOPPED, UNKNOWN]) expect(plain(of)).not.toContain(why)
  })

  it('of a host that serves but will not for long', () => {
    const warned = {
      ...ruledOut('count_below_threshold', [evidence('50 clients')]),
      warning: 'in 23 days it is too low',
    }
    const text = plain(diagnosis({ serving: true }, warned))
    expect(text).toContain('\n    warn count_below_threshold  in 23 days it is too low\n')
    expect(text).not.toContain('FAIL')
  })

  describe('what could not be asked', () => {
    const asked = host({ windows: first(estate(EVERYTHING).hosts.slice(1)).windows })
    const failing = (probe: string, failure: Failure, key = asked.name): Result => ({
      ...failed(probe, { ...first(probes.port.targets(estate(EVERYTHING))), key }),
      failure,
    })
    const untrusted: Failure = {
      stage: 'connect',
      reason: 'tls_untrusted',
      detail: '192.0.2.10:5986: EXPIRED\u001b',
    }

    it('has its stage, reason, detail and what it takes, once for all that failed alike', () => {
      const text = plain(diagnosis({ host: asked }), [
        failing('licensing', untrusted),
        portResult(),
        failing('activity', { ...untrusted }),
        failing(
          'srv',
          { stage: 'ask', reason: 'timeout', detail: 'no answer' },
          'corp.example @ 192.0.2.53:53',
        ),
      ])
      expect(text.slice(text.indexOf('\n  Could not'))).toBe(`
  Could not be asked
    licensing, activity: tls_untrusted at connect
      said         192.0.2.10:5986: EXPIRED\ufffd
      it takes     windows.tls: ca_file for the authority that signed the host's certificate, server_name for the name in it, or fingerprint for that one certificate
    port: connect_timeout at connect
      said         nobody is there
    srv corp.example @ 192.0.2.53:53: timeout at ask
      said         no answer
`)
    })

    it('needs no WinRM where Windows is asked otherwise', () => {
      const text = plain(diagnosis({ host: host() }), [failing('service', untrusted)])
      expect(text).toContain('service: tls_untrusted at connect')
      expect(text).not.toContain('it takes')
    })

    it('is not there where all was', () => {
      expect(plain(HEALTHY, [answered('port', first(probes.port.targets(estate(EVERYTHING))), {})])).toBe(
        plain(HEALTHY),
      )
    })
  })

  it.each(CAUSE_NAMES)('has a place in the tree and a remedy for %s', (cause) => {
    const text = plain(
      diagnosis(
        { host: host({ name: 'kms09.corp.example', port: 1700 }) },
        named(cause, [evidence('it says so')]),
      ),
    )
    expect(text.split('\n').filter((line) => line.startsWith(`    FAIL ${cause} `))).toHaveLength(1)
    expect(text).toMatch(/^ {4}do this {6}\S.*\.$/m)
    expect(text).toMatch(/^ {4}command {6}\S/m)
    expect(text).toContain('because      it says so [port kms01.corp.example]')
    expect(text).not.toMatch(/[{}]|undefined/)
  })
})

/** What terminalPaint may add. */
const COLOURS = /\u001b\[(?:31|32|33|1|2|0)m/g

describe('the colours of a terminal', () => {
  it.each([
    ['a healthy host', HEALTHY],
    ['a stopped service', STOPPED],
    ['cannot tell', UNKNOWN],
    ['a hostile host', hostile()],
  ])('add nothing but themselves, and end where they began: %s', (_what, of) => {
    const coloured = diagnosisText(of, [], terminalPaint, AT)
    expect(coloured).toContain('\u001b[')
    expect(coloured.replaceAll(COLOURS, '')).toBe(plain(of))
    for (const line of coloured.split('\n')) {
      const codes = (line.match(COLOURS) ?? []).map((code) => code === '\u001b[0m')
      expect(codes).toEqual(codes.map((_, index) => index % 2 === 1))
    }
  })

  it.each([
    [HEALTHY, '\u001b[32mSERVING\u001b[0m'],
    [STOPPED, '\u001b[31mNOT SERVING\u001b[0m'],
    [UNKNOWN, '\u001b[33mCANNOT TELL\u001b[0m'],
  ])('tell good from bad from unknown', (of, word) => {
    expect(diagnosisText(of, [], terminalPaint, AT)).toContain(word)
  })
})

/** Every text of a diagnosis that a peer, or a file, could have had a hand in. */
function hostile(): Diagnosis {
  const said = evidence(HOSTILE, HOSTILE)
  return diagnosis(
    { host: host({ name: HOSTILE }), domains: [HOSTILE], serving: false },
    named('host_unreachable', [said], [said]),
    named('srv_missing', [said]),
    ruledOut('port_blocked', [said]),
    cannotTell('clock_skew', HOSTILE),
    cannotTell('srv_stale', HOSTILE),
    { ...ruledOut('count_below_threshold', [said]), warning: HOSTILE },
  )
}

describe('hostile text', () => {
  it('is shown, and does nothing', () => {
    const text = plain(hostile())
    expect(text).not.toMatch(HARMFUL)
    expect(text).toContain('\ufffd[2J\ufffd31m<script>alert("1")')
    expect(text.split('\n').length).toBe(plain(diagnosis({}, ...hostile().findings)).split('\n').length)
  })

  it('cannot begin a line of its own', () => {
    const text = plain(diagnosis({}, ruledOut('port_blocked', [evidence('fine\n    FAIL service_stopped')])))
    expect(text).not.toMatch(/^ {4}FAIL/m)
  })

  it('is told from harmless text, which stays as it is', () => {
    expect(printable('Grüße, 世界 😀 "<&>"')).toBe('Grüße, 世界 😀 "<&>"')
    expect(printable(HOSTILE)).not.toMatch(HARMFUL)
    expect(printable(HOSTILE).length).toBe(HOSTILE.length)
    expect(escapeHtml(`<a href="x" id='y'>&amp;`)).toBe(
      '&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;',
    )
  })

  it('has its time in UTC', () => {
    expect(utc(AT + 0.999)).toBe('2027-01-15 08:00:00 UTC')
    expect(utc(0)).toBe('1970-01-01 00:00:00 UTC')
  })
})

describe('what is said when no host is known', () => {
  const two = estate('resolvers: [192.0.2.53, "[2001:db8::53]:5353"]\ndomains: [{ name: corp.example }]')
  const targets = probes.srv.targets(two)

  it('without a domain', () => {
    expect(nothingFound(estate(''), [])).toBe(
      'No KMS host is known, and this machine has no search domain to ask. Name hosts or domains in a configuration file (winkms-exporter config example).',
    )
  })

  it('without a resolver', () => {
    const [domain] = two.domains
    const without = { ...two, domains: domain === undefined ? [] : [{ ...domain, resolvers: [] }] }
    expect(nothingFound(without, [])).toBe(
      'No KMS host is known, and this machine has no DNS resolver to ask. Name resolvers in a configuration file.',
    )
  })

  it('with what was asked where, what came back, and what to do', () => {
    const answers = targets.map((target, index) =>
      index === 0
        ? answered('srv', target, srvReading([], { rcode: 'NXDOMAIN' }))
        : failed('srv', target, 'no answer within 5 s'),
    )
    expect(nothingFound(two, answers)).toBe(`No KMS host is known. Asked for:
  _vlmcs._tcp.corp.example at 192.0.2.53:53: NXDOMAIN, 0 records; a client would show 0x8007232B (the DNS name does not exist)
  _vlmcs._tcp.corp.example at [2001:db8::53]:5353: connect_timeout (no answer within 5 s)
Publish the host in DNS (slmgr /sdns on the host, then restart sppsvc), or name hosts or domains in a configuration file (winkms-exporter config example). The question is asked again on schedule.`)
  })

  it('before anything was answered', () => {
    expect(nothingFound(two, []).match(/: not answered yet$/gm)).toHaveLength(2)
  })

  it('with hostile details made harmless', () => {
    const text = nothingFound(two, [failed('srv', first(targets), HOSTILE)])
    expect(text).not.toMatch(HARMFUL)
    expect(text.split('\n')).toHaveLength(4)
  })
})
