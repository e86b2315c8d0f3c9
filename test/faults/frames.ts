/** A request of Kafka's protocol, or of MongoDB's, that goes by. */
export interface PassingRequest {
  /** The operation's code, where it is MongoDB's. */
  readonly apiKey: number
  /** What its answer repeats. */
  readonly correlationId: number
  /** Its first bytes, in which topics, commands and collections are named. */
  readonly head: Buffer
}

/** What a watcher may look at: what the last chunk began, and which answers it brought. */
export interface Frames {
  /** Requests that began in the chunk that is being passed. */
  readonly begun: readonly PassingRequest[]
  /** Correlation ids of answers that began in it. */
  readonly answers: readonly number[]
}

interface Protocol {
  /** Bytes from which everything below can be read. */
  readonly headBytes: number
  /** Of the whole frame, its length included; undefined: these bytes are of another protocol. */
  readonly lengthOf: (head: Buffer) => number | undefined
  readonly requestOf: (head: Buffer) => PassingRequest
  /** To which request the answer belongs. */
  readonly answeredBy: (head: Buffer) => number
}

/** Source: https://kafka.apache.org/protocol#protocol_messages */
const kafka: Protocol = {
  headBytes: 12,
  lengthOf(head) {
    const length = head.readInt32BE(0)
    return length < 4 ? undefined : Math.max(4 + length, kafka.headBytes)
  },
  requestOf: head => ({ apiKey: head.readInt16BE(4), correlationId: head.readInt32BE(8), head }),
  answeredBy: head => head.readInt32BE(4),
}

/** Source: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/#standard-message-header */
const mongodb: Protocol = {
  headBytes: 16,
  lengthOf(head) {
    const length = head.readInt32LE(0)
    return length < mongodb.headBytes ? undefined : length
  },
  requestOf: head => ({ apiKey: head.readInt32LE(12), correlationId: head.readInt32LE(4), head }),
  answeredBy: head => head.readInt32LE(8),
}

export type ProtocolName = 'kafka' | 'mongodb'

const protocols: Readonly<Record<ProtocolName, Protocol>> = { kafka, mongodb }

/** Finds the beginnings of requests and answers in the two directions of a connection. It need not understand more. */
export class RequestFrames implements Frames {
  begun: PassingRequest[] = []
  answers: number[] = []
  readonly #protocol: Protocol
  readonly #up: Beginnings
  readonly #down: Beginnings
  readonly #unanswered = new Set<number>()

  constructor(protocol: ProtocolName = 'kafka') {
    this.#protocol = protocols[protocol]
    this.#up = new Beginnings(this.#protocol)
    this.#down = new Beginnings(this.#protocol)
  }

  /** Requests that are here as a whole and have no answer yet. */
  get unanswered(): number {
    return this.#unanswered.size - (this.#up.isWithin ? 1 : 0)
  }

  up(chunk: Buffer): void {
    this.answers = []
    this.begun = this.#up.next(chunk).map(this.#protocol.requestOf)
    for (const { correlationId } of this.begun) this.#unanswered.add(correlationId)
  }

  down(chunk: Buffer): void {
    this.begun = []
    this.answers = this.#down.next(chunk).map(this.#protocol.answeredBy)
    for (const id of this.answers) this.#unanswered.delete(id)
  }

  /** What the last chunk began is not passed on, so nobody answers it. */
  withhold(): void {
    for (const { correlationId } of this.begun) this.#unanswered.delete(correlationId)
  }
}

/** Follows length-prefixed frames through chunks of any size. */
class Beginnings {
  readonly #protocol: Protocol
  #rest = Buffer.alloc(0)
  /** Bytes of the present frame that are still to come. */
  #skip = 0
  #broken = false

  constructor(protocol: Protocol) {
    this.#protocol = protocol
  }

  /** Whether a frame has begun and is not here as a whole. */
  get isWithin(): boolean {
    return this.#skip > 0
  }

  /** What there is of every frame whose head is in this chunk, or completed by it. */
  next(chunk: Buffer): Buffer[] {
    const { headBytes, lengthOf } = this.#protocol
    const found: Buffer[] = []
    if (this.#broken) return found
    const skipped = Math.min(this.#skip, chunk.length)
    this.#skip -= skipped
    let bytes = Buffer.concat([this.#rest, chunk.subarray(skipped)])
    while (bytes.length >= headBytes) {
      const end = lengthOf(bytes)
      if (end === undefined) {
        this.#broken = true
        return found
      }
      found.push(bytes.subarray(0, end))
      this.#skip = Math.max(0, end - bytes.length)
      bytes = bytes.subarray(Math.min(end, bytes.length))
    }
    this.#rest = bytes
    return found
  }
}
