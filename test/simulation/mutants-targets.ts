import type { PipelineParts } from '../../src/pipeline/parts.ts'
import type { TailReader } from '../../src/pipeline/tails.ts'
import { type Build, soundBuild } from './daemon.ts'
import type { Mutant } from './mutants-at-least-once.ts'
import type { Scenario } from './simulate.ts'
import { deadLetterTopic, type World } from './world.ts'

const one: Scenario = {
  ...{ delivery: 'at-least-once', daemons: 'one', slots: 2, store: 'comparing' },
  ...{ isReadBack: true, also: ['retention'] },
}

/** De-duplication on targets without transactions, with one fault each. */
export const targetMutants: Readonly<Record<string, Mutant>> = {
  'reads nothing back': { breaks: 'G3', scenario: one, build: withParts(({ tailReader: _, ...parts }) => parts) },

  'goes by the highest position of a partition, whosever it is': {
    breaks: 'G1',
    scenario: one,
    build: withHighest(reader => async (topic, from, _source, signal) => {
      const sources = ['sim/orders/0', 'sim/orders/1', 'sim/items/0']
      const found = await Promise.all(sources.map(source => reader.highest(topic, from, source, signal)))
      return from.map((_, partition) => {
        const positions = found.flatMap(highest => highest[partition] ?? [])
        return positions.toSorted(Buffer.compare).at(-1)
      })
    }),
  },

  'drops by the highest position of all partitions': {
    breaks: 'G1',
    scenario: one,
    build: withHighest(reader => async (topic, from, source, signal) => {
      const found = await reader.highest(topic, from, source, signal)
      const highest = found.flatMap(position => position ?? []).toSorted(Buffer.compare)
      return from.map(() => highest.at(-1))
    }),
  },

  'looks only from the ends on that are there when it saves': {
    breaks: 'G3',
    scenario: one,
    build: withParts((parts, { kafka }) => {
      const { store } = parts
      const endsOf = (topic: string) => (topic === deadLetterTopic ? kafka.deadLetters : kafka.data).map(ended)
      const save: typeof store.save = (checkpoint, signal) => {
        const ends = Object.fromEntries(Object.keys(checkpoint.ends).map(topic => [topic, endsOf(topic)]))
        return store.save({ ...checkpoint, ends }, signal)
      }
      return { ...parts, store: { ...store, save } }
    }),
  },

  'takes a partition whose beginning was removed for empty': {
    breaks: 'G3',
    scenario: one,
    build: withHighest((reader, { kafka }) => async (topic, from, source, signal) => {
      const logs = topic === deadLetterTopic ? kafka.deadLetters : kafka.data
      const found = await reader.highest(topic, from, source, signal)
      return found.map((position, partition) => (logs[partition]!.start > from[partition]! ? undefined : position))
    }),
  },

  'does not read the dead letters back': {
    breaks: 'G3',
    scenario: { ...one, refuses: true },
    build: withHighest(reader => async (topic, from, source, signal) => {
      return topic === deadLetterTopic ? from.map(() => undefined) : reader.highest(topic, from, source, signal)
    }),
  },
}

function ended({ highWatermark }: { readonly highWatermark: number }): number {
  return highWatermark
}

function withParts(parts: (parts: PipelineParts, world: World) => PipelineParts): Build {
  return { ...soundBuild, parts }
}

function withHighest(change: (reader: TailReader, world: World) => TailReader['highest']): Build {
  return withParts((parts, world) => {
    const reader = parts.tailReader as TailReader
    const ends: TailReader['ends'] = (...args) => reader.ends(...args)
    return { ...parts, tailReader: { ends, highest: change(reader, world) } }
  })
}
