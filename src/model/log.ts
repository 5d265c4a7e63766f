// The little of a logger that the house needs; pino is handed in from above.

type Write = (fields: Readonly<Record<string, unknown>>, message: string) => void

export interface Log {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
