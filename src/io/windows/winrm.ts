// WinRM (WS-Management, MS-WSMV): one connection a host, kept open, one question on it at a time.
import { randomUUID } from 'node:crypto'
import { MalformedMessage, ProbeFailure } from '../../model/failure.ts'
import { selectText } from '../../protocol/wql.ts'
import { decodeRegistryAnswer, encodeRegistryGet, type Addressing } from '../../protocol/wsman.ts'
import { faultFailure, registryFailure } from '../../protocol/wsman-fault.ts'
import type { Clock } from '../clock.ts'
import { createDeadline, type Deadline } from '../deadline.ts'
import type { Resolver } from '../dns.ts'
import { createLogonGuard } from './logon-guard.ts'
import { createTurns, type Turns } from './turns.ts'
import type { RegistryValue, WindowsHost, WindowsReader, WindowsVisit } from './windows.ts'
import { enumerate, type Question } from './winrm-query.ts'
import { routeTo, type Route, type WinrmAccess } from './winrm-route.ts'
import { isOutdated, openSession, sayOn, type Round, type Session } from './winrm-session.ts'

export interface WinrmPool {
  /** Connects and logs on where no connection stands. Rejects with ProbeFailure. */
  open(host: WindowsHost, access: WinrmAccess, visit: WindowsVisit): Promise<WindowsReader>
  /** Closes every connection. */
  close(): void
}

/** Asked of Windows, whose own limit is 150 KB in old versions and 500 KB in newer ones. */
const MAX_ENVELOPE_BYTES = 153_600
/** HTTP.sys closes after 120 s; who closes first is never surprised. */
const IDLE_SECONDS = 100
/** Windows' own most (MaxTimeoutms). */
const MOST_OPERATION_SECONDS = 60
const MOST_RELEASE_SECONDS = 2

const RIGHT_OF_REGISTRY =
  'reading the registry takes the right to execute methods: not without windows.registry'

/** What leads to one host with one credential: the connection, when there is one, and who is next on it. */
interface Line {
  readonly turns: Turns
  session: Session | undefined
  idle: NodeJS.Timeout | undefined
  /** Visits that are not over. */
  visits: number
}

interface Visitor {
  readonly line: Line
  readonly route: Route
  readonly visit: WindowsVisit
  /** A visit may open one connection more than it began with. */
  spare: boolean
}

