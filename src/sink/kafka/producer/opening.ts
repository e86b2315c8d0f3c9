import type { Clock } from '../../../clock.ts'
import { type Fault, Retryable } from '../../../errors.ts'
import { Silence } from '../silence.ts'
import type { BrokerConnection } from '../wire.ts'

/**
 * A connection while it is made. A frozen broker's kernel takes TCP connections, but TLS and logins wait for the broker:
 * its silence is heard as on a connection that is there, or it would cost the whole time for connecting.
 */
export class Opening {
  readonly #silence: Silence
  readonly #ending = new AbortController()

  /** `onSilent` as of a `Silence`. */
  constructor(clock: Clock, onSilent: () => void) {
    this.#silence = new Silence(clock, onSilent)
  }

  get isSilent(): boolean {
    return this.#silence.isSilent
  }

  /** What `connect` gives; rejects with what it throws, for which an aborted signal's reason does. */
  async run(connect: (signal: AbortSignal) => Promise<BrokerConnection>, signal: AbortSignal) {
    this.#silence.asked()
    try {
      return await connect(AbortSignal.any([signal, this.#ending.signal]))
    } finally {
      this.#silence.stop()
    }
  }

  giveUp(why: Fault): void {
    this.#ending.abort(why)
  }
}

/** It is not waited for: others lead what is to go there. */
export function notThere(nodeId: number): Fault {
  const message = `Kafka: broker ${nodeId} is silent while a connection to it is made, and another one leads by now`
  return new Retryable('SINK_UNAVAILABLE', message)
}

/** It is not waited for: on another connection, which was not quiet before, the broker then has its full time. */
export function mayBeDead(nodeId: number): Fault {
  const message = `Kafka: broker ${nodeId} is silent on a connection that was quiet before; it may have died without a word`
  return new Retryable('SINK_UNAVAILABLE', message)
}
