import { UnderWay } from '../../under-way.ts'

/**
 * For sinks that refuse some records themselves, before the sink behind them sees them: what was sent before is settled
 * first, so that the loop meets the refusal in its place, and nothing is sent behind it (G2).
 */
export class SendsInOrder {
  readonly #open = new UnderWay<Promise<void>>()
  #refusal: Promise<never> | undefined

  /** Calls `sending` at once, unless something was refused before; what that throws is a refusal. */
  send(sending: () => Promise<void>): Promise<void> {
    if (this.#refusal !== undefined) return this.#refusal
    try {
      const sent = sending()
      this.#open.begin(sent)
      const settled = () => this.#open.end(sent)
      sent.then(settled, settled)
      return sent
    } catch (error) {
      this.#refusal = this.#refuse(error)
      return this.#refusal
    }
  }

  async #refuse(error: unknown): Promise<never> {
    await Promise.allSettled(this.#open)
    throw error
  }
}
