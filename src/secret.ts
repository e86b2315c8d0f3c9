import { inspect } from 'node:util'

/** A value that must never be printed (G9): every way of turning it into text gives `[redacted]`. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself, for the one call that needs it. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[redacted]'
  }

  toJSON(): string {
    return '[redacted]'
  }

  [inspect.custom](): string {
    return '[redacted]'
  }
}

/** Every secret in `value`, however deep: a configuration's, so that no list of them can be forgotten. */
export function secretsIn(value: unknown): Secret[] {
  if (value instanceof Secret) return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(secretsIn)
}

/** Tokens are new ones every few minutes; those that were last used longest ago are forgotten first. */
const learnedLimit = 200

/**
 * All secrets that the process knows, in one place, for every redactor: those of the configuration, and what is read
 * while it runs, such as password files and tokens. A rotated one stays known: old errors may still quote it.
 */
export class Secrets {
  readonly #configured: readonly Secret[]
  /** The one that was learned or used last stands last. */
  readonly #learned = new Map<string, Secret>()
  #revision = 0

  constructor(configured: readonly Secret[] = []) {
    this.#configured = configured
  }

  /** Raised whenever `all` has changed. */
  get revision(): number {
    return this.#revision
  }

  get all(): readonly Secret[] {
    return [...this.#configured, ...this.#learned.values()]
  }

  /** `value` was read just now: to be called before anybody else gets it. */
  learn(value: string): void {
    const known = this.#learned.get(value)
    this.#learned.delete(value)
    this.#learned.set(value, known ?? new Secret(value))
    if (known !== undefined) return
    const [oldest] = this.#learned.keys()
    if (this.#learned.size > learnedLimit && oldest !== undefined) this.#learned.delete(oldest)
    this.#revision += 1
  }
}
