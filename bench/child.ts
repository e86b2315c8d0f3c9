import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'

/** What a child process sends: first that it is ready, then what it found. */
export type Message<T> = { readonly ready: true } | { readonly result: T }

/** A program of this folder in a process of its own, so that its work and its garbage disturb no measurement. */
export class Child<T> implements AsyncDisposable {
  readonly ready: Promise<void>
  readonly result: Promise<T>
  readonly #process: ChildProcess

  constructor(file: string, job: object) {
    this.#process = fork(join(import.meta.dirname, file), [JSON.stringify(job)])
    const ready = Promise.withResolvers<void>()
    const result = Promise.withResolvers<T>()
    this.#process.on('message', (message: Message<T>) => {
      if ('ready' in message) ready.resolve()
      else result.resolve(message.result)
    })
    this.#process.once('exit', code => {
      const failure = new Error(`bench/${file} ended with ${code}; what it said is above`)
      ready.reject(failure)
      result.reject(failure)
    })
    this.ready = ready.promise
    this.result = result.promise
    for (const promise of [this.ready, this.result]) promise.catch(() => {}) // Whoever awaits them sees the failure.
  }

  /** The result. Rejects where it takes longer than `limitMs`. */
  async within(limitMs: number): Promise<T> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error(`no result within ${limitMs / 1_000} s`)), limitMs)
    try {
      return await Promise.race([this.result, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  get pid(): number {
    return this.#process.pid ?? Number.NaN
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill()
  }
}

/** In the child: its job. */
export function jobOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T
}

/** In the child: sends a message, and resolves once it is out. */
export function send<T>(message: Message<T>): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, {}, error => (error ? reject(error) : resolve()))
  })
}
