/** A request of Kafka's protocol that goes by. Source: https://kafka.apache.org/protocol#protocol_messages */
export interface PassingRequest {
  readonly apiKey: number
  readonly correlationId: number
  /** Its first bytes, in which topics are named. */
  readonly head: Buffer
}

/** What a watcher may look at: what the last chunk began, and which answers it brought. */
export interface Frames {
  /** Requests that began in the chunk that is being passed. */
  readonly begun: readonly PassingRequest[]
  /** Correlation ids of answers that began in it. */
  readonly answers: readonly number[]
}

const headBytes = 12

/** Finds the beginnings of requests and answers in the two directions of a connection. It need not understand more. */
export class RequestFrames implements Frames {
  begun: PassingRequest[] = []
  answers: number[] = []
  readonly #up = new Beginnings()
  readonly #down = new Beginnings()

  up(chunk: Buffer): void {
    this.answers = []
    this.begun = this.#up.next(chunk).map(frame => ({
      apiKey: frame.readInt16BE(4),
      correlationId: frame.readInt32BE(8),
      head: frame,
    }))
  }

  down(chunk: Buffer): void {
    this.begun = []
    this.answers = this.#down.next(chunk).map(frame => frame.readInt32BE(4))
  }
}

/** Follows length-prefixed frames through chunks of any size. */
class Beginnings {
  #rest = Buffer.alloc(0)
  /** Bytes of the present frame that are still to come. */
  #skip = 0
  #broken = false

  /** What there is of every frame whose head is in this chunk, or completed by it. */
  next(chunk: Buffer): Buffer[] {
    const found: Buffer[] = []
    if (this.#broken) return found
    const skipped = Math.min(this.#skip, chunk.length)
    this.#skip -= skipped
    let bytes = Buffer.concat([this.#rest, chunk.subarray(skipped)])
    while (bytes.length >= headBytes) {
      const length = bytes.readInt32BE(0)
      if (length < 4) {
        this.#broken = true // Not Kafka.
        return found
      }
      const end = Math.max(4 + length, headBytes)
      found.push(bytes.subarray(0, end))
      this.#skip = Math.max(0, end - bytes.length)
      bytes = bytes.subarray(Math.min(end, bytes.length))
    }
    this.#rest = bytes
    return found
  }
}
