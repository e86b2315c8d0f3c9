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
  const names = {
    deployment: 'shop',
    pipeline: 'orders',
    slot: 2,
    cluster: 'replicaSet:rs0/1',
    filterHash: 'none',
    revision: 5,
  }
  const { load, save: write } = store
  return { ...names, load, write, start: async () => at(10), onSaved() {}, clock: systemClock, ...others }
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

describe('the revision of the configuration', () => {
  const refused = { name: 'Retryable', code: 'CONFIG_SUPERSEDED', message: expect.stringContaining('revision 5') }

  test('is stored, and one that is earlier does not follow it and leaves everything alone', async () => {
    const { store, saves } = remembering()
    await Ledger.open(options(store), open)
    expect(saves).toMatchObject([{ revision: 5 }])
    await expect(Ledger.open(options(store, { revision: 4 }), open)).rejects.toMatchObject(refused)
    expect(saves).toHaveLength(1)
  })

  test('goes on from the same place with the same one or a later one', async () => {
    const { store, saves } = remembering()
    for (const revision of [5, 5, 9]) {
      const ledger = await Ledger.open(options(store, { revision }), open)
      expect(ledger.position.compare(at(10))).toBe(0)
      await ledger.write(undefined, open)
    }
    expect(saves.map(each => each.revision)).toEqual([5, 5, 5, 5, 9, 9])
  })
})

describe('writing', () => {
  test('the checkpoint is handed on before the call returns, with every partition count that is known', async () => {
    const { store, saves } = remembering()
    const handed: Checkpoint[] = []
    const write = (checkpoint: Checkpoint) => {
      handed.push(checkpoint)
      return store.save(checkpoint, open)
    }
    const ledger = await Ledger.open(options(store, { write }), open)
    ledger.usePartitions('shop.orders', 6)
    const written = ledger.write(at(20), open)
    expect(handed.at(-1)).toMatchObject({ slot: 2, partitions: { 'shop.orders': 6 }, position: at(20).toJSON() })
    await written
    expect(saves.at(-1)).toBe(handed.at(-1))
    expect(ledger.partitions('shop.orders')).toBe(6)
    expect(ledger.partitions('constructor')).toBeUndefined()
  })

  test('the durable position follows the write, and whoever asked is told of it', async () => {
    const { store, close } = remembering()
    const told: Position[] = []
    const ledger = await Ledger.open(options(store, { onSaved: position => told.push(position) }), open)
    const release = close()
    const written = ledger.write(at(20), open)
    expect(ledger.position.compare(at(10))).toBe(0)
    release()
    await written
    expect(ledger.position.compare(at(20))).toBe(0)
    expect(told.map(position => position.timeMs)).toEqual([10_000, 20_000])
  })

  test('a failed write rejects, and the durable position stays', async () => {
    const { store } = remembering()
    let full = false
    const write: LedgerOptions['write'] = (checkpoint, signal) =>
      full ? Promise.reject(new Error('disk full')) : store.save(checkpoint, signal)
    const ledger = await Ledger.open(options(store, { write }), open)
    full = true
    await expect(ledger.write(at(30), open)).rejects.toThrow('disk full')
    expect(ledger.position.compare(at(10))).toBe(0)
  })

  test('two at a time are refused: the later one could be overtaken', async () => {
    const { store, close } = remembering()
    const ledger = await Ledger.open(options(store), open)
    const release = close()
    const first = ledger.write(at(20), open)
    await expect(ledger.write(at(30), open)).rejects.toThrow('already')
    release()
    await first
    expect(ledger.position.compare(at(20))).toBe(0)
  })

  test('the stored hash of the filter stays until a position of the new stream is written', async () => {
    const { store, saves } = remembering()
    await Ledger.open(options(store), open)
    const ledger = await Ledger.open(options(store, { filterHash: 'other' }), open)
    expect(ledger.isOfOtherStream).toBe(true)
    expect(saves.at(-1)).toMatchObject({ epoch: 2, filterHash: 'none' })
    await ledger.write(at(10), open)
    expect(ledger.isOfOtherStream).toBe(true)
    await ledger.write(at(20), open)
    expect(ledger.isOfOtherStream).toBe(false)
    expect(saves.at(-1)).toMatchObject({ filterHash: 'other' })
  })
})
