import type { Clock } from '../../src/clock.ts'
import { Retryable } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { KafkaGroup, type KafkaGroupOptions } from '../../src/sink/kafka/group/kafka-group.ts'
import type { Request } from '../../src/sink/kafka/protocol/request.ts'
import type { WireConnection } from '../../src/sink/kafka/wire-connection.ts'
import { createWorkers } from '../../src/workers/create-workers.ts'
import { VirtualTime } from '../sink/kafka/producer/virtual-time.ts'
import { ModelCoordinator } from '../workers/model-coordinator.ts'
import { answer, brokerAddress } from './group-broker.ts'

export type Open = NonNullable<KafkaGroupOptions['open']>

const sessionTimeoutMs = 6_000
/** What is promised: a slot whose worker died is another's after the session and so much more. */
export const takeOverLimitMs = sessionTimeoutMs + 3_000
const slots = 4

/** One connection: requests are carried out one after the other, and it may die without a word to either side. */
class ModelConnection {
  closed = false
  isSilent = false
  readonly #owner: Worker
  readonly #limitMs: number
  readonly #waiting = new Set<(error: unknown) => void>()
  #before: Promise<unknown> = Promise.resolve()

  constructor(owner: Worker, limitMs: number) {
    this.#owner = owner
    this.#limitMs = limitMs
  }

  async request<T>(request: Request<T>): Promise<T> {
    if (this.closed) throw gone()
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    this.#waiting.add(reject)
    const callOff = this.#owner.time.after(this.#limitMs, () => this.close())
    const body = Buffer.concat(request.encode())
    this.#before = this.#before.then(() => this.#put(request.apiKey, body)).then(resolve)
    try {
      return request.parse(await promise)
    } finally {
      callOff()
      this.#waiting.delete(reject)
    }
  }

  close(): void {
    this.closed = true
    for (const reject of this.#waiting) reject(gone())
  }

  #put(apiKey: number, body: Buffer): Promise<Buffer> {
    const { coordinator } = this.#owner
    return new Promise(resolve =>
      this.#travel(() => answer(coordinator, apiKey, body, bytes => this.#travel(() => resolve(bytes)))),
    )
  }

  #travel(arrive: () => void): void {
    this.#owner.soon(() => {
      if (!this.isSilent && !this.closed) arrive()
    })
  }
}

function gone(): Retryable {
  return new Retryable('SINK_UNAVAILABLE', 'the connection is gone')
}

/** A worker as the product makes it, the TCP of its connections apart. */
class Worker implements Clock {
  readonly time: VirtualTime
  readonly coordinator: ModelCoordinator
  readonly owned = new Set<number>()
  readonly stop = new AbortController()
  readonly #connections: ModelConnection[] = []
  isDead = false
  isEnded = false

  constructor(name: string, time: VirtualTime, coordinator: ModelCoordinator, change: (open: Open) => Open) {
    this.time = time
    this.coordinator = coordinator
    const settings = { brokers: [`${brokerAddress.host}:${brokerAddress.port}`], clientId: name }
    const open = change((settings, _address, signal) => this.#open(settings.requestTimeoutMs, signal))
    const options = { coordination: 'kafka', slots, name, deployment: 'd', cluster: 'c', sessionTimeoutMs } as const
    const openGroup = (terms: KafkaGroupOptions['terms']) => new KafkaGroup({ settings, terms, clock: this, open })
    const workers = createWorkers({ ...options, openGroup }, { clock: this, log: silentLogger, meter: silentMeter })
    const holder = {
      take: (taken: readonly number[]) => {
        for (const slot of taken) this.owned.add(slot)
      },
      release: async (released: readonly number[]) => {
        for (const slot of released) this.owned.delete(slot)
      },
    }
    void workers.run(holder, this.stop.signal).then(() => {
      this.isEnded = true
    })
  }

  /** Nothing of it happens any more. */
  kill(): void {
    this.isDead = true
    this.owned.clear()
  }

  /** A network forgets its connections: nobody is told. */
  silence(): void {
    for (const connection of this.#connections) connection.isSilent = true
  }

  soon(happen: () => void): void {
    this.time.after(this.time.between(0, 5), () => {
      if (!this.isDead) happen()
    })
  }

  nowMs(): number {
    return this.time.nowMs()
  }

  random(): number {
    return this.time.random()
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.time.sleep(ms, signal)
    if (this.isDead) await new Promise(() => undefined)
  }

  async #open(limitMs: number, signal: AbortSignal): Promise<WireConnection> {
    await new Promise<void>(resolve => this.soon(resolve))
    signal.throwIfAborted()
    const connection = new ModelConnection(this, limitMs)
    this.#connections.push(connection)
    return connection as unknown as WireConnection
  }
}

/**
 * Two workers that have shared the slots for a while; all connections of one die without a word, the other is killed.
 * Resolves to how long it takes until the first has all slots, milliseconds. `change`: how workers connect.
 */
export async function takeOver(seed: number, change: (open: Open) => Open = open => open): Promise<number> {
  const time = new VirtualTime(seed)
  const coordinator = new ModelCoordinator(time, { sessionMs: sessionTimeoutMs, rebalanceMs: 2 * sessionTimeoutMs })
  const one = new Worker('one', time, coordinator, change)
  const other = new Worker('other', time, coordinator, change)
  const shared = (): boolean => one.owned.size === slots / 2 && other.owned.size === slots / 2
  await time.run(shared, 60_000)
  if (!shared()) throw new Error(`seed ${seed}: the workers do not share the slots`)
  const quietMs = time.between(0, 20_000)
  const silentMs = time.between(0, quietMs + 3_000) // Late enough, or too late to be noticed before.
  time.after(silentMs, () => one.silence())
  let killedMs = Number.NaN
  time.after(quietMs, () => {
    other.kill()
    killedMs = time.nowMs()
  })
  const isOver = (): boolean => one.owned.size === slots
  await time.run(isOver, 120_000)
  if (!isOver()) throw new Error(`seed ${seed}: nobody takes over`)
  const tookMs = time.nowMs() - killedMs
  one.stop.abort()
  await time.run(() => one.isEnded, 60_000)
  return tookMs
}

/** Goes on over the connection for joins that it has, as long as nobody says that it is dead. */
export function keepingJoins(open: Open): Open {
  let kept: WireConnection | undefined
  return async (settings, address, signal) => {
    if (settings.requestTimeoutMs < sessionTimeoutMs) return open(settings, address, signal)
    if (kept === undefined || kept.closed) kept = await open(settings, address, signal)
    const connection = kept
    const same: Pick<WireConnection, 'closed' | 'request' | 'close'> = {
      get closed() {
        return connection.closed
      },
      request: asked => connection.request(asked),
      close: () => undefined,
    }
    return same as WireConnection
  }
}
