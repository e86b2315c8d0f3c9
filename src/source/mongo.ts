import { createHash } from 'node:crypto'
import { MongoClient } from 'mongodb'
import { type Clock, steady } from '../clock.ts'
import { Configuration } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import { type ClusterTime, Position } from '../position.ts'
import { classify } from './classify.ts'
import { inspectCluster } from './cluster.ts'
import { runCommand } from './command.ts'
import { operationTimeOf } from './cursor.ts'
import { FutureGuard } from './future.ts'
import { Hub } from './hub.ts'
import { Lookup } from './lookup.ts'
import { compileMatcher } from './match.ts'
import { readOplogRate } from './oplog-rate.ts'
import { PipelineSource } from './pipeline-source.ts'
import type { Opening } from './plan.ts'
import { decodeTopologyVersions } from './raw-errors.ts'
import { defaultReach, type ReachSettings } from './reach.ts'
import { type Audience, ChangeStreamReader } from './reader.ts'
import type { OplogRate, OplogWindow, Selection, Source } from './source.ts'
import { readOplogWindow } from './window.ts'

export interface MongoOptions {
  /** The connection string, revealed. */
  readonly uri: string
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
  /** A getMore without answer for this long gives its connection up. Default 10 s. */
  readonly getMoreDeadlineMs?: number
  /** How long the server holds an empty batch back. Default 1 s. */
  readonly awaitMs?: number
  /** How long a lost stream is tried again before the pipelines hear of it. Default 30 s. */
  readonly patienceMs?: number
  /** How long the shared stream waits for a pipeline that takes nothing. Default 10 s. */
  readonly stallMs?: number
  /** What a reply shall have when there is much to read, bytes. Default 2 MB. */
  readonly batchBytes?: number
  /** The most events of a reply. Default 5000. */
  readonly maxBatchEvents?: number
  /** When the shared stream leaves out what no pipeline wants. */
  readonly reach?: ReachSettings
}

/** A MongoDB deployment as the pipelines' source. */
export interface Mongo extends AsyncDisposable {
  /** Names the deployment, whichever member answers: a checkpoint of another is not ours. */
  readonly identity: string
  readonly version: string
  /** The oplog window of the member read from; undefined where we may not see it. Throws Retryable. */
  window(signal: AbortSignal): Promise<OplogWindow | undefined>
  /** How fast it is written to; undefined where we may not see it. Throws Retryable. */
  oplogRate(signal: AbortSignal): Promise<OplogRate | undefined>
  /** Throws Configuration where the selection cannot be understood. Reads nothing yet. */
  source(selection: Selection): Source
  /** Names what the selection's stream brings, for the checkpoint: where it is another, resume by time. */
  filterHash(selection: Selection): string
}

const connectTimeoutMs = 5_000
const commandDeadlineMs = 10_000
const gatherMs = 50
const closeWaitMs = 3_000
const defaultPatienceMs = 30_000

/**
 * Connects and looks whether change streams can be had. Throws Retryable (SOURCE_UNREACHABLE) for what may come yet,
 * Configuration for what will not: rights, versions, standalone servers, a malformed connection string.
 */
export async function openMongo(options: MongoOptions, signal: AbortSignal): Promise<Mongo> {
  await using stack = new AsyncDisposableStack()
  try {
    const client = clientFor(options.uri)
    stack.defer(() => closeWithin(client, options.clock))
    const cluster = await inspectCluster(client, options.clock, commandDeadlineMs, signal)
    return new MongoSources(options, client, cluster, stack.move())
  } catch (error) {
    signal.throwIfAborted()
    throw classify(error, 'connect')
  }
}

/** Throws Configuration CONFIG_INVALID for whatever the driver has against the connection string. */
function clientFor(uri: string): MongoClient {
  try {
    const client = new MongoClient(uri, {
      appName: 'mongo2kafka',
      // MONGODB_LOG_COMMAND would print whole documents (G9); this outranks it.
      mongodbLogComponentSeverities: { command: 'off' },
      connectTimeoutMS: connectTimeoutMs,
      serverSelectionTimeoutMS: connectTimeoutMs,
      monitorCommands: true,
    })
    decodeTopologyVersions(client)
    return client
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Configuration('CONFIG_INVALID', `mongodb.uri: ${message}`, { cause: error })
  }
}

