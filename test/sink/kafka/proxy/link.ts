import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { readable, rewritten } from './answers.ts'

export interface Question {
  readonly apiKey: number
  readonly version: number
  readonly correlationId: number
  /** For an answer that says how long it has waited, by quota. */
  throttleMs?: number
}

/** What stands before the broker on one connection, such as a login that the broker itself does not know. */
export interface Doorkeeper {
  /** The answer to a request; `pass`: the broker's; `shut`: the request costs the connection. */
  meet(apiKey: number, version: number, body: Buffer): Buffer | 'pass' | 'shut'
}

/** What becomes of the requests and answers of every connection. */
export interface Cluster {
  admits(question: Question, sizeBytes: number): boolean
  /** `ended`: of the connection. Then it may reject: nobody waits for the answer. */
  examine(
    question: Question,
    frame: Buffer,
    ended: AbortSignal,
  ): Promise<{ readonly frame: Buffer } | { readonly body: Buffer }>
  answer(question: Question, body: Buffer): Promise<Buffer | undefined>
}

export interface LinkParts {
  readonly cluster: Cluster
  readonly client: Socket
  readonly broker: Socket
  readonly keeper: Doorkeeper | undefined
  readonly onEnd: () => void
}

/** One connection and the one behind it. */
export class Link {
  readonly #cluster: Cluster
  readonly #client: Socket
  readonly #broker: Socket
  readonly #keeper: Doorkeeper | undefined
  readonly #onEnd: () => void
  readonly #asked: Question[] = []
  readonly #ended = new AbortController()
  #asking: Promise<void> = Promise.resolve()
  #answering: Promise<void> = Promise.resolve()

  constructor({ cluster, client, broker, keeper, onEnd }: LinkParts) {
    this.#cluster = cluster
    this.#client = client
    this.#broker = broker
    this.#keeper = keeper
    this.#onEnd = onEnd
    for (const socket of [client, broker]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.once('close', () => this.end())
    }
    onFrames(client, frame => {
      // One after the other, as a broker reads its connections.
      this.#asking = this.#asking.then(() => this.#ask(frame))
    })
    onFrames(broker, frame => {
      // Answers come in the order of the requests and leave in it.
      this.#answering = this.#answering.then(() => this.#answer(frame))
    })
  }

  end(): void {
    this.#ended.abort()
    this.#client.destroy()
    this.#broker.destroy()
    this.#onEnd()
  }

  /** What still waits in line when the connection ends is never asked. */
  async #ask(frame: Buffer): Promise<void> {
    if (this.#ended.signal.aborted) return
    const question: Question = {
      apiKey: frame.readInt16BE(4),
      version: frame.readInt16BE(6),
      correlationId: frame.readInt32BE(8),
    }
    const isUnreadable =
      question.apiKey === rewritten.apiVersions && question.version > readable[rewritten.apiVersions]!
    if (!this.#cluster.admits(question, frame.length - 4)) this.end()
    else if (isUnreadable) this.#refuseVersion(question)
    else {
      const met = this.#keeper?.meet(question.apiKey, question.version, bodyOf(frame)) ?? 'pass'
      if (met === 'shut') return this.end()
      if (met !== 'pass') return this.#answerInTurn(question, met)
      const examined = await this.#cluster.examine(question, frame, this.#ended.signal).catch(this.#unlessEnded)
      if (examined === undefined) return
      if ('body' in examined) return this.#answerInTurn(question, examined.body)
      this.#asked.push(question)
      this.#broker.write(examined.frame)
    }
  }

  readonly #unlessEnded = (error: unknown): undefined => {
    if (!this.#ended.signal.aborted) throw error
  }

  /** UNSUPPORTED_VERSION in the form of version 0, as brokers do it (KIP-511). */
  #refuseVersion({ correlationId }: Question): void {
    const answer = Buffer.alloc(20)
    answer.writeInt32BE(answer.length - 4, 0)
    answer.writeInt32BE(correlationId, 4)
    answer.writeInt16BE(35, 8)
    answer.writeInt32BE(1, 10)
    answer.writeInt16BE(rewritten.apiVersions, 14)
    answer.writeInt16BE(readable[rewritten.apiVersions]!, 18)
    this.#client.write(answer)
  }

  /** The target's own answer, behind those of the questions before. */
  async #answerInTurn(question: Question, body: Buffer): Promise<void> {
    while (this.#asked.length > 0 && !this.#client.destroyed) await sleep(1)
    await this.#answering
    this.#send(question, body)
  }

  async #answer(frame: Buffer): Promise<void> {
    const question = this.#asked.shift()
    if (question === undefined) return this.end()
    const body = await this.#cluster.answer(question, frame.subarray(8))
    if (body === undefined) return this.end()
    this.#send(question, body)
  }

  #send(question: Question, body: Buffer): void {
    const head = Buffer.alloc(8)
    head.writeInt32BE(4 + body.length, 0)
    head.writeInt32BE(question.correlationId, 4)
    this.#client.write(Buffer.concat([head, body]))
  }
}

/** What follows the header of a request: its length, API key, version, correlation id and the client's name. */
function bodyOf(frame: Buffer): Buffer {
  return frame.subarray(14 + Math.max(0, frame.readInt16BE(12)))
}

/** Calls `take` with each whole frame, its length in front. */
function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const frame = rest.subarray(0, 4 + rest.readInt32BE(0))
      rest = rest.subarray(frame.length)
      take(frame)
    }
  })
}
