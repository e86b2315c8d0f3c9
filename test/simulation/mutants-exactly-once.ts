import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { machinery } from '../../src/pipeline/attempt.ts'
import { ExactlyOnce, type ExactlyOnceParts } from '../../src/pipeline/exactly-once.ts'
import type { PipelineParts } from '../../src/pipeline/parts.ts'
import type { Delivery } from '../../src/pipeline/pipeline.ts'
import { stream } from '../../src/pipeline/stream.ts'
import type { Records } from '../../src/record.ts'
import { outRecord, packRecords } from '../../src/record-headers.ts'
import type { Sink, TransactionalSink } from '../../src/sink/sink.ts'
import { type Build, soundBuild } from './daemon.ts'
import type { Mutant } from './mutants-at-least-once.ts'
import { call, type Place } from './schedule.ts'
import type { Scenario } from './simulate.ts'
import { transactionalIdOf } from './sinks.ts'
import type { World } from './world.ts'

const one: Scenario = { delivery: 'exactly-once', daemons: 'one', slots: 1, store: 'kafka' }
const two: Scenario = { ...one, daemons: 'two' }
const workers: Scenario = { ...one, daemons: 'workers', slots: 2 }
const none: Records = packRecords([])

/** Builds with one fault each. The simulation must catch every one of them, or it proves nothing. */
export const exactlyOnceMutants: Readonly<Record<string, Mutant>> = {
  'saves the checkpoint after the transaction': {
    breaks: 'G4',
    scenario: one,
    build: withCommit(async ({ commit, save }) => {
      await commit()
      await save()
    }),
  },

  'saves the checkpoint before the transaction': {
    breaks: 'G1',
    scenario: one,
    build: withCommit(async ({ commit, save }) => {
      await save()
      await commit()
    }),
  },

  'commits before the acknowledgements': {
    breaks: 'G1',
    scenario: one,
    build: { ...soundBuild, waitsForSends: false },
  },

  'loads the checkpoint before it opens the sink': {
    breaks: 'G4',
    scenario: two,
    build: withParts(parts => {
      let loaded: Promise<Checkpoint | undefined> = Promise.resolve(undefined)
      const openSink = async (signal: AbortSignal): Promise<Sink> => {
        loaded = parts.store.load(parts.name, parts.slot, signal)
        await loaded
        return parts.openSink(signal)
      }
      return { ...parts, openSink, store: { ...parts.store, load: () => loaded } }
    }),
  },

  'loads up to the last stable offset': {
    breaks: 'G4',
    scenario: one,
    build: { ...soundBuild, loadsUpTo: 'last stable offset' },
  },

  'loads up to the high watermark that a broker names, whether it leads or not': {
    breaks: 'G4',
    scenario: one,
    build: { ...soundBuild, loadsUpTo: 'high watermark' },
  },

  'opens sinks without a confirmed lease': {
    breaks: 'lease',
    scenario: workers,
    build: withParts(parts => ({ ...parts, lease: { confirm: async () => undefined } })),
  },

  'has a new transactional id at every start': {
    breaks: 'G4',
    scenario: two,
    build: { ...soundBuild, idOf: (slot, opening) => `${transactionalIdOf(slot)}.${opening}` },
  },

  'notes the position now and sends later: it is in this commit, the records in the next': {
    breaks: 'G1',
    scenario: one,
    build: withDelivery(parts => {
      const send = async (records: Records, signal: AbortSignal): Promise<void> => {
        const copy = packRecords(Array.from({ length: records.count }, (_, i) => outRecord(records, i)))
        for (let i = 0; i < 40; i++) await undefined
        await parts.sink.send(copy, signal)
      }
      return new ExactlyOnce({ ...parts, sink: { send } })
    }),
  },

  'takes the position, waits for acknowledgements, then commits what was sent meanwhile': {
    breaks: 'G4',
    scenario: one,
    build: withDelivery(parts => {
      const sends: Promise<void>[] = []
      const send = (records: Records, signal: AbortSignal): Promise<void> => {
        const sent = parts.sink.send(records, signal)
        sends.push(sent)
        return sent
      }
      const write: ExactlyOnceParts['ledger']['write'] = async (position, signal) => {
        await Promise.all(sends)
        await parts.ledger.write(position, signal)
      }
      const usePartitions = parts.ledger.usePartitions.bind(parts.ledger)
      return new ExactlyOnce({ ...parts, sink: { send }, ledger: { write, usePartitions } })
    }),
  },

  'takes a failed commit for one that has succeeded': {
    breaks: 'G',
    scenario: one,
    build: withDelivery(parts => {
      const write: ExactlyOnceParts['ledger']['write'] = (position, signal) =>
        parts.ledger.write(position, signal).catch(() => undefined)
      return new ExactlyOnce({
        ...parts,
        ledger: { write, usePartitions: (...of) => parts.ledger.usePartitions(...of) },
      })
    }),
  },

  'goes on where it believes to be: an unknown commit has succeeded': {
    breaks: 'G1',
    scenario: one,
    build: withParts(parts => remembering(parts, 'handed over')),
  },

  'goes on where it believes to be: an unknown commit has failed': {
    breaks: 'G4',
    scenario: one,
    build: withParts(parts => remembering(parts, 'confirmed')),
  },

  'settles when the records are acknowledged': {
    breaks: 'G3',
    scenario: one,
    build: withDelivery(parts => {
      let sent: Promise<void> = Promise.resolve()
      const send = (records: Records, signal: AbortSignal): Promise<void> => {
        sent = parts.sink.send(records, signal)
        return sent
      }
      const delivery = new ExactlyOnce({ ...parts, sink: { send } })
      return {
        usePartitions: (topic, count) => delivery.usePartitions(topic, count),
        async deliver(batch, signal) {
          delivery.deliver(batch, signal).catch(() => undefined)
          await sent
        },
      }
    }),
  },

  'forgets the partition counts': {
    breaks: 'G2',
    scenario: one,
    build: withDelivery(parts => {
      const delivery: Delivery = new ExactlyOnce(parts)
      return { deliver: (batch, signal) => delivery.deliver(batch, signal), usePartitions: async () => undefined }
    }),
  },

  'has no window': {
    breaks: 'G7',
    scenario: one,
    build: {
      ...soundBuild,
      machine: {
        ...machinery,
        stream: (parts, stop) =>
          stream({ ...parts, limits: { ...parts.limits, inFlightBytes: 2 ** 40, firstBytes: 2 ** 40 } }, stop),
      },
    },
  },
}

