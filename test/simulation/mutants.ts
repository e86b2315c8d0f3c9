import { Fault } from '../../src/errors.ts'
import { type Machinery, machinery } from '../../src/pipeline/attempt.ts'
import type { Delivery } from '../../src/pipeline/pipeline.ts'
import { stream } from '../../src/pipeline/stream.ts'

/** Loops with one fault each. The simulation must catch every one of them, or it proves nothing. */
export const mutants: Readonly<Record<string, { readonly machine: Machinery; readonly breaks: string }>> = {
  'saves before the acknowledgement': {
    breaks: 'G1',
    machine: {
      ...machinery,
      atLeastOnce: (sink, saver) => ({
        usePartitions: (topic, count) => saver.usePartitions(topic, count),
        async deliver(batch, signal) {
          const sent = sink.send(batch.records, signal)
          await Promise.allSettled([sent, saver.save(batch.position)])
          await sent
        },
      }),
    },
  },

  'keeps no order: saves when its own records are acknowledged, whatever came before': {
    breaks: 'G1',
    machine: {
      ...machinery,
      atLeastOnce: (sink, saver) => ({
        usePartitions: (topic, count) => saver.usePartitions(topic, count),
        async deliver(batch, signal) {
          await sink.send(batch.records, signal)
          await saver.save(batch.position)
        },
      }),
    },
  },

  'has no window': {
    breaks: 'G7',
    machine: {
      ...machinery,
      stream: (parts, stop) => stream({ ...parts, limits: { ...parts.limits, inFlightBytes: 2 ** 40 } }, stop),
    },
  },

  'does not drain: returns on stop while writes are open': {
    breaks: 'G3',
    machine: {
      ...machinery,
      stream: async (parts, stop) => {
        try {
          await stream({ ...parts, limits: { ...parts.limits, drainMs: 0 } }, stop)
        } catch (error) {
          if (!(error instanceof Fault && error.code === 'DRAIN_TIMEOUT')) throw error
        }
      },
    },
  },

  'does not wait for other writes when one fails': {
    breaks: 'G2',
    machine: {
      ...machinery,
      atLeastOnce: (sink, saver) => impatient(machinery.atLeastOnce(sink, saver)),
    },
  },
}

/** Once one delivery has failed, all fail at once, while their writes are still on the wire. */
function impatient(delivery: Delivery): Delivery {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  return {
    usePartitions: (topic, count) => delivery.usePartitions(topic, count),
    deliver(batch, signal) {
      const delivered = delivery.deliver(batch, signal)
      delivered.catch(reject)
      return Promise.race([delivered, failed])
    },
  }
}
