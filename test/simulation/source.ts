import type { Document, MongoClient } from 'mongodb'
import type { Clock } from '../../src/clock.ts'
import { untilAborted } from '../../src/deadline.ts'
import type { ChangeBatch } from '../../src/event.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { type ClusterTime, Position } from '../../src/position.ts'
import { FutureGuard } from '../../src/source/future.ts'
import { ChangeStreamReader } from '../../src/source/reader.ts'
import type { Source } from '../../src/source/source.ts'
import { neverMs, simulatedClock } from './clock.ts'
import { classified } from './mongo.ts'
import { call, type Place } from './schedule.ts'
import type { World } from './world.ts'

/** What a process has of MongoDB: the driver and its own clock. */
export interface MongoAccess {
  readonly client: MongoClient
  readonly clock: Clock
  /** The primary's last entry, as the guard asks for it. */
  readonly operationTime: () => Promise<ClusterTime>
}

interface CommandOptions {
  readonly session: object
  readonly signal: AbortSignal
}

const longestBatch = 4

export function mongoAccess(world: World, place: Place): MongoAccess {
  return {
    client: {
      startSession: () => ({ endSession: async () => undefined }),
      db: () => ({ command: (command: Document, options: CommandOptions) => run(world, place, command, options) }),
    } as unknown as MongoClient,
    clock: simulatedClock(world, place),
    operationTime: () => call(place, 'source.time', () => operationTime(world)),
  }
}

async function run({ mongo }: World, place: Place, command: Document, options: CommandOptions): Promise<Document> {
  const { session, signal } = options
  if (command.aggregate) return call(place, 'source.open', () => mongo.open(session, command), signal)
  if (command.getMore) {
    while (!mongo.hasNews(session)) await untilAborted(mongo.changed, signal)
    const size = Math.floor(place.schedule.random() * longestBatch)
    const answer = await call(place, 'source.read', () => mongo.more(session, size), signal)
    place.schedule.mayYield()
    return answer
  }
  mongo.close(session)
  return {}
}

function operationTime({ mongo }: World): ClusterTime {
  return BigInt(classified(() => mongo.operationTime()))
}

/** Looks before anybody waits for what MongoDB does not have: one for each process, as in source/mongo.ts. */
export function createGuard({ clock, operationTime }: MongoAccess): FutureGuard {
  return new FutureGuard({ clock, operationTime, patienceMs })
}

/** How long MongoDB is waited for before the pipeline hears of it. */
const patienceMs = 30_000

/** The changes of the place's slot, read by the product's own reader; batches without any carry a position. */
export function simulatedSource(world: World, place: Place, access: MongoAccess, guard: FutureGuard): Source {
  const reader = new ChangeStreamReader({
    ...{ client: access.client, clock: access.clock, log: silentLogger, meter: silentMeter },
    ...{ scope: { db: 'shop', collection: undefined }, images: { after: 'default', before: 'default' } },
    ...{
      filter: undefined,
      awaitMs: 1_000,
      deadlineMs: neverMs,
      audience: { readers: 1, isAlone: true },
      batchBytes: 2_000_000,
      maxBatchEvents: 5_000,
    },
    patienceMs,
  })
  return {
    async now(signal) {
      return Position.ofTime(1n + (await call(place, 'source.now', () => operationTime(world), signal)))
    },
    async *read(from, signal): AsyncGenerator<ChangeBatch> {
      try {
        await guard.check(from, signal)
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      for await (const { events, position, bytes } of reader.read(from, signal)) {
        yield { events: events.filter(({ collection }) => world.slotOf(collection) === place.slot), position, bytes }
      }
    },
  }
}
