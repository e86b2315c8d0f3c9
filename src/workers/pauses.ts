/** What was last ordered for one pipeline. Of two orders the one with the higher number counts, of equal ones the pause. */
export interface PauseOrder {
  readonly paused: boolean
  /** One more than that of every order for the pipeline which the worker knew that was asked. */
  readonly number: number
}

/** By pipeline; those that were never paused are not in it. */
export type PauseOrders = Readonly<Record<string, PauseOrder>>

/** More pipelines than anybody has. What comes from another worker is bounded by it too (G7). */
const pipelinesAtMost = 10_000

/**
 * Which pipelines people have paused in this deployment, as far as this worker has heard. Workers of a group tell each
 * other in every round, so an order reaches all of them, and whoever joins later, as long as one that knows it lives.
 * An order that is undone stays known, or a worker that has not heard of it would bring the old one back.
 */
export class Pauses {
  #orders: PauseOrders = {}
  readonly #onChange: (pipeline: string, paused: boolean) => void
  /** Told of orders that were given here; replaced by whoever shares them. */
  onOrder: () => void = () => {}

  /** `onChange`: of an order that another worker was given. What is ordered here its caller knows. */
  constructor(onChange: (pipeline: string, paused: boolean) => void) {
    this.#onChange = onChange
  }

  get orders(): PauseOrders {
    return this.#orders
  }

  isPaused(pipeline: string): boolean {
    return Object.hasOwn(this.#orders, pipeline) && this.#orders[pipeline]?.paused === true
  }

  /** Somebody has asked this worker. Also to resume what is not paused is an order: it starts what has failed. */
  order(pipeline: string, paused: boolean): void {
    const known = Object.hasOwn(this.#orders, pipeline) ? this.#orders[pipeline]!.number : 0
    this.#orders = { ...this.#orders, [pipeline]: { paused, number: known + 1 } }
    this.onOrder()
  }

  /** Takes over what others know better. */
  hear(others: PauseOrders): void {
    const before = this.#orders
    this.#orders = merged([before, others])
    for (const [pipeline, order] of Object.entries(this.#orders)) {
      const known = Object.hasOwn(before, pipeline) ? before[pipeline] : undefined
      if (order !== known) this.#onChange(pipeline, order.paused)
    }
  }
}

/** The newest order for each pipeline. The same whatever the order of `all`, and however often they are merged. */
export function merged(all: readonly PauseOrders[]): PauseOrders {
  const newest = new Map<string, PauseOrder>()
  for (const orders of all) {
    for (const [pipeline, order] of Object.entries(orders)) {
      const known = newest.get(pipeline)
      if (known === undefined && newest.size >= pipelinesAtMost) continue
      if (known === undefined || isNewer(order, known)) newest.set(pipeline, order)
    }
  }
  return Object.fromEntries(newest)
}

function isNewer(one: PauseOrder, other: PauseOrder): boolean {
  return one.number > other.number || (one.number === other.number && one.paused && !other.paused)
}
