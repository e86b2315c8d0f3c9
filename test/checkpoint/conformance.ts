import { describe, expect, it } from 'vitest'
import type { CheckpointStore } from '../../src/checkpoint/checkpoint.ts'
import { serializeCheckpoint } from '../../src/checkpoint/format.ts'
import { sample } from './sample.ts'

/** One place that holds checkpoints, and how to get at it from behind. */
export interface StoreUnderTest {
  open(): Promise<CheckpointStore>
  /** Puts `bytes` where the store keeps pipeline `orders`, slot 0. */
  plant(bytes: Buffer): Promise<void>
}

const never = new AbortController().signal

/** What every checkpoint store does. `create` gives an empty place each time. */
export function describeStore(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(name, () => {
    it('knows nothing of what was never saved', async () => {
      const place = await create()
      await using store = await place.open()
      expect(await store.load('orders', 0, never)).toBeUndefined()
    })

    it('loads what was saved, at once and after it was opened again', async () => {
      const place = await create()
      const other = sample({ pipeline: 'Users & more/0', epoch: 9 })
      {
        await using store = await place.open()
        await store.save(sample({ epoch: 1 }), never)
        await store.save(other, never)
        await store.save(sample({ epoch: 2 }), never)
        expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 2 }))
      }
      await using store = await place.open()
      expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 2 }))
      expect(await store.load('Users & more/0', 0, never)).toEqual(other)
      expect(await store.load('another', 0, never)).toBeUndefined()
    })

    it('lets the last of concurrent saves win, and settles them all', async () => {
      const place = await create()
      const saves = 50
      {
        await using store = await place.open()
        await Promise.all(
          Array.from({ length: saves }, async (_, i) => {
            await store.save(sample({ epoch: i + 1 }), never)
            expect((await store.load('orders', 0, never))?.epoch).toBeGreaterThan(i)
          }),
        )
      }
      await using store = await place.open()
      expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: saves }))
    })

    it('is a clear error where the stored bytes are damaged, torn or empty', async () => {
      const bytes = serializeCheckpoint(sample())
      const damaged = Buffer.from(bytes)
      damaged[40]! ^= 1
      for (const wrong of [damaged, bytes.subarray(0, 60), Buffer.alloc(0)]) {
        const place = await create()
        await place.plant(wrong)
        await using store = await place.open()
        await expect(store.load('orders', 0, never)).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' })
        expect(await store.load('another', 0, never)).toBeUndefined()
      }
    })

    it("is a clear error where it is another pipeline's, or a newer release's", async () => {
      const place = await create()
      await place.plant(serializeCheckpoint(sample({ pipeline: 'users' })))
      await using store = await place.open()
      await expect(store.load('orders', 0, never)).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' })
      const newerPlace = await create()
      const newer = { ...sample(), formatVersion: 4 } as unknown as ReturnType<typeof sample>
      await newerPlace.plant(serializeCheckpoint(newer))
      await using newerStore = await newerPlace.open()
      await expect(newerStore.load('orders', 0, never)).rejects.toMatchObject({ code: 'CHECKPOINT_NEWER' })
    })

    it('does not begin what is aborted already', async () => {
      const place = await create()
      await using store = await place.open()
      const aborted = AbortSignal.abort(new Error('stopping'))
      await expect(store.save(sample(), aborted)).rejects.toThrow('stopping')
      await expect(store.load('orders', 0, aborted)).rejects.toThrow('stopping')
      expect(await store.load('orders', 0, never)).toBeUndefined()
    })
  })
}
