import { Admin } from '@platformatic/kafka'
import { systemClock } from '../src/clock.ts'

const quietMs = 1_000
const patienceMs = 60_000
/** Latest offset, in the words of ListOffsets. */
const latest = -1n

/** When records were first and last seen in some topics, and how many. Milliseconds since the Unix epoch. */
export interface Arrival {
  readonly firstMs: number
  readonly lastMs: number
  readonly count: number
  /** Whether as many arrived as were expected. */
  readonly complete: boolean
}

export interface Expected {
  readonly topics: readonly string[]
  readonly partitions: number
  readonly count: number
  readonly limitMs: number
  /** Asked while waiting: where it says false, no more will come. */
  readonly alive: () => boolean
}

/** The topics of a measurement. Arrival is read from end offsets, which costs nobody much; nothing is consumed. */
export class Topics implements AsyncDisposable {
  readonly #admin: Admin

  constructor(brokers: string) {
    this.#admin = new Admin({ clientId: 'bench', bootstrapBrokers: [brokers], retries: 3 })
  }

  /** Makes the topics anew and empty. */
  async recreate(topics: readonly string[], partitions: number, configs: Readonly<Record<string, string>> = {}) {
    await this.delete(topics)
    const entries = Object.entries({ 'max.message.bytes': '20000000', ...configs })
    await retried(() =>
      this.#admin.createTopics({
        topics: [...topics],
        partitions,
        replicas: 1,
        configs: entries.map(([name, value]) => ({ name, value })),
      }),
    )
    await retried(() => this.count(topics, partitions))
  }

  async delete(topics: readonly string[]): Promise<void> {
    await retried(async () => {
      const present = new Set(await this.#admin.listTopics())
      const old = topics.filter(topic => present.has(topic))
      if (old.length > 0) await this.#admin.deleteTopics({ topics: old })
    })
  }

  /** Records written to the topics since they were made: the sum of their end offsets. */
  async count(topics: readonly string[], partitions: number): Promise<number> {
    const asked = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: latest }))
    const listed = await this.#admin.listOffsets({ topics: topics.map(name => ({ name, partitions: asked })) })
    return listed.flatMap(topic => topic.partitions).reduce((sum, { offset }) => sum + Number(offset), 0)
  }

  /** Waits until all that is expected is there and nothing follows for a second, or nothing more will come. */
  async arrival(expected: Expected, signal: AbortSignal): Promise<Arrival> {
    const { topics, partitions, alive } = expected
    const deadlineMs = Date.now() + expected.limitMs
    let [firstMs, lastMs, count] = [0, 0, 0]
    for (;;) {
      const seen = await this.count(topics, partitions)
      const nowMs = Date.now()
      if (seen > count) lastMs = nowMs
      if (seen > 0 && firstMs === 0) firstMs = nowMs
      count = seen
      const complete = count >= expected.count
      if (nowMs > deadlineMs || !alive() || (complete && nowMs - lastMs > quietMs)) {
        return { firstMs, lastMs, count, complete }
      }
      await systemClock.sleep(pollMs(count / expected.count), signal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.close()
  }
}

/** The first record and the last are to be seen when they come, the others disturb as little as possible. */
function pollMs(progress: number): number {
  return progress > 0 && progress < 0.9 ? 200 : 25
}

/** A topic that has just been deleted, or created, is not so everywhere yet. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  const deadlineMs = Date.now() + patienceMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > deadlineMs) throw error
      await systemClock.sleep(300)
    }
  }
}