function withDelivery(exactlyOnce: Build['machine']['exactlyOnce']): Build {
  return { ...soundBuild, machine: { ...machinery, exactlyOnce } }
}

function withParts(parts: Build['parts']): Build {
  return { ...soundBuild, parts }
}

interface Steps {
  readonly commit: () => Promise<void>
  readonly save: () => Promise<void>
}

/** A checkpoint that is saved beside the transaction of its records. */
function withCommit(commitAndSave: (steps: Steps) => Promise<void>): Build {
  const broken = (sink: Sink, place: Place, world: World): Sink => {
    const transactional = sink as TransactionalSink
    let hasRecords = false
    const send: Sink['send'] = (records, signal) => {
      hasRecords = true
      return transactional.send(records, signal)
    }
    const commit: TransactionalSink['commit'] = (also, signal) => {
      const toCommit = hasRecords
      hasRecords = false
      return commitAndSave({
        commit: async () => (toCommit ? transactional.commit(none, signal) : undefined),
        save: () => call(place, 'store.save', () => appendPlain(world, place, also)),
      })
    }
    return Object.assign(Object.create(transactional) as TransactionalSink, {
      capabilities: sink.capabilities,
      send,
      commit,
      partitions: transactional.partitions.bind(transactional),
      [Symbol.asyncDispose]: () => transactional[Symbol.asyncDispose](),
    })
  }
  return { ...soundBuild, sink: broken }
}

function appendPlain(world: World, { slot }: Place, records: Records): void {
  const checkpoint = String(outRecord(records, 0).value)
  const entry = { key: 'orders', change: 0, slot, writer: 0, checkpoint, transaction: undefined }
  world.kafka.checkpoints[slot]?.append(undefined, 0, [entry])
  world.judgeCheckpoint(slot, checkpoint, world.committed)
}

/** After the first load it goes on from memory: from what it has handed to a commit, or what a commit has confirmed. */
function remembering(parts: PipelineParts, what: 'handed over' | 'confirmed'): PipelineParts {
  let memory: Checkpoint | undefined
  let handed: Checkpoint | undefined
  const store = parts.store as PipelineParts['store'] & { toRecords(checkpoint: Checkpoint): Records }
  const openSink = async (signal: AbortSignal): Promise<Sink> => {
    const sink = (await parts.openSink(signal)) as TransactionalSink
    const commit = sink.commit.bind(sink)
    sink.commit = async (also, waiting) => {
      if (what === 'handed over') memory = handed
      const confirmed = handed
      await commit(also, waiting)
      memory = confirmed
    }
    return sink
  }
  return {
    ...parts,
    openSink,
    store: Object.assign({}, parts.store, {
      load: async (pipeline: string, slot: number, signal: AbortSignal) => memory ?? store.load(pipeline, slot, signal),
      toRecords: (checkpoint: Checkpoint) => {
        handed = checkpoint
        return store.toRecords(checkpoint)
      },
    }),
  }
}
