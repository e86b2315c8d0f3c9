import { Retryable } from '../../../src/errors.ts'
import type { LineConnection } from '../../../src/sink/kafka/broker-line.ts'

export const never = new AbortController().signal

/** A promise that may reject before somebody looks. */
export function looked<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

/** A connection on which a test answers the questions, with an exclamation mark. */
export class ScriptedConnection implements LineConnection {
  closed = false
  readonly questions: string[] = []
  readonly #open = new Map<string, PromiseWithResolvers<string>>()
  readonly #waiting: { readonly count: number; readonly arrived: () => void }[] = []

  ask(text: string): Promise<string> {
    if (this.closed) return Promise.reject(new Retryable('SINK_UNAVAILABLE', 'gone'))
    const question = Promise.withResolvers<string>()
    this.#open.set(text, question)
    this.questions.push(text)
    for (const { count, arrived } of this.#waiting) if (this.questions.length >= count) arrived()
    return question.promise
  }

  /** Until so many questions have arrived. */
  async asked(count: number): Promise<void> {
    if (this.questions.length >= count) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ count, arrived: resolve })
    await promise
  }

  answer(text: string): void {
    this.#open.get(text)?.resolve(`${text}!`)
    this.#open.delete(text)
  }

  refuse(text: string, error: unknown): void {
    this.#open.get(text)?.reject(error)
    this.#open.delete(text)
  }

  close(): void {
    this.closed = true
    for (const { reject } of this.#open.values()) reject(new Retryable('SINK_UNAVAILABLE', 'gone'))
    this.#open.clear()
  }
}