class MongoSources implements Mongo {
  readonly identity: string
  readonly version: string
  readonly #options: MongoOptions
  readonly #client: MongoClient
  readonly #owned: AsyncDisposableStack
  readonly #hub: Hub
  readonly #future: FutureGuard

  constructor(
    options: MongoOptions,
    client: MongoClient,
    cluster: { readonly identity: string; readonly version: string },
    owned: AsyncDisposableStack,
  ) {
    this.identity = cluster.identity
    this.version = cluster.version
    this.#options = options
    this.#client = client
    this.#owned = owned
    const { clock, log, stallMs = 10_000, reach = defaultReach } = options
    this.#hub = new Hub({ clock: steady(clock), log, gatherMs, stallMs, reach, open: this.#reader.bind(this) })
    const operationTime = () => this.#operationTime(new AbortController().signal)
    this.#future = new FutureGuard({ clock, operationTime, patienceMs: options.patienceMs ?? defaultPatienceMs })
  }

  window(signal: AbortSignal): Promise<OplogWindow | undefined> {
    return readOplogWindow(this.#client, this.#options.clock, commandDeadlineMs, signal)
  }

  async oplogRate(signal: AbortSignal): Promise<OplogRate | undefined> {
    try {
      return await readOplogRate(this.#client, this.#options.clock, commandDeadlineMs, signal)
    } catch (error) {
      signal.throwIfAborted()
      throw classify(error, 'lookup')
    }
  }

  source(selection: Selection): Source {
    const { clock, meter } = this.#options
    return new PipelineSource({
      selection,
      matches: compileMatcher(selection.collections),
      hub: this.#hub,
      lookup: new Lookup({ client: this.#client, clock, meter, deadlineMs: commandDeadlineMs }),
      now: signal => this.#now(signal),
      check: (position, signal) => this.#future.check(position, signal),
    })
  }

  filterHash({ collections, filter }: Selection): string {
    return createHash('sha256')
      .update(JSON.stringify([collections, filter ?? null]))
      .digest('hex')
      .slice(0, 16)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }

  /** The tick after the primary's last operation: the first that can still get an event. */
  async #now(signal: AbortSignal): Promise<Position> {
    return Position.ofTime((await this.#operationTime(signal)) + 1n)
  }

  async #operationTime(signal: AbortSignal): Promise<ClusterTime> {
    const { clock } = this.#options
    try {
      const options = { raw: false, deadlineMs: commandDeadlineMs, clock, signal }
      return operationTimeOf(await runCommand(this.#client.db('admin'), { ping: 1 }, options))
    } catch (error) {
      signal.throwIfAborted()
      throw classify(error, 'read')
    }
  }

  #reader(opening: Opening, audience: Audience): ChangeStreamReader {
    const { clock, log, meter, getMoreDeadlineMs = 10_000, awaitMs = 1_000 } = this.#options
    const { patienceMs = defaultPatienceMs, batchBytes = 2_000_000, maxBatchEvents = 5_000 } = this.#options
    return new ChangeStreamReader({
      client: this.#client,
      clock,
      log,
      meter,
      ...opening,
      audience,
      batchBytes,
      maxBatchEvents,
      awaitMs,
      deadlineMs: getMoreDeadlineMs,
      patienceMs,
    })
  }
}

/** The driver says goodbye to servers that may be dead: we do not wait for that longer than a moment. */
async function closeWithin(client: MongoClient, clock: Clock): Promise<void> {
  const timer = new AbortController()
  const closed = client.close().catch(() => undefined)
  const patience = clock.sleep(closeWaitMs, timer.signal).catch(() => undefined)
  await Promise.race([closed, patience])
  timer.abort()
}
