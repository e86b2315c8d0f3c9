import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Ends } from '../../src/checkpoint/checkpoint.ts'
import type { PreparedBatch } from '../../src/pipeline/pipeline.ts'
import { type PresenceReader, type TailReader, Tails, withTails } from '../../src/pipeline/tails.ts'
import { Position } from '../../src/position.ts'
import type { OutRecord } from '../../src/record.ts'
import { outRecord, packRecords } from '../../src/record-headers.ts'

const never = new AbortController().signal
let nowMs = 0
/** Each look at it is a second later. */
const clock = { nowMs: () => (nowMs += 1_000) }
const at = (n: number) => Position.ofTime(BigInt(n))
const headerOf = (n: number) => Buffer.concat([Buffer.alloc(4), at(n).sortKey, Buffer.of(0, 0)])

interface Stored {
  readonly source: string
  /** Number of the change. */
  readonly n: number
}

/** Partitions of topic `t`, shared by all sources. */
class Target implements TailReader {
  readonly partitions: Stored[][]
  removed = 0

  constructor(count: number) {
    this.partitions = Array.from({ length: count }, () => [])
  }

  async ends(_topic: string, count: number): Promise<number[]> {
    return this.partitions.slice(0, count).map(({ length }) => length)
  }

  async highest(_topic: string, from: readonly number[], source: string): Promise<(Buffer | undefined)[]> {
    return from.map((offset, partition) => {
      const own = this.partitions[partition]!.slice(Math.max(offset, this.removed)).filter(
        each => each.source === source,
      )
      return own.length === 0 ? undefined : headerOf(Math.max(...own.map(({ n }) => n)))
    })
  }
}

function recordOf(n: number, partition: number): OutRecord {
  const headers = { 'm2k.op': 'c', 'm2k.position': headerOf(n) }
  return { topic: 't', partition, key: Buffer.of(n), value: null, headers, timestampMs: 0 }
}

function batchOf(records: readonly OutRecord[], position: Position): PreparedBatch {
  const packed = packRecords(records)
  const rest = { position, bytes: 0, oldestMs: undefined, times: [], release: () => {} }
  return { records: packed, recordCount: packed.count, ...rest }
}

/** What one crash leaves behind: a position, and the ends that were saved with it. */
interface Saved {
  position: number
  ends: Ends
}

interface Life {
  readonly source: string
  readonly batchSize: number
  readonly sends: number
  /** Batches that are sent and not saved when the process dies. */
  readonly unsaved: number
  /** How many records of the last batch arrive. */
  readonly torn: number
}

/** Partition of change `n`: any function does. */
const partitionOf = (n: number, count: number) => (n * 7 + (n >> 2)) % count

/** One process from start to crash, with everything as the delivery does it. */
async function live(target: Target, saved: Saved, life: Life): Promise<void> {
  const count = target.partitions.length
  const isFirst = saved.ends.t === undefined
  const tails = await Tails.open(
    {
      reader: target,
      source: life.source,
      ends: saved.ends,
      partitions: isFirst ? {} : { t: count },
      onDuplicates: () => {},
      clock,
    },
    never,
  )
  if (isFirst) saved.ends = await tails.use('t', count, never)
  const unsaved: Position[] = []
  for (let send = 0, from = saved.position + 1; send < life.sends; send++, from += life.batchSize) {
    const changes = Array.from({ length: life.batchSize }, (_, i) => from + i)
    const position = at(from + life.batchSize - 1)
    tails.sending(position)
    const fresh = tails.fresh(packRecords(changes.map(n => recordOf(n, partitionOf(n, count)))))
    const isLast = send === life.sends - 1
    const arriving = isLast ? Math.min(life.torn, fresh.count) : fresh.count
    for (let i = 0; i < arriving; i++) {
      const { key, partition } = outRecord(fresh, i)
      target.partitions[partition]!.push({ source: life.source, n: key[0]! })
    }
    if (isLast) return
    unsaved.push(position)
    await Promise.resolve()
    if (unsaved.length <= life.unsaved) continue
    const settled = unsaved.shift()!
    saved.ends = tails.endsAt(settled, never)
    saved.position = Number(settled.clusterTime)
    for (let turn = 0; turn < send % 4; turn++) await Promise.resolve() // An answer may come at any time.
  }
}

