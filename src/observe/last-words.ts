import { createRedact, oneLine, type Redact } from '../redact.ts'
import type { Secrets } from '../secret.ts'

/**
 * What a process says that dies of an error which nobody caught. Such an error may come from anywhere, and its message
 * may quote what was being handled, so only messages are shown that V8 itself makes of our source; of all others the
 * class, the code and the frames (G9).
 */
export class LastWords {
  #redact: Redact = createRedact()

  /** From now on these are removed by value, and those that they learn. */
  know(secrets: Secrets): void {
    this.#redact = createRedact(secrets)
  }

  /** `error` in lines that may be shown. */
  of(error: unknown): string {
    if (!(error instanceof Error))
      return `mongo2kafka: INTERNAL: something that is no error was thrown (${typeof error})\n`
    const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
    const name = [oneLine(this.#redact(error.name)), ...(code ? [oneLine(this.#redact(code))] : [])].join(' ')
    const message = isOfV8(error, code) ? oneLine(this.#redact(error.message)) : withheld
    const frames = this.#redact((error.stack ?? '').split('\n').filter(isFrame).slice(0, maxFrames).join('\n'))
    return `mongo2kafka: INTERNAL: ${name}: ${message}\n${frames}\n`
  }
}

const withheld = 'its message is withheld, for it may quote data; please report this with the lines below'
const maxFrames = 20

function isFrame(line: string): boolean {
  return /^ {4}at [^\n]*(:\d+:\d+\)?|<anonymous>\)?|\(native\)|\(index \d+\))$/.test(line)
}

/** Node's errors of these classes have a code, and quote the argument that they refuse. */
function isOfV8(error: Error, code: string | undefined): boolean {
  return code === undefined && [TypeError, ReferenceError, RangeError].some(type => error.constructor === type)
}