/** A connection that nobody used for `idleSeconds` is closed. */
export function createWinrmPool(dns: Resolver, clock: Clock, idleSeconds = IDLE_SECONDS): WinrmPool {
  const guard = createLogonGuard(clock)
  const lines = new Map<string, Line>()
  let closed = false

  const tidy = (key: string, line: Line): void => {
    if (line.visits === 0 && !line.turns.busy && line.session === undefined) lines.delete(key)
  }

  const drop = (line: Line): void => {
    line.session?.connection.close()
    line.session = undefined
  }

  const lineOf = ({ key, where }: Route, deadline: Deadline): Line => {
    const line = lines.get(key) ?? {
      turns: createTurns(where),
      session: undefined,
      idle: undefined,
      visits: 0,
    }
    lines.set(key, line)
    line.visits++
    deadline.own(() => {
      line.visits--
      tidy(key, line)
    })
    return line
  }

  /** Runs `act` when it is this visit's turn on the line. */
  const inTurn = async <T>(
    line: Line,
    { key }: Route,
    deadline: Deadline,
    act: () => Promise<T>,
  ): Promise<T> => {
    const handOn = await line.turns.take(deadline)
    clearTimeout(line.idle)
    try {
      return await act()
    } finally {
      handOn()
      tidy(key, line)
      if (!line.turns.busy && line.session !== undefined) {
        line.idle = setTimeout(() => {
          drop(line)
          tidy(key, line)
        }, idleSeconds * 1000).unref()
      }
    }
  }

  /** The connection that stands, or a new one. Only who has the turn may call it. */
  const sessionOf = async (line: Line, route: Route, visit: WindowsVisit): Promise<Session> => {
    if (line.session?.connection.closed === true) line.session = undefined
    if (line.session !== undefined && isOutdated(line.session, route)) drop(line)
    if (line.session !== undefined) return line.session
    const session = await openSession(route, visit, { dns, clock, guard })
    if (closed) {
      session.connection.close()
      throw new ProbeFailure('timeout', `${route.where}: the exporter is stopping`)
    }
    line.session = session
    return session
  }

  const addressingOf = ({ where }: Route, deadline: Deadline): Addressing => ({
    to: where,
    messageId: `uuid:${randomUUID().toUpperCase()}`,
    maxEnvelopeBytes: MAX_ENVELOPE_BYTES,
    // So that Windows says that it was not done, and that is not all silence.
    timeoutSeconds: Math.min(MOST_OPERATION_SECONDS, Math.max(0.5, deadline.remainingSeconds() - 0.5)),
  })

  const say = async <T>(
    visitor: Visitor,
    { encode, decode, again }: Question<T>,
    deadline: Deadline = visitor.visit.deadline,
  ): Promise<Round<T>> => {
    const { line, route, visit } = visitor
    return inTurn(line, route, deadline, async () => {
      for (;;) {
        // An enumeration goes on over a new connection: its context is WinRM's, not the connection's (unverified).
        const gone = line.session === undefined || line.session.connection.closed
        if (gone && !visitor.spare)
          throw new ProbeFailure('connect_reset', `${route.where}: closed the connection again`)
        if (gone) visitor.spare = false
        const session = await sessionOf(line, route, visit)
        visit.enter('ask')
        const { answered } = session.connection
        const addressing = addressingOf(route, deadline)
        try {
          const read = (text: string): T => decode(text, addressing.messageId)
          return await sayOn(session, route, encode(addressing), read, deadline, guard)
        } catch (error) {
          if (!(error instanceof ProbeFailure) || session.openedBy === visit || !visitor.spare) throw error
          // A connection of an earlier visit, closed by its other end before it heard us: nobody has answered yet.
          const unheard =
            error.reason === 'connect_reset' && again && session.connection.answered === answered
          // Or one that is not logged on any more, as when its ticket has run out: 401, and the question was not read.
          const lapsed =
            error.reason === 'auth_failed' && ['ntlm', 'kerberos'].includes(route.credential.auth)
          if (!unheard && !lapsed) throw error
        }
      }
    })
  }

  const letGo = async (visitor: Visitor, question: Question<void>): Promise<void> => {
    const { deadline } = visitor.visit
    if (visitor.line.session?.connection.closed !== false) return
    const soon = createDeadline(Math.min(MOST_RELEASE_SECONDS, deadline.remainingSeconds() / 2))
    try {
      await say(visitor, question, soon)
    } catch (error) {
      // The rows are read; what was not released, Windows lets go of by itself.
      if (!(error instanceof ProbeFailure || error instanceof MalformedMessage)) throw error
    } finally {
      soon.close()
    }
  }

  const readerOf = (visitor: Visitor, { registry }: WinrmAccess): WindowsReader => {
    const { where } = visitor.route
    return {
      via: 'winrm',
      async query(select, options = {}) {
        const ways = {
          say: <T>(question: Question<T>) => say(visitor, question),
          letGo: (question: Question<void>) => letGo(visitor, question),
        }
        return enumerate(selectText(select), options, where, ways)
      },
      async readRegistry(value: RegistryValue) {
        if (!registry) throw new ProbeFailure('not_configured', `${where}: ${RIGHT_OF_REGISTRY}`)
        const { value: answer, mask } = await say(visitor, {
          encode: (addressing) => encodeRegistryGet(addressing, value),
          decode: (text, messageId) => decodeRegistryAnswer(text, messageId, value.type),
          again: true,
        })
        if (answer.fault !== undefined) throw faultFailure(answer.fault, where, mask)
        // ERROR_FILE_NOT_FOUND, of a key as of a value.
        if (answer.returnValue === 2) return undefined
        if (answer.returnValue !== 0) throw registryFailure(answer.returnValue, where)
        return answer.value
      },
    }
  }

  return {
    async open(host, access, visit) {
      const route = routeTo(host, access)
      const line = lineOf(route, visit.deadline)
      await inTurn(line, route, visit.deadline, () => sessionOf(line, route, visit))
      return readerOf({ line, route, visit, spare: true }, access)
    },
    close() {
      closed = true
      for (const line of lines.values()) {
        clearTimeout(line.idle)
        drop(line)
      }
      lines.clear()
    },
  }
}
