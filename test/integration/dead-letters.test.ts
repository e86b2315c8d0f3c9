import { MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { Tail } from '../faults/tail.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { judgeHistory, type Seen } from './history.ts'
import { seenOf } from './topics.ts'

interface Document {
  _id: number
  v: string
  pad?: string
}

interface Letter {
  readonly reason: string
  readonly code: string
  readonly collection: string
  readonly documentKey: { readonly _id: { readonly $numberInt: string } }
}

const limitMs = 180_000
/** What the topic takes, and what is more than that. */
const maxMessageBytes = 20_000
const pad = 'x'.repeat(2 * maxMessageBytes)
const isLarge = (id: number): boolean => id % 10 === 3

/** A collection with a topic that does not take all of its documents, and everything that arrives. */
class Scene implements AsyncDisposable {
  readonly name = `dl${crypto.randomUUID().slice(0, 8)}`
  readonly namespace = `${this.name}.c`
  readonly seen: Seen[] = []
  readonly letters: Letter[] = []
  /** What is to arrive in the topic itself, by document. */
  readonly journal = new Map<string, string[]>()
  /** Documents of which a change is too large. */
  readonly large: number[] = []
  readonly #client = new MongoClient(inject('mongodbUri'))
  readonly tail = new Tail({
    brokers: inject('kafkaBrokers'),
    topics: [this.namespace, `${this.namespace}.dlq`],
    see: (topic, partition, { value }) => {
      if (value === null) return
      if (topic === this.namespace) this.seen.push(seenOf(value, partition))
      else this.letters.push(JSON.parse(value.toString()) as Letter)
    },
  })

  async start(delivery: string, onError = '', source = ''): Promise<Daemon> {
    const daemon = await Daemon.start(`
name: ${this.name}
delivery: ${delivery}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))} }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
pipelines:
  - name: all
    source: { collections: [${this.name}.*]${source} }
    partitions: 2
    topicConfig: { max.message.bytes: ${maxMessageBytes} }
    ${onError}
`)
    const opened = () => (daemon.output.includes('reading changes') ? true : undefined)
    await eventually(opened, () => `a start: ${daemon.output}`, limitMs)
    return daemon
  }

  /** Inserts the documents with these ids, some of them too large, and then changes each of them. */
  async write(from: number, to: number): Promise<void> {
    const collection = this.#client.db(this.name).collection<Document>('c')
    for (let id = from; id < to; id++) {
      const changes: string[] = []
      this.journal.set(`${this.namespace}/${id}`, changes)
      await collection.insertOne({ _id: id, v: 'v0', ...(isLarge(id) && { pad }) })
      if (isLarge(id)) this.large.push(id)
      else changes.push('v0')
      await collection.updateOne({ _id: id }, { $set: { v: 'v1' }, $unset: { pad: '' } })
      changes.push('v1')
    }
  }

  /** Waits until every change has arrived, in one topic or the other. */
  async complete(daemon: Daemon): Promise<void> {
    const arrived = () => {
      const { violations } = judgeHistory(this.journal, this.seen, true)
      const told = new Set(this.letters.map(idOf))
      const isComplete = this.large.every(id => told.has(id)) && !violations.some(each => each.startsWith('G1'))
      return isComplete ? true : undefined
    }
    const what = () => `${this.seen.length} and ${this.letters.length} records: ${daemon.output.slice(-5_000)}`
    await eventually(arrived, what, limitMs)
  }

  /** Makes a collection that keeps images, with a document of which two are more than a change event can have. */
  async prepareLarge(): Promise<void> {
    const options = { changeStreamPreAndPostImages: { enabled: true } }
    const collection = await this.#client.db(this.name).createCollection<Document>('c', options)
    await collection.insertOne({ _id: 3, v: 'v0', pad: 'x'.repeat((8 << 20) + 100_000) })
  }

  /** Changes that document between others. */
  async changeLarge(): Promise<void> {
    const collection = this.#client.db(this.name).collection<Document>('c')
    await collection.insertOne({ _id: 1, v: 'v0' })
    await collection.updateOne({ _id: 3 }, { $set: { v: 'v1' } })
    await collection.insertOne({ _id: 2, v: 'v0' })
    for (const id of [1, 2]) this.journal.set(`${this.namespace}/${id}`, ['v0'])
    this.large.push(3)
  }

  /**
   * Waits until the daemon has saved a position behind all of it. What arrived may be an earlier daemon's, and this one
   * still at its replays.
   */
  async settled(daemon: Daemon): Promise<void> {
    const { operationTime } = await this.#client.db('admin').command({ ping: 1 })
    const writtenMs = operationTime.getHighBits() * 1_000
    const rests = async () => {
      const [status] = await daemon.statuses()
      return status?.state === 'idle' && (status.positionMs ?? 0) > writtenMs ? true : undefined
    }
    await eventually(rests, () => `a position after ${writtenMs}: ${daemon.output.slice(-5_000)}`, limitMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tail[Symbol.asyncDispose]()
    await this.#client.close()
  }
}

function idOf({ documentKey }: Letter): number {
  return Number(documentKey._id.$numberInt)
}

test.each(['at-least-once', 'exactly-once'])(
  '%s: what the topic does not take goes to the dead letters, everything else on its way, through SIGKILL (G1, G2, G3, G4)',
  { timeout: 600_000 },
  async delivery => {
    await using scene = new Scene()
    for (let round = 0; round < 3; round++) {
      await using daemon = await scene.start(delivery)
      const before = scene.letters.length
      const writing = scene.write(50 * round, 50 * (round + 1))
      await eventually(
        () => (scene.letters.length > before + round ? true : undefined),
        () => `dead letters: ${daemon.output.slice(-5_000)}`,
        limitMs,
      )
      await daemon.stop('SIGKILL')
      await writing
    }
    await using daemon = await scene.start(delivery)
    await scene.complete(daemon)
    await scene.settled(daemon)
    expect(await daemon.stop('SIGTERM'), daemon.output.slice(-5_000)).toBe(0)
    await scene.tail.caughtUp(limitMs)
    const mayReplay = delivery === 'at-least-once'
    const verdict = judgeHistory(scene.journal, scene.seen, mayReplay)
    expect(verdict.violations).toEqual([])
    if (!mayReplay) expect(verdict.duplicates).toBe(0)
    const told = scene.letters.map(idOf)
    expect([...new Set(told)].sort((a, b) => a - b)).toEqual(scene.large)
    if (!mayReplay) expect(told).toHaveLength(scene.large.length)
    for (const letter of scene.letters) {
      expect(letter).toMatchObject({ reason: 'oversize', code: 'SINK_RECORD_TOO_LARGE', collection: 'c' })
    }
  },
)

test('onError: fail stops at such a change; told to send it to the dead letters, it goes on from there', {
  timeout: 600_000,
}, async () => {
  await using scene = new Scene()
  {
    await using daemon = await scene.start('at-least-once', 'onError: fail')
    await scene.write(0, 5)
    expect(await daemon.exit(), daemon.output.slice(-5_000)).toBe(1)
    expect(daemon.stderr).toContain('pipeline all: SINK_RECORD_TOO_LARGE')
    expect(scene.letters).toEqual([])
  }
  await using daemon = await scene.start('at-least-once')
  await scene.complete(daemon)
  await scene.settled(daemon)
  expect(await daemon.text('/metrics')).toMatch(/dead_letters_total\{pipeline="all",reason="oversize"\} [1-9]/)
  expect(await daemon.stop('SIGTERM'), daemon.output.slice(-5_000)).toBe(0)
  expect(scene.letters.map(idOf)).toContain(3)
})

test('a change that MongoDB cannot send goes to the dead letters, or stops the pipeline; its position is known', {
  timeout: 600_000,
}, async () => {
  await using scene = new Scene()
  await scene.prepareLarge()
  const images = ', fullDocument: whenAvailable, fullDocumentBeforeChange: whenAvailable'
  {
    await using daemon = await scene.start('at-least-once', 'onError: fail', images)
    await scene.changeLarge()
    expect(await daemon.exit(), daemon.output.slice(-5_000)).toBe(1)
    expect(daemon.stderr).toContain('pipeline all: SOURCE_EVENT_TOO_LARGE')
    expect(daemon.stderr).toContain(`update of ${scene.name}.c at `)
  }
  await using daemon = await scene.start('at-least-once', '', images)
  await scene.complete(daemon)
  await scene.settled(daemon)
  expect(await daemon.stop('SIGTERM'), daemon.output.slice(-5_000)).toBe(0)
  const told = {
    reason: 'oversize',
    code: 'SOURCE_EVENT_TOO_LARGE',
    db: scene.name,
    collection: 'c',
    operation: 'update',
  }
  expect(scene.letters).toMatchObject([{ ...told, documentKey: { _id: { $numberInt: '3' } } }])
  expect(judgeHistory(scene.journal, scene.seen, true).violations).toEqual([])
})
