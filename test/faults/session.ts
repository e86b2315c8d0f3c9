import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCheckpoint } from '../../src/checkpoint/format.ts'
import type { BrokerNode } from '../../src/services/services.ts'
import { seeded } from '../simulation/schedule.ts'
import { Arrivals } from './arrivals.ts'
import { Daemon } from './daemon.ts'
import { configOf, openTarget, portIn, storeDatabaseOf, type Target } from './deployment.ts'
import type { FetchedRecord } from './fetch-connection.ts'
import { changesOf, type SavedPosition } from './journal.ts'
import { type Evidence, judge, judgeCheckpoints, type Verdict } from './judge.ts'
import { Link } from './link.ts'
import type { Mode } from './modes.ts'
import { differences, lineOf, readByJava } from './second-reader.ts'
import type { Servers } from './servers.ts'
import { SmallDisk } from './small-disk.ts'
import { CheckpointRecords, checkpointDocuments, checkpointFiles, type StoredCheckpoint } from './stored-checkpoints.ts'
import { Tail } from './tail.ts'
import { until } from './until.ts'
import { Writer } from './writer.ts'

export interface SessionOptions {
  readonly servers: Servers
  readonly mode: Mode
  readonly seed: number
  /** The daemon's main file; default: this checkout's. */
  readonly main?: string | undefined
  /** Where the daemons' logs are kept; default: nowhere. */
  readonly logs?: string | undefined
  /** A recovery is ended after three times its limit, but not before this; default 0, milliseconds. */
  readonly leastHardStopMs?: number
  /** Whether Kafka's own consumer reads everything once more at the end, which takes a JDK; default: no. */
  readonly readTwice?: boolean
}

const collections = ['orders', 'items']
const startLimitMs = 180_000
const settleLimitMs = 240_000
/** Three times this without a record: what is missing by then does not come. */
const silenceLimitMs = 15_000
/** For the writer's driver to find out that a server is gone, which may be frozen. */
const writerLimitMs = 240_000

/** One deployment of the product with a writer, a reader and everything that may be hurt. */
export class Session implements AsyncDisposable {
  readonly name = `ft${crypto.randomUUID().slice(0, 8)}`
  readonly servers: Servers
  readonly mode: Mode
  readonly random: () => number
  readonly writer: Writer
  readonly arrivals = new Arrivals()
  readonly daemons: Daemon[] = []
  /** What only a look at the checkpoints in the middle of things can find. */
  readonly violations: string[] = []
  /** Where the checkpoints are, if not in Kafka. */
  disk: SmallDisk | undefined
  readonly #options: SessionOptions
  readonly #stack = new AsyncDisposableStack()
  readonly #records: CheckpointRecords
  /** What the reader saw, for another one to be compared with. */
  readonly #lines: string[] = []
  #target: Target | undefined
  #tail: Tail | undefined
  #directory = ''

  private constructor(options: SessionOptions) {
    this.#options = options
    this.servers = options.servers
    this.mode = options.mode
    this.random = seeded(options.seed)
    const { uri } = options.servers.mongodb
    this.writer = new Writer({ uri, database: this.name, collections, seed: options.seed })
    this.#records = new CheckpointRecords(this.checkpointTopic, options.servers.kafka.brokers)
  }

  /** A daemon is reading, changes are written. */
  static async open(options: SessionOptions): Promise<Session> {
    const session = new Session(options)
    try {
      await session.#start()
      return session
    } catch (error) {
      await session[Symbol.asyncDispose]()
      throw error
    }
  }

  get topics(): readonly string[] {
    return collections.map(collection => `${this.name}.${collection}`)
  }

  get checkpointTopic(): string {
    return `mongo2kafka.${this.name}.checkpoints`
  }

