import { MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { Tail } from '../faults/tail.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { judgeHistory, type Seen, type Verdict } from './history.ts'
import { TopicGate } from './topic-gate.ts'
import { seenOf } from './topics.ts'

/**
 * Every document is large, from the first on, so that the reader asks for few at a time: what waits for one pipeline is
 * two batches of at most 3 MB, one in its hands, and 256 KiB on the way. Of `backlog` it can hold less than a half.
 */
const pad = 'x'.repeat(10_000)
const backlog = 2_000
const few = 20
const partitions = 2

/** A stream that is read is asked every second. One that the daemon has left may stay, where closing it came to nothing. */
const forgottenMs = 30_000

interface Cursor {
  readonly id: unknown
  readonly restedMs: number
}

interface Row {
  readonly _id: number
  readonly v: string
  readonly pad: string
}

/** Two collections, each with a pipeline of one daemon, and a target that can be told to take nothing of one of them. */
class Scene implements AsyncDisposable {
  readonly name = `tp${crypto.randomUUID().slice(0, 8)}`
  readonly held = `${this.name}.held`
  readonly free = `${this.name}.free`
  readonly gate: TopicGate
  /** What stands in the topics, read past the gate. */
  readonly seen = new Map<string, Seen[]>([
    [this.held, []],
    [this.free, []],
  ])
  readonly #tail = new Tail({
    brokers: inject('kafkaBrokers'),
    topics: [this.held, this.free],
    see: (topic, partition, { value }) => {
      if (value !== null) this.seen.get(topic)!.push(seenOf(value, partition))
    },
  })
  readonly #client = new MongoClient(inject('mongodbUri'))
  readonly #journal = new Map<string, string[]>()
  #next = 0

  private constructor(gate: TopicGate) {
    this.gate = gate
  }

  static async open(): Promise<Scene> {
    const scene = new Scene(await TopicGate.open({ brokers: inject('kafkaBrokers') }))
    const db = scene.#client.db(scene.name)
    for (const collection of ['held', 'free']) await db.createCollection(collection)
    return scene
  }

  config(delivery: string): string {
    return `
name: ${this.name}
delivery: ${delivery}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(this.gate.brokers)} }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
limits: { inFlightBytes: 256KiB }
defaults: { partitions: ${partitions} }
pipelines:
  - { name: held, source: { collections: [${this.held}] } }
  - { name: free, source: { collections: [${this.free}] } }
`
  }

  /** Inserts so many new documents. */
  async write(namespace: string, count: number): Promise<void> {
    const [, collection = ''] = namespace.split('.')
    for (let left = count; left > 0; left -= 100) {
      const rows = Array.from({ length: Math.min(left, 100) }, (): Row => ({ _id: this.#next++, v: 'v0', pad }))
      await this.#client.db(this.name).collection<Row>(collection).insertMany(rows)
      for (const { _id, v } of rows) this.#journal.set(`${namespace}/${_id}`, [v])
    }
  }

  /** What is not as it should be in the topic of one of the collections, and how much stands there twice. */
  judge(namespace: string, mayReplay: boolean): Verdict {
    const written = new Map([...this.#journal].filter(([document]) => document.startsWith(`${namespace}/`)))
    return judgeHistory(written, this.seen.get(namespace)!, mayReplay)
  }

  /** Waits until all of it has arrived. */
  async complete(namespace: string, daemon: Daemon): Promise<void> {
    const isComplete = () => {
      const { violations } = this.judge(namespace, true)
      return violations.some(each => each.startsWith('G1')) ? undefined : true
    }
    await eventually(isComplete, () => `all of ${namespace}: ${daemon.output.slice(-4_000)}`)
  }

  /** Waits until as many of the daemon's change streams are open, and read, as `isEnough` wants: MongoDB counts them. */
  async streams(isEnough: (open: number, read: number) => boolean, daemon: Daemon): Promise<void> {
    const all = { idleCursors: true, allUsers: true }
    const ours = { ns: new RegExp(`^${this.name}\\.`), 'cursor.tailable': true }
    const figures = { id: '$cursor.cursorId', restedMs: { $subtract: ['$$NOW', '$cursor.lastAccessDate'] } }
    const stages = [{ $currentOp: all }, { $match: ours }, { $project: figures }]
    let seen = ''
    const found = async () => {
      const cursors = await this.#client.db('admin').aggregate<Cursor>(stages).toArray()
      const open = new Set(cursors.map(({ id }) => String(id)))
      const read = new Set(cursors.filter(({ restedMs }) => restedMs < forgottenMs).map(({ id }) => String(id)))
      seen = `${open.size} are open, ${read.size} read`
      return isEnough(open.size, read.size) ? true : undefined
    }
    await eventually(found, () => `change streams: ${seen}: ${daemon.output.slice(-4_000)}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tail[Symbol.asyncDispose]()
    await this.gate[Symbol.asyncDispose]()
    await this.#client.close()
  }
}

test.each(['at-least-once', 'exactly-once'])(
  '%s: a pipeline whose topic takes nothing does not hold the other; it reads on by itself, and they meet again',
  { timeout: 600_000 },
  async delivery => {
    await using scene = await Scene.open()
    const { gate, held, free } = scene
    await using daemon = await Daemon.start(scene.config(delivery))
    for (const pipeline of ['held', 'free']) await daemon.reaches(pipeline, 'running', 'idle')
    for (const namespace of [held, free]) await scene.write(namespace, few)
    for (const namespace of [held, free]) await scene.complete(namespace, daemon)
    await scene.streams((_, read) => read === 1, daemon)

    gate.shut(held)
    await scene.write(held, backlog)
    await scene.write(free, few)
    await scene.complete(free, daemon) // While the other waits, with more than could be kept for it.
    await scene.streams(open => open > 1, daemon)
    await scene.write(free, few)
    await scene.complete(free, daemon)
    expect(new Set(scene.seen.get(held)?.map(({ document }) => document)).size).toBe(few)
    expect(gate.refusals).toBeGreaterThan(0)

    gate.open(held)
    await scene.complete(held, daemon)
    await scene.streams((_, read) => read === 1, daemon)
    for (const namespace of [held, free]) await scene.write(namespace, few)
    for (const namespace of [held, free]) await scene.complete(namespace, daemon)
    for (const pipeline of ['held', 'free']) await daemon.reaches(pipeline, 'idle') // Not in the middle of a replay.
    expect(await daemon.stop('SIGTERM'), daemon.output.slice(-4_000)).toBe(0)
    const mayReplay = delivery === 'at-least-once' // What is given up in the middle is sent again.
    for (const namespace of [held, free]) expect(scene.judge(namespace, mayReplay).violations).toEqual([])
  },
)
