/**
 * What the source alone can do: drains a backlog through it, drops every event, and prints events per second, CPU
 * seconds per million events of this process and of mongod, and the peak RSS. Each drain is a process of its own.
 *
 *     node bench/source.ts [--events 500000] [--bytes 500] [--rounds 3] [--modes none,lookup,server-lookup]
 *         [--batch-bytes 2000000] [--share 1]
 *
 * `lookup` is `fullDocument: updateLookup` as we do it, batched; `server-lookup` the same done by MongoDB. Starts a
 * mongod of its own. `wide` and `narrow` read two collections of the database, one of them with `--share` of the writes,
 * on a stream of everything and on one without what nobody wants. `slots` is `none` read as 16 slots. With M2K_TEST_MONGODB_URI it uses that mongod, and drops the database `bench_source` there.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { type Collection, Long, MongoClient, ObjectId } from 'mongodb'
import { systemClock } from '../src/clock.ts'
import { silentLogger } from '../src/log.ts'
import { silentMeter } from '../src/meter.ts'
import { Position } from '../src/position.ts'
import { startReplicaSet } from '../src/services/replica-set.ts'
import { openMongo } from '../src/source/mongo.ts'
import { defaultReach } from '../src/source/reach.ts'
import type { Selection, Source } from '../src/source/source.ts'

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '500000' },
    bytes: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '3' },
    share: { type: 'string', default: '1' },
    'batch-bytes': { type: 'string' },
    modes: { type: 'string', default: 'none,lookup,server-lookup' },
    drain: { type: 'string' },
  },
})
const DATABASE = 'bench_source'
const JIFFIES_PER_SECOND = 100

const someOfMany = [`${DATABASE}.docs`, `${DATABASE}.quiet`]
const wide = { ...defaultReach, share: 0 }
const narrow = { ...defaultReach, windowMs: 100, share: 1 }

const selections = {
  none: {},
  wide: { collections: someOfMany },
  narrow: { collections: someOfMany },
  lookup: { fullDocument: 'updateLookup' },
  slots: { slot: { index: 0, count: 16 } },
  // With a filter MongoDB itself must look the documents up: the filter may be about them.
  'server-lookup': { fullDocument: 'updateLookup', filter: {} },
} as const satisfies Record<string, Partial<Selection>>
type Mode = keyof typeof selections

interface Drain {
  readonly uri: string
  readonly mode: Mode
  /** All that were written, and how many of them are in the collection read. */
  readonly events: number
  readonly wanted: number
  readonly from: string
  readonly batchBytes: number | undefined
}

interface Result {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly mongodSeconds: number
  readonly peakRssMb: number
  readonly batches: number
}

/** 60 % insert, 30 % $set, 10 % delete, a thousand at a time. Gives the cluster time of the first. */
async function writeBacklog(uri: string, events: number, bytes: number, share: number) {
  await using client = new MongoClient(uri)
  const db = client.db(DATABASE)
  await db.dropDatabase()
  const [docs, foreign] = [await db.createCollection('docs'), await db.createCollection('foreign')]
  const { operationTime } = await db.command({ ping: 1 })
  const sets = [new WorkingSet(docs), new WorkingSet(foreign)] as const
  let wanted = 0
  for (let done = 0; done < events; ) {
    const size = Math.min(1_000, events - done)
    const mine = wanted < share * (done + size)
    await (mine ? sets[0] : sets[1]).write(size, done, bytes)
    if (mine) wanted += size
    done += size
  }
  return { from: String(operationTime.toBigInt() + 1n), wanted }
}

/** A collection whose updates and deletes meet documents that are there. */
class WorkingSet {
  readonly #collection: Collection
  readonly #live: ObjectId[] = []
  #oldest = 0

  constructor(collection: Collection) {
    this.#collection = collection
  }

