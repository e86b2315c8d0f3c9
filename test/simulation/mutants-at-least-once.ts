import { Fault } from '../../src/errors.ts'
import { machinery } from '../../src/pipeline/attempt.ts'
import type { PipelineParts } from '../../src/pipeline/parts.ts'
import type { Delivery } from '../../src/pipeline/pipeline.ts'
import { stream } from '../../src/pipeline/stream.ts'
import type { Sink } from '../../src/sink/sink.ts'
import { type Build, soundBuild } from './daemon.ts'
import type { Scenario } from './simulate.ts'

/** A build with one fault, the promise that it breaks, and where that must show. */
export interface Mutant {
  readonly breaks: string
  readonly scenario: Scenario
  readonly build: Build
}

const one: Scenario = { delivery: 'at-least-once', daemons: 'one', slots: 1, store: 'comparing' }
const two: Scenario = { ...one, daemons: 'two', store: 'kafka' }
const workers: Scenario = { ...one, daemons: 'workers', slots: 2 }
const refusing: Scenario = { ...one, refuses: true }

/** Loops with one fault each. The simulation must catch every one of them, or it proves nothing. */
export const atLeastOnceMutants: Readonly<Record<string, Mutant>> = {
  'saves before the acknowledgement': {
    breaks: 'G1',
    scenario: one,
    build: withMachine({
      atLeastOnce: (sink, saver) => ({
        usePartitions: (topic, count) => saver.usePartitions(topic, count),
        async deliver(batch, signal) {
          const sent = sink.send(batch.records, signal)
          await Promise.allSettled([sent, saver.save(batch.position)])
          await sent
        },
      }),
    }),
  },

  'keeps no order: saves when its own records are acknowledged, whatever came before': {
    breaks: 'G1',
    scenario: one,
    build: withMachine({
      atLeastOnce: (sink, saver) => ({
        usePartitions: (topic, count) => saver.usePartitions(topic, count),
        async deliver(batch, signal) {
          await sink.send(batch.records, signal)
          await saver.save(batch.position)
        },
      }),
    }),
  },

  'leaves out what is refused': {
    breaks: 'G1',
    scenario: refusing,
    build: { ...soundBuild, parts: parts => ({ ...parts, onError: { ...parts.onError, poison: 'skip' } }) },
  },

  'has no window': {
    breaks: 'G7',
    scenario: one,
    build: withMachine({
      stream: (parts, stop) =>
        stream({ ...parts, limits: { ...parts.limits, inFlightBytes: 2 ** 40, firstBytes: 2 ** 40 } }, stop),
    }),
  },

  'does not drain: returns on stop while writes are open': {
    breaks: 'G3',
    scenario: one,
    build: withMachine({
      stream: async (parts, stop) => {
        try {
          await stream({ ...parts, limits: { ...parts.limits, drainMs: 0 } }, stop)
        } catch (error) {
          if (!(error instanceof Fault && error.code === 'DRAIN_TIMEOUT')) throw error
        }
      },
    }),
  },

  'does not wait for other writes when one fails': {
    breaks: 'G2',
    scenario: one,
    build: {
      ...withMachine({ atLeastOnce: (sink, saver) => impatient(machinery.atLeastOnce(sink, saver)) }),
      fences: false,
    },
  },

  'forgets the partition counts': {
    breaks: 'G2',
    scenario: one,
    build: withMachine({
      atLeastOnce: (sink, saver) => ({ ...bound(machinery.atLeastOnce(sink, saver)), usePartitions: async () => {} }),
    }),
  },

  'opens sinks that fence nobody': { breaks: 'G2', scenario: workers, build: { ...soundBuild, fences: false } },

  'claims the store only after the sink': {
    breaks: 'G',
    scenario: { ...two, store: 'comparing', also: ['fail-before', 'fail-after', 'freeze'] },
    build: {
      ...soundBuild,
      parts: parts => {
        const { store, openSink } = parts
        let opening: Promise<Sink> = Promise.reject(new Error('not loaded'))
        opening.catch(() => undefined)
        const load: PipelineParts['store']['load'] = async (pipeline, slot, signal) => {
          opening = openSink(signal)
          await opening
          return store.load(pipeline, slot, signal)
        }
        return { ...parts, store: { ...store, load }, openSink: () => opening }
      },
    },
  },

  'does not confirm its claim of the store': {
    breaks: 'G',
    scenario: { ...two, store: 'comparing', also: ['fail-before', 'fail-after', 'freeze'] },
    build: {
      ...soundBuild,
      parts: parts => {
        const { store } = parts
        let hasClaimed = false
        const load: PipelineParts['store']['load'] = (...args) => {
          hasClaimed = false
          return store.load(...args)
        }
        const openSink: PipelineParts['openSink'] = signal => {
          hasClaimed = true
          return parts.openSink(signal)
        }
        const save: PipelineParts['store']['save'] = async (checkpoint, signal) => {
          if (hasClaimed) hasClaimed = false
          else await store.save(checkpoint, signal)
        }
        return { ...parts, openSink, store: { ...store, load, save } }
      },
    },
  },

  'writes checkpoints around the sink that fences': {
    breaks: 'G',
    scenario: two,
    build: {
      ...soundBuild,
      parts: parts => {
        const { load, save, fixStart: _, ...rest } = parts.store
        return { ...parts, store: { load, save, [Symbol.asyncDispose]: rest[Symbol.asyncDispose] } }
      },
    },
  },
}

function withMachine(machine: Partial<Build['machine']>): Build {
  return { ...soundBuild, machine: { ...machinery, ...machine } }
}

function bound(delivery: Delivery): Delivery {
  return {
    deliver: (batch, signal) => delivery.deliver(batch, signal),
    usePartitions: (topic, count) => delivery.usePartitions(topic, count),
  }
}

/** Once one delivery has failed, all fail at once, while their writes are still on the wire. */
function impatient(delivery: Delivery): Delivery {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  return {
    ...bound(delivery),
    deliver(batch, signal) {
      const delivered = delivery.deliver(batch, signal)
      delivered.catch(reject)
      return Promise.race([delivered, failed])
    },
  }
}
