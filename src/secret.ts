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

/** Those that were used longest ago are forgotten first: tokens are new every few minutes, passwords now and then. */
const limits = { tokens: 200, kept: 1_000 } as const

/**
 * All secrets that the process knows, in one place, for every redactor: those of the configuration, and what is read
 * while it runs, such as password files and tokens. A rotated one stays known: old errors may still quote it.
 */
export class Secrets {
  readonly #configured: readonly Secret[]
  /** In each the one that was used last stands last. */
  readonly #kept = new Map<string, Secret>()
  readonly #tokens = new Map<string, Secret>()
  #revision = 0

  constructor(configured: readonly Secret[] = []) {
    this.#configured = configured
  }

  /** Raised whenever `all` has changed. */
  get revision(): number {
    return this.#revision
  }

  get all(): readonly Secret[] {
    return [...this.#configured, ...this.#kept.values(), ...this.#tokens.values()]
  }

  /** The token `value` was read just now: to be called before anybody else gets it. */
  learn(value: string): void {
    this.#add(this.#tokens, limits.tokens, value)
  }

  /** As `learn`, for what is configured and good until somebody changes it: no number of tokens makes it forgotten. */
  keep(value: string): void {
    this.#add(this.#kept, limits.kept, value)
  }

  #add(to: Map<string, Secret>, limit: number, value: string): void {
    const known = to.get(value)
    to.delete(value)
    to.set(value, known ?? new Secret(value))
    if (known !== undefined) return
    const [oldest] = to.keys()
    if (to.size > limit && oldest !== undefined) to.delete(oldest)
    this.#revision += 1
  }
}
