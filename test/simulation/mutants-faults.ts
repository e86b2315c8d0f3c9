import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { parseCheckpoint } from '../../src/checkpoint/format.ts'
import { positionBytes } from '../../src/encode/headers.ts'
import { Configuration, Fault, PoisonEvent } from '../../src/errors.ts'
import type { OutRecord } from '../../src/record.ts'
import { outRecord, packRecords } from '../../src/record-headers.ts'
import type { Sink } from '../../src/sink/sink.ts'
import { type Build, soundBuild } from './daemon.ts'
import { positionOf } from './mongo.ts'
import type { Mutant } from './mutants-at-least-once.ts'
import { call, type Place } from './schedule.ts'
import type { Scenario } from './simulate.ts'
import { deadLetterTopic, type World } from './world.ts'

const one: Scenario = { delivery: 'at-least-once', daemons: 'one', slots: 1, store: 'comparing' }
const once: Scenario = { ...one, delivery: 'exactly-once', store: 'kafka' }
const damages: Scenario = { ...once, also: ['damage', 'crash'] }
const denials: Scenario = { ...one, also: ['denied'] }

/** What goes wrong with checkpoints, rights and refused records, met with one fault each. */
export const faultMutants: Readonly<Record<string, Mutant>> = {
  'takes a damaged checkpoint for an absent one': {
    breaks: 'G4',
    scenario: damages,
    build: withoutDamage(() => undefined),
  },

  'takes the checkpoint before the damaged one': {
    breaks: 'G4',
    scenario: damages,
    build: withoutDamage(({ kafka }, slot) => {
      const log = kafka.checkpoints[slot]!
      const texts = log.committed(log.highWatermark).flatMap(({ checkpoint }) => checkpoint ?? [])
      return texts.map(readable).findLast(checkpoint => checkpoint !== undefined)
    }),
  },

  'begins on each slot where MongoDB is': {
    breaks: 'G1',
    scenario: { ...one, slots: 2 },
    build: withParts(parts => ({ ...parts, store: { ...parts.store, fixStart: async (_, proposed) => proposed } })),
  },

  'takes what it may not write for written': {
    breaks: 'G1',
    scenario: denials,
    build: withSend(send => async (records, signal) => {
      await send(records, signal).catch(error => {
        if (!isDenial(error)) throw error
      })
    }),
  },

  'takes what it may not write for a record that nobody can': {
    breaks: 'G5',
    scenario: denials,
    build: withSend(send => async (records, signal) => {
      const first = outRecord(records, 0)
      await send(records, signal).catch(error => {
        throw isDenial(error) ? refusalOf(first, Number(first.value)) : error
      })
    }),
  },

  'blames the change before the refused one': {
    breaks: 'G8',
    scenario: { ...one, refuses: true },
    build: withSend((send, { refused }) => async (records, signal) => {
      const all = Array.from({ length: records.count }, (_, i) => outRecord(records, i))
      const at = all.find(({ topic, value }) => topic !== deadLetterTopic && refused.has(Number(value)))
      await send(records, signal).catch(error => {
        throw at && error instanceof PoisonEvent ? refusalOf(at, Number(at.value) - 1) : error
      })
    }),
  },

  'sends dead letters beside the transaction': {
    breaks: 'G4',
    scenario: { ...once, refuses: true },
    build: { ...soundBuild, sink: besideTheTransaction },
  },
}

function withParts(parts: Build['parts']): Build {
  return { ...soundBuild, parts }
}

/** In the place of a damaged checkpoint. */
function withoutDamage(instead: (world: World, slot: number) => Checkpoint | undefined): Build {
  return withParts((parts, world, { slot }) => {
    const { store } = parts
    const load: typeof store.load = async (...args) => {
      try {
        return await store.load(...args)
      } catch (error) {
        if (error instanceof Fault && error.code === 'CHECKPOINT_CORRUPT') return instead(world, slot)
        throw error
      }
    }
    return { ...parts, store: { ...store, load } }
  })
}

function readable(text: string): Checkpoint | undefined {
  try {
    return parseCheckpoint(Buffer.from(text), 'the simulated store')
  } catch {
    return undefined
  }
}

function withSend(change: (send: Sink['send'], world: World) => Sink['send']): Build {
  const sink = (opened: Sink, _place: Place, world: World): Sink => {
    opened.send = change(opened.send.bind(opened), world)
    return opened
  }
  return { ...soundBuild, sink }
}

function isDenial(error: unknown): boolean {
  return error instanceof Configuration && error.code === 'SINK_UNAUTHORIZED'
}

function refusalOf({ topic, partition, key }: OutRecord, change: number): PoisonEvent {
  const record = { topic, partition, keyBytes: key.length, position: positionBytes(0, positionOf(change), 0) }
  return new PoisonEvent('SINK_RECORD_INVALID', `change ${change} is refused`, { record })
}

function besideTheTransaction(sink: Sink, place: Place, world: World): Sink {
  const send = sink.send.bind(sink)
  const letter = ({ partition, key, value }: OutRecord): void => {
    const entry = { topic: deadLetterTopic, key: String(key), change: Number(value), slot: place.slot, writer: 0 }
    world.kafka.deadLetters[partition]!.append(undefined, 0, [
      { ...entry, checkpoint: undefined, transaction: undefined },
    ])
    world.committed.add(Number(value))
  }
  sink.send = async (records, signal) => {
    const all = Array.from({ length: records.count }, (_, i) => outRecord(records, i))
    const rest = packRecords(all.filter(({ topic }) => topic !== deadLetterTopic))
    await send(rest, signal)
    for (const each of all)
      if (each.topic === deadLetterTopic) await call(place, 'sink.send', () => letter(each), signal)
  }
  return sink
}
