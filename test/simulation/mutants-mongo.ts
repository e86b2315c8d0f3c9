import { type Document, type MongoClient, MongoServerError, Timestamp } from 'mongodb'
import type { Clock } from '../../src/clock.ts'
import { PositionLost, Retryable } from '../../src/errors.ts'
import { type Build, soundBuild } from './daemon.ts'
import type { Mutant } from './mutants-at-least-once.ts'
import type { Scenario } from './simulate.ts'
import type { MongoAccess } from './source.ts'
import type { World } from './world.ts'

const elections: Scenario = {
  ...{ delivery: 'at-least-once', daemons: 'one', slots: 1, store: 'comparing' },
  also: ['election', 'clock'],
}
const losses: Scenario = { ...elections, also: ['overwrite', 'restore'] }

/** How much faster time passes for who is out of patience after 0.7 s instead of 11 s. */
const hurry = 15

/** Sources with one fault each, for what MongoDB does. */
export const mongoMutants: Readonly<Record<string, Mutant>> = {
  'gives a primary that is behind less than a second': {
    breaks: 'G8',
    scenario: elections,
    build: withClock(clock => ({ ...clock, monotonicMs: () => clock.monotonicMs!() * hurry })),
  },

  'is out of patience with a primary that is behind since there was none': {
    breaks: 'G8',
    scenario: elections,
    build: withCommands(run => async command => {
      try {
        return await run(command)
      } catch (error) {
        if (!isNotPrimary(error)) throw error
        throw new PositionLost('SOURCE_FROM_FUTURE', 'nobody says how far it is')
      }
    }),
  },

  'measures its patience by a clock that is set': {
    breaks: 'G8',
    scenario: elections,
    build: withClock(({ nowMs, sleep, random }) => ({ nowMs, sleep, random })),
  },

  'waits for what MongoDB does not have': {
    breaks: 'G8',
    scenario: losses,
    build: withCommands(
      run => async command => ({ ...(await run(command)), operationTime: undefined }),
      async () => 0n,
    ),
  },

  'goes back with MongoDB to the time of its backup': {
    breaks: 'G8',
    scenario: losses,
    build: withParts((parts, { mongo }) => {
      const { store } = parts
      return {
        ...parts,
        store: {
          ...store,
          async load(...args) {
            const stored = await store.load(...args)
            if (stored === undefined || Number(stored.position.clusterTime) <= mongo.lastTime) return stored
            return { ...stored, position: { kind: 'time', token: null, clusterTime: String(mongo.lastTime) } }
          },
        },
      }
    }),
  },

  'goes on with what the oplog still has': {
    breaks: 'G2',
    scenario: losses,
    build: withCommands((run, { mongo }) => async command => {
      try {
        return await run(command)
      } catch (error) {
        if (!command.aggregate || !isHistoryLost(error)) throw error
        const stage = { startAtOperationTime: new Timestamp({ t: 0, i: mongo.firstTime }) }
        return run({ ...command, pipeline: [{ $changeStream: stage }] })
      }
    }),
  },

  'takes lost history for a failure that passes': {
    breaks: 'endless',
    scenario: losses,
    build: withCommands(run => async command => {
      try {
        return await run(command)
      } catch (error) {
        if (!isHistoryLost(error)) throw error
        throw new Retryable('SOURCE_CURSOR_LOST', 'the stream is to be opened again')
      }
    }),
  },
}

function withClock(change: (clock: Clock) => Clock): Build {
  return { ...soundBuild, mongo: access => ({ ...access, clock: change(access.clock) }) }
}

function withParts(parts: Build['parts']): Build {
  return { ...soundBuild, parts }
}

type Run = (command: Document) => Promise<Document>

/** Commands that do not end as they should, and the guard's question too where `operationTime` is given. */
function withCommands(change: (run: Run, world: World) => Run, operationTime?: MongoAccess['operationTime']): Build {
  const mongo = (access: MongoAccess, world: World): MongoAccess => {
    const db = (name: string) => ({
      command: (command: Document, options: object) =>
        change(other => access.client.db(name).command(other, options), world)(command),
    })
    const client = { startSession: () => access.client.startSession(), db } as unknown as MongoClient
    return { ...access, client, ...(operationTime && { operationTime }) }
  }
  return { ...soundBuild, mongo }
}

function isNotPrimary(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === 10_107
}

function isHistoryLost(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === 286
}
