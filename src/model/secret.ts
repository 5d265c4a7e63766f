// A password that cannot be printed by accident: every way of turning it into text gives `<secret>`.
import { inspect } from 'node:util'

export class Secret {
  readonly #reveal: () => string

  /** `reveal` is called at each use, so that a changed file is read again. */
  constructor(reveal: () => string) {
    this.#reveal = reveal
  }

  reveal(): string {
    return this.#reveal()
  }

  toString(): string {
    return '<secret>'
  }

  toJSON(): string {
    return '<secret>'
  }

  [inspect.custom](): string {
    return '<secret>'
  }
}
