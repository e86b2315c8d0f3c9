import { createContext, Script } from 'node:vm'
import { Configuration } from '../errors.ts'

/** Names have at most 63 + 1 + 255 bytes; any sane expression reads one in microseconds. */
const limitMs = 1_000

/**
 * A regular expression of the configuration whose every test ends. Names of collections are chosen by strangers, and an
 * expression such as `(a+)+$` takes longer than the sun has left to refuse the right one of 40 letters; nothing else
 * of the process would run meanwhile. Only V8's interrupt ends it, which `node:vm` gives. It costs a quarter of a
 * millisecond, so answers should be remembered.
 */
export class BoundedRegex {
  readonly #pattern: string
  readonly #context: { regex: RegExp; text: string }

  /** Throws SyntaxError where `source` is no regular expression. `pattern` is its name in errors. */
  constructor(pattern: string, source: string, flags: string) {
    this.#pattern = pattern
    this.#context = { regex: new RegExp(source, flags), text: '' }
    createContext(this.#context)
  }

  /** Throws Configuration SOURCE_PATTERN_SLOW where there is no answer in time. */
  test(text: string): boolean {
    this.#context.text = text
    // Time goes on while a process is frozen: only who is late twice is slow.
    for (const attempt of [1, 2]) {
      try {
        return script.runInContext(this.#context, { timeout: limitMs }) as boolean
      } catch (error) {
        if (!isTimeout(error)) throw error
        if (attempt === 2) throw this.#tooSlow()
      }
    }
    throw this.#tooSlow()
  }

  #tooSlow(): Configuration {
    const message = `source.collections: ${this.#pattern} needs more than ${limitMs} ms for the name of a collection`
    return new Configuration('SOURCE_PATTERN_SLOW', message)
  }
}

const script = new Script('regex.test(text)', { filename: 'source.collections' })

/** The error may be of another realm's class. */
function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}