  async #start(): Promise<void> {
    const { writer } = this
    this.#directory = await mkdtemp(join(tmpdir(), 'm2k-faults-'))
    this.#stack.defer(() => rm(this.#directory, { recursive: true, force: true }))
    if (this.mode.store === 'file')
      this.disk = this.#stack.use(await SmallDisk.open(join(this.#directory, 'positions')))
    this.#target = this.#stack.use(await openTarget(this.mode, this.servers))
    this.#stack.use(writer)
    await writer.create()
    for (let i = 0; i < this.mode.daemons; i++) await (await this.addDaemon()).start()
    const { brokers } = this.servers.kafka
    const see = (topic: string, partition: number, record: FetchedRecord) => this.#see(topic, partition, record)
    this.#tail = this.#stack.use(new Tail({ brokers, topics: [...this.topics, this.checkpointTopic], see }))
    // What is written before a pipeline has a position is not promised.
    await until(() => this.#isReading(), 'a first position', startLimitMs).catch(error => {
      throw new Error(`${error.message}: ${this.daemons[0]?.output}`, { cause: error })
    })
    writer.start()
  }

  #isReading(): boolean {
    return this.daemons.some(({ output }) => output.includes('reading changes'))
  }

  /** Another process of the same deployment, with links of its own; not started. */
  async addDaemon(): Promise<Daemon> {
    const { servers, mode } = this
    const links: Link[] = []
    for (const { host } of servers.mongodb.members) {
      links.push(this.#stack.use(await Link.open(portIn(host), { protocol: 'mongodb' })))
    }
    for (const node of servers.kafka.nodes) {
      // A start reads back what its predecessor sent: all of that is to be there by then, or it would be sent again.
      links.push(this.#stack.use(await Link.open(this.portOf(node), { lingers: mode.isPlain ?? false })))
    }
    const name = `daemon-${this.daemons.length + 1}`
    const { main, logs } = this.#options
    const place = { directory: this.#directory, main, logs }
    const daemon = this.#stack.use(new Daemon({ name, config: this.config, links, ...place }))
    this.daemons.push(daemon)
    return daemon
  }

  /** Where the daemons' links look for a broker. */
  portOf({ address }: BrokerNode): number {
    const port = this.#target?.ports.get(address)
    if (port === undefined) throw new Error(`the daemons do not know ${address}`)
    return port
  }

  /** After how long a recovery is ended that should take `limitMs` at most. */
  hardStopMs(limitMs: number): number {
    return Math.max(this.#options.leastHardStopMs ?? 0, 3 * limitMs)
  }

  /** The links to one side, of all daemons. */
  linksTo(side: 'mongodb' | 'kafka'): Link[] {
    return this.daemons.flatMap(({ links }) => links.filter(({ protocol }) => protocol === side))
  }

  get config(): string {
    const { name, mode, servers } = this
    const brokers = this.#target?.brokers ?? []
    return configOf({ name, mode, mongodbUri: servers.mongodb.uri, brokers, directory: this.disk?.directory })
  }

  /** Waits until some change arrives that is acknowledged from now on, in every lane. */
  async progress(limitMs: number): Promise<number> {
    return await this.recovered(Date.now(), limitMs)
  }

  /**
   * Waits until what was acknowledged after `sinceMs` arrives: of the first changes that each lane made since. Gives the
   * longest time from acknowledgement (or `sinceMs`) to arrival, milliseconds. `limitMs` is counted from now, or from
   * when MongoDB has acknowledged enough: how long the writer waits for a frozen server is not the product's time.
   */
  async recovered(sinceMs: number, limitMs: number): Promise<number> {
    let worst: number | undefined
    const what = `a change acknowledged after ${new Date(sinceMs).toISOString()}`
    const { journal } = this.writer
    const isSampled = () => this.writer.failure !== undefined || this.arrivals.hasSample(journal, sinceMs)
    await until(isSampled, `an acknowledgement after ${new Date(sinceMs).toISOString()}`, writerLimitMs)
    await until(
      () => {
        if (this.writer.failure !== undefined) throw this.writer.failure
        worst = this.arrivals.delayMs(journal, sinceMs)
        return worst !== undefined
      },
      what,
      limitMs,
    )
    return worst ?? 0
  }

  /** Compares the checkpoints with what stands in the topics. No daemon may run, and none is started meanwhile. */
  async judgeCheckpoints(): Promise<void> {
    const saved = (await this.checkpoints()).map(({ value }) => savedIn(value))
    const { journal } = this.writer
    const found = judgeCheckpoints(journal, this.arrivals.seen, saved, key => this.arrivals.slotOf(key))
    this.violations.push(...found)
  }

  /** The last checkpoints, wherever they are stored. */
  async checkpoints(): Promise<StoredCheckpoint[]> {
    await this.caughtUp()
    if (this.disk !== undefined) return checkpointFiles(this.disk.directory)
    if (this.mode.store === undefined) return this.#records.all()
    return checkpointDocuments(this.servers.mongodb.uri, storeDatabaseOf(this.name))
  }

  /** Waits until the reader has seen all that stands in the topics now. */
  async caughtUp(): Promise<void> {
    await this.#tail?.caughtUp(settleLimitMs)
  }

  /** Ends the writer, waits until everything has arrived, ends the daemons and judges all of it. */
  async finish(): Promise<Verdict> {
    await this.writer.stop()
    const { journal } = this.writer
    // What is missing after a long silence is lost, and the judge says what.
    const isSettled = () =>
      this.arrivals.missing(journal) === undefined || this.arrivals.quietMs > this.hardStopMs(silenceLimitMs)
    await until(isSettled, 'the end of the records', settleLimitMs + this.hardStopMs(silenceLimitMs))
    const kept = this.daemons.filter(daemon => daemon.kept)
    const exits = await Promise.all(kept.map(daemon => daemon.stop('SIGTERM')))
    await this.caughtUp()
    const state = await this.writer.state()
    const verdict = judge({ journal, seen: this.arrivals.seen, state, duplicates: this.#duplicates })
    const violations = [...this.violations, ...verdict.violations, ...(await this.#secondOpinion())]
    for (const [i, code] of exits.entries()) {
      if (code !== 0) violations.push(`G3: ${kept[i]?.name} ended with ${code} after SIGTERM`)
    }
    return { violations, duplicates: verdict.duplicates }
  }

  /** What is wrong with the history as far as it is: for a session that could not be finished. */
  judgeNow(): string[] {
    const { journal } = this.writer
    const { violations } = judge({ journal, seen: this.arrivals.seen, state: new Map(), duplicates: this.#duplicates })
    return [...this.violations, ...violations.filter(text => /^G[245]/.test(text) || text.includes('position rule'))]
  }

  get #duplicates(): Evidence['duplicates'] {
    if (this.mode.isPlain) return 'by position'
    return this.mode.delivery === 'exactly-once' ? 'none' : 'suffix'
  }

  /** Where Kafka's own consumer sees something else than our reader did. */
  async #secondOpinion(): Promise<string[]> {
    if (!this.#options.readTwice) return []
    return differences(this.#lines, await readByJava(this.servers.kafka.brokers, this.topics))
  }

  get changes(): number {
    return changesOf(this.writer.journal)
  }

  #see(topic: string, partition: number, record: FetchedRecord): void {
    if (topic === this.checkpointTopic) {
      this.#records.see(partition, record)
      return
    }
    this.arrivals.add(topic, partition, record)
    if (this.#options.readTwice) this.#lines.push(lineOf(topic, partition, record))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

function savedIn(stored: Buffer): SavedPosition {
  const { pipeline, slot, position } = parseCheckpoint(stored, 'what is stored')
  return { pipeline, slot, time: BigInt(position.clusterTime) }
}
