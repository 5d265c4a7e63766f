// Which keys go together where one key chooses among ways: how Windows is asked, and how to log on. One table for the
// schema, which tells editors, and for `check-access.ts`, which tells people.

interface Keys {
  /** What may stand beside the choice. */
  readonly takes: readonly string[]
  readonly needs: readonly string[]
  /** Exactly one of them is needed too. */
  readonly oneOf?: readonly [string, string]
}

export type KeysByChoice = Readonly<Record<string, Keys>>

export const KEYS_OF_VIA: KeysByChoice = {
  windows_exporter: { takes: ['url', 'credentials', 'tls'], needs: ['url'] },
  winrm: { takes: ['url', 'credentials', 'allow_unencrypted', 'registry', 'tls'], needs: ['credentials'] },
  local: { takes: [], needs: [] },
}

const password: Keys = {
  takes: ['username', 'password_file', 'password_env'],
  needs: ['username'],
  oneOf: ['password_file', 'password_env'],
}

export const KEYS_OF_AUTH: KeysByChoice = {
  basic: password,
  ntlm: password,
  kerberos: { takes: ['username', 'keytab_file', 'cache_file'], needs: [] },
  certificate: { takes: ['certificate_file', 'key_file'], needs: ['certificate_file', 'key_file'] },
}

/** The table as a JSON Schema (draft 2020-12) of one case each. `keys`: all that the mapping knows beside `choice`. */
export function keysByChoice(choice: string, table: KeysByChoice, keys: readonly string[]) {
  const cases = Object.entries(table).map(([value, { takes, needs, oneOf }]) => {
    const strange = keys.filter((key) => !takes.includes(key)).map((key): [string, boolean] => [key, false])
    return {
      properties: { [choice]: { const: value }, ...Object.fromEntries(strange) },
      required: [choice, ...needs],
      ...(oneOf && { oneOf: oneOf.map((key) => ({ required: [key] })) }),
    }
  })
  return { oneOf: cases }
}