  async write(size: number, seq: number, bytes: number): Promise<void> {
    const live = this.#live
    const inserts = Math.round(size * 0.6)
    const deletes = Math.round(size * 0.1)
    const documents = Array.from({ length: inserts }, (_, i) => order(seq + i, bytes))
    await this.#collection.insertMany(documents, { ordered: false })
    live.push(...documents.map(document => document._id))
    const updates = Array.from({ length: size - inserts - deletes }, (_, i) => ({
      updateOne: {
        filter: { _id: live[this.#oldest + Math.floor(Math.random() * (live.length - this.#oldest))]! },
        update: { $set: { status: 'shipped', amount: Math.random() * 1000, 'address.city': `city ${seq + i}` } },
      },
    }))
    await this.#collection.bulkWrite(updates, { ordered: false })
    const removed = live.slice(this.#oldest, this.#oldest + deletes)
    this.#oldest += deletes
    await this.#collection.bulkWrite(
      removed.map(_id => ({ deleteOne: { filter: { _id } } })),
      { ordered: false },
    )
  }
}

function order(seq: number, bytes: number) {
  return {
    _id: new ObjectId(),
    seq,
    t: Long.fromNumber(Date.now()),
    user: randomUUID(),
    email: `someone.${seq}@example.com`,
    status: 'new',
    amount: Math.random() * 1000,
    qty: seq % 100,
    active: seq % 2 === 0,
    createdAt: new Date(),
    tags: ['alpha', 'bravo', 'charlie'],
    address: { street: `${seq % 999} street`, city: 'golf', zip: String(10_000 + (seq % 89_999)), country: 'NL' },
    note: 'x'.repeat(Math.max(0, bytes - 365)),
  }
}

/** CPU time of the mongod behind `client` since it started, seconds; NaN where it does not run on this Linux. */
async function mongodSeconds(client: MongoClient): Promise<number> {
  const { pid } = await client.db('admin').command({ serverStatus: 1 })
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number)
  return ((user ?? Number.NaN) + (system ?? Number.NaN)) / JIFFIES_PER_SECOND
}

/** From /proc: getrusage counts the parent's memory in, which was this process's before exec; NaN elsewhere. */
async function peakRssMb(): Promise<number> {
  const status = await readFile('/proc/self/status', 'latin1').catch(() => '')
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024
}

async function drain({ uri, mode, wanted, from, batchBytes }: Drain): Promise<Result> {
  await using client = new MongoClient(uri)
  const stop = new AbortController()
  const reach = mode === 'narrow' ? narrow : wide
  const parts = { clock: systemClock, log: silentLogger, meter: silentMeter }
  await using mongo = await openMongo({ uri, ...parts, reach, ...(batchBytes && { batchBytes }) }, stop.signal)
  const selection: Selection = {
    pipeline: 'bench',
    slot: { index: 0, count: 1 },
    collections: [`${DATABASE}.docs`],
    filter: undefined,
    fullDocument: 'default',
    fullDocumentBeforeChange: 'default',
    ...selections[mode],
  }
  const { count } = selection.slot
  const sources = Array.from({ length: count }, (_, index) => mongo.source({ ...selection, slot: { index, count } }))
  const mongodBefore = await mongodSeconds(client)
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  let [seen, batches] = [0, 0]
  const read = async (source: Source): Promise<void> => {
    for await (const batch of source.read(Position.ofTime(BigInt(from)), stop.signal)) {
      seen += batch.events.length
      if (batch.events.length > 0) batches++
      if (seen >= wanted) stop.abort()
    }
  }
  await Promise.all(sources.map(read))
  const seconds = (performance.now() - start) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  const mongod = (await mongodSeconds(client)) - mongodBefore
  stop.abort()
  return { seconds, cpuSeconds: (user + system) / 1e6, mongodSeconds: mongod, peakRssMb: await peakRssMb(), batches }
}

async function drainApart(job: Drain): Promise<Result> {
  const args = [...process.execArgv, import.meta.filename, '--drain', JSON.stringify(job)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  if (code !== 0) throw new Error(`the drain ended with code ${code}`)
  return JSON.parse(output)
}

function report(mode: string, events: number, { seconds, ...rest }: Result): void {
  const perMillion = (used: number) => (used / (events / 1e6)).toFixed(2)
  const figures = [
    `${Math.round(events / seconds)} events/s`,
    `source ${perMillion(rest.cpuSeconds)} CPU s/M`,
    `mongod ${perMillion(rest.mongodSeconds)} CPU s/M`,
    `${Math.round(rest.peakRssMb)} MB peak RSS`,
    `${rest.batches} batches`,
  ]
  console.log(`${mode.padEnd(14)} ${figures.join('   ')}`)
}

async function main(): Promise<void> {
  const [events, rounds] = [Number(options.events), Number(options.rounds)]
  const batchBytes = options['batch-bytes'] === undefined ? undefined : Number(options['batch-bytes'])
  const given = process.env.M2K_TEST_MONGODB_URI
  await using stack = new AsyncDisposableStack()
  const servers = { env: process.env, members: 1, oplogSizeMb: 4_096, signal: AbortSignal.timeout(600_000) } as const
  const uri = given ?? stack.use(await startReplicaSet(servers)).uri
  const { from, wanted } = await writeBacklog(uri, events, Number(options.bytes), Number(options.share))
  console.log(`${events} events, documents of ${options.bytes} bytes, Node ${process.version}`)
  for (let round = 0; round < rounds; round++) {
    for (const mode of options.modes.split(',')) {
      if (!isMode(mode)) throw new Error(`no such mode: ${mode}`)
      report(mode, events, await drainApart({ uri, mode, events, wanted, from, batchBytes }))
    }
  }
}

function isMode(mode: string): mode is Mode {
  return Object.hasOwn(selections, mode)
}

if (options.drain === undefined) await main()
else console.log(JSON.stringify(await drain(JSON.parse(options.drain))))
