import { describe, expect, test } from 'vitest'
import type { Checkpoint, CheckpointStore } from '../../src/checkpoint/checkpoint.ts'
import { systemClock } from '../../src/clock.ts'
import { Ledger, type LedgerOptions } from '../../src/pipeline/ledger.ts'
import { Position } from '../../src/position.ts'

const open = new AbortController().signal
const at = (seconds: number) => Position.ofTime(BigInt(seconds) << 32n)

/** Keeps every save; each waits for `gate`. */
function remembering(stored?: Checkpoint) {
  const saves: Checkpoint[] = []
  let gate = Promise.resolve()
  const store: CheckpointStore = {
    load: async () => saves.at(-1) ?? stored,
    async save(checkpoint) {
      await gate
      saves.push(checkpoint)
    },
    async [Symbol.asyncDispose]() {},
  }
  return {
    store,
    saves,
    close(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return resolve
    },
  }
}

function options(store: CheckpointStore, others: Partial<LedgerOptions> = {}): LedgerOptions {
  const names = { deployment: 'shop', pipeline: 'orders', cluster: 'replicaSet:rs0/1', filterHash: 'none' }
  return { ...names, store, start: async () => at(10), saveIntervalMs: 0, clock: systemClock, ...others }
}

describe('opening', () => {
  test('writes the start down before anything is read, and raises the epoch each time', async () => {
    const { store, saves } = remembering()
    const first = await Ledger.open(options(store), open)
    expect(first.position.compare(at(10))).toBe(0)
    expect(saves).toMatchObject([{ epoch: 1, generation: 0, partitions: {} }])
    const second = await Ledger.open(options(store, { start: async () => at(99) }), open)
    expect(second.position.compare(at(10))).toBe(0)
    expect(saves.at(-1)).toMatchObject({ epoch: 2 })
  })

  test('refuses the checkpoint of another MongoDB and leaves it alone', async () => {
    const { store, saves } = remembering()
    await Ledger.open(options(store), open)
    const other = Ledger.open(options(store, { cluster: 'replicaSet:rs0/2' }), open)
    await expect(other).rejects.toMatchObject({ name: 'PositionLost', code: 'SOURCE_OTHER_CLUSTER' })
    expect(saves).toHaveLength(1)
  })

  test('refuses an unreadable position and leaves it alone', async () => {
    const { store, saves } = remembering()
    await Ledger.open(options(store), open)
    const damaged = remembering({ ...saves[0]!, position: { kind: 'event', token: 'AAAA', clusterTime: '1' } })
    await expect(Ledger.open(options(damaged.store), open)).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' })
    expect(damaged.saves).toEqual([])
  })
})

describe('saving', () => {
  test('while one save is under way the later ones become one, which settles them all', async () => {
    const { store, saves, close } = remembering()
    const ledger = await Ledger.open(options(store), open)
    const release = close()
    const all = [11, 12, 13, 14].map(seconds => ledger.save(at(seconds)))
    release()
    await Promise.all(all)
    expect(ledger.position.compare(at(14))).toBe(0)
    expect(saves.length).toBeLessThan(5)
    expect(saves.at(-1)?.position).toEqual(at(14).toJSON())
  })

  test('a partition count is durable when it is promised, and never takes the position back', async () => {
    const { store, saves, close } = remembering()
    const ledger = await Ledger.open(options(store), open)
    const release = close()
    const saved = ledger.save(at(20))
    await Promise.resolve()
    const used = ledger.usePartitions('shop.orders', 6)
    release()
    await Promise.all([saved, used])
    expect(saves.at(-1)).toMatchObject({ partitions: { 'shop.orders': 6 }, position: at(20).toJSON() })
    expect(ledger.partitions('shop.orders')).toBe(6)
    expect(ledger.partitions('constructor')).toBeUndefined()
  })

  test('a failed save rejects, and the durable position stays', async () => {
    const { store } = remembering()
    const ledger = await Ledger.open(options(store), open)
    store.save = () => Promise.reject(new Error('disk full'))
    await expect(ledger.save(at(30))).rejects.toThrow('disk full')
    expect(ledger.position.compare(at(10))).toBe(0)
  })
})