const anyLife = fc.record({
  source: fc.constantFrom('d/p/0', 'd/p/1', 'd/q/0'),
  batchSize: fc.integer({ min: 1, max: 3 }),
  sends: fc.integer({ min: 1, max: 12 }),
  unsaved: fc.integer({ min: 0, max: 4 }),
  torn: fc.integer({ min: 0, max: 3 }),
})

describe('on a target without transactions', () => {
  it('nothing is there twice or missing, however often and wherever each of several sources crashes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(anyLife, { maxLength: 12 }), async (count, lives) => {
        const target = new Target(count)
        const saved = new Map<string, Saved>()
        for (const life of lives) {
          for (const partition of target.partitions) partition.push({ source: 'foreign', n: 200 })
          const own = saved.get(life.source) ?? { position: 0, ends: {} }
          saved.set(life.source, own)
          await live(target, own, life)
        }
        for (const [source, { position }] of saved) {
          const numbers = target.partitions.flat().flatMap(each => (each.source === source ? [each.n] : []))
          expect(new Set(numbers).size, `${source}: twice`).toBe(numbers.length)
          const acknowledged = Array.from({ length: position }, (_, i) => i + 1)
          expect(numbers).toEqual(expect.arrayContaining(acknowledged))
          for (const partition of target.partitions) {
            const order = partition.flatMap(each => (each.source === source ? [each.n] : []))
            expect(order).toEqual(order.toSorted((a, b) => a - b))
          }
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('a start reads no more than what was written since the last saves', async () => {
    const target = new Target(2)
    const saved: Saved = { position: 0, ends: {} }
    for (let round = 0; round < 5; round++) {
      target.partitions[0]!.push(...Array.from({ length: 1_000 }, () => ({ source: 'foreign', n: 200 })))
      await live(target, saved, { source: 's', batchSize: 1, sends: 20, unsaved: 1, torn: 1 })
    }
    const left = target.partitions.map((partition, i) => partition.length - saved.ends.t![i]!)
    expect(Math.max(...left)).toBeLessThan(40)
  })

  it('topics that were used before ends were kept are read from their beginning', async () => {
    const target = new Target(1)
    target.partitions[0]!.push({ source: 's', n: 1 }, { source: 's', n: 2 })
    const counts: number[] = []
    const onDuplicates = (count: number) => counts.push(count)
    const tails = await Tails.open(
      { reader: target, source: 's', ends: {}, partitions: { t: 1 }, onDuplicates, clock },
      never,
    )
    const records = packRecords([1, 2, 3].map(n => recordOf(n, 0)))
    expect(outRecord(tails.fresh(records), 0).key[0]).toBe(3)
    expect(counts).toEqual([2])
    expect(tails.fresh(records)).toBe(records) // The replay is through: nothing is looked at any more.
  })
})

describe('a delivery with tails', () => {
  it('sends what is fresh, and saves ends with every position and before the first record of a topic', async () => {
    const target = new Target(1)
    target.partitions[0]!.push({ source: 's', n: 1 })
    const options = {
      reader: target,
      source: 's',
      ends: { t: [0] },
      partitions: { t: 1 },
      onDuplicates: () => {},
      clock,
    }
    const tails = await Tails.open(options, never)
    const log: unknown[] = []
    const saver = {
      save: async (position: Position, ends?: Ends) => void log.push(['save', Number(position.clusterTime), ends]),
      usePartitions: async (topic: string, count: number, ends?: Ends) => void log.push(['use', topic, count, ends]),
    } as Parameters<typeof withTails>[1]
    const delivery = withTails(
      tails,
      saver,
      saving => ({
        deliver: async batch => {
          log.push(['send', batch.recordCount, batch.records.count])
          await saving.save(batch.position)
        },
        usePartitions: (topic, count) => saving.usePartitions(topic, count),
      }),
      never,
    )
    await delivery.usePartitions('u', 1)
    await delivery.deliver(batchOf([recordOf(1, 0), recordOf(2, 0)], at(2)), never)
    await delivery.deliver(batchOf([recordOf(3, 0)], at(3)), never)
    expect(log).toEqual([
      ['use', 'u', 1, { t: [0], u: [1] }],
      ['send', 1, 1],
      ['save', 2, { t: [0], u: [1] }],
      ['send', 1, 1],
      ['save', 3, { t: [1], u: [1] }],
    ])
  })

  it('keeps its ends where the target does not answer, and asks again', async () => {
    const target = new Target(1)
    const tails = await Tails.open(
      { reader: target, source: 's', ends: { t: [0] }, partitions: { t: 1 }, onDuplicates: () => {}, clock },
      never,
    )
    let isDown = true
    const { ends } = target
    target.ends = (topic, count) => (isDown ? Promise.reject(new Error('down')) : ends.call(target, topic, count))
    target.partitions[0]!.push({ source: 'foreign', n: 1 })
    const turn = () => new Promise(resolve => setImmediate(resolve))
    for (const n of [1, 2]) {
      expect(tails.endsAt(at(n), never)).toEqual({ t: [0] })
      await turn()
    }
    isDown = false
    expect(tails.endsAt(at(3), never)).toEqual({ t: [0] })
    await turn()
    expect(tails.endsAt(at(4), never)).toEqual({ t: [1] })
  })
})

describe('a target that picks the partitions itself', () => {
  const present = new Set([2, 5].map(n => headerOf(n).toString('latin1')))
  const reader: PresenceReader = {
    ends: async (_topic, count) => new Array<number>(count).fill(1_000),
    present: async (_topic, from, source) => (source === 'a' && from[0] === 3 ? present : new Set()),
  }
  const open = (source: string, onDuplicates: (count: number) => void) =>
    Tails.open({ reader, source, ends: { t: [3, 3] }, partitions: { t: 2 }, clock, onDuplicates }, never)
  const numbers = (tails: Tails, ...wanted: number[]) => {
    const { count } = tails.fresh(packRecords(wanted.map(n => recordOf(n, 0))))
    return count
  }

  it('leaves out exactly what is there, whatever stands behind it', async () => {
    let leftOut = 0
    const tails = await open('a', count => (leftOut += count))
    const fresh = tails.fresh(packRecords([1, 2, 3].map(n => recordOf(n, n % 2))))
    expect(Array.from({ length: fresh.count }, (_, i) => outRecord(fresh, i).key[0])).toEqual([1, 3])
    expect(numbers(tails, 4, 5, 6)).toBe(2)
    expect(leftOut).toBe(2)
    expect(numbers(tails, 2)).toBe(1) // The replay is over: nothing is looked up any more.
  })

  it('keeps the saved ends until the replay is over', async () => {
    const tails = await open('a', () => {})
    tails.sending(at(4))
    tails.fresh(packRecords([recordOf(4, 0)]))
    expect(tails.endsAt(at(4), never)).toEqual({ t: [3, 3] })
    tails.sending(at(6))
    tails.fresh(packRecords([recordOf(6, 0)]))
    tails.endsAt(at(6), never)
    await new Promise(resolve => setImmediate(resolve))
    expect(tails.endsAt(at(6), never)).toEqual({ t: [1_000, 1_000] })
  })

  it('knows other sources apart', async () => {
    const tails = await open('b', () => {})
    expect(numbers(tails, 2, 5)).toBe(2)
  })
})
