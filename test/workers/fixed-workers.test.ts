import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Lease } from '../../src/lease.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { createWorkers } from '../../src/workers/create-workers.ts'

const parts = { clock: systemClock, log: silentLogger, meter: silentMeter }

/** Notes what is taken and released; a release waits for `drained`. */
function notingHolder() {
  const notes: string[] = []
  const drained = Promise.withResolvers<void>()
  let lease: Lease | undefined
  const holder = {
    take(slots: readonly number[], given: Lease) {
      lease = given
      notes.push(`take ${slots}`)
    },
    async release(slots: readonly number[]) {
      notes.push(`release ${slots}`)
      await drained.promise
      notes.push('released')
    },
  }
  return { holder, notes, drained, lease: () => lease! }
}

describe('a worker whose slots are fixed', () => {
  it('alone has them all, and ends when they are released', async () => {
    const workers = createWorkers({ coordination: 'none', slots: 3 }, parts)
    expect(workers.status).toMatchObject({ coordination: 'none', name: null, workers: [] })
    const { holder, notes, drained, lease } = notingHolder()
    const stop = new AbortController()
    const running = workers.run(holder, stop.signal)
    expect(notes).toEqual(['take 0,1,2'])
    expect(workers.status).toMatchObject({ state: 'working', owned: [0, 1, 2] })
    await lease().confirm(new AbortController().signal)
    await expect(lease().confirm(AbortSignal.abort(new Error('no')))).rejects.toThrow('no')
    stop.abort()
    await Promise.resolve()
    drained.resolve()
    await running
    expect(notes).toEqual(['take 0,1,2', 'release 0,1,2', 'released'])
    expect(workers.status.state).toBe('stopped')
  })

  it('has those of its number', async () => {
    const options = { slots: 4, ordinal: undefined, replicas: 2, hostname: 'm-1' }
    const workers = createWorkers({ coordination: 'static', ...options }, parts)
    expect(workers.status).toMatchObject({ coordination: 'static', name: '1', owned: [1, 3] })
    expect(workers.status.workers).toEqual([
      { name: '0', owned: [0, 2] },
      { name: '1', owned: [1, 3] },
    ])
    const { holder, notes, drained } = notingHolder()
    drained.resolve()
    const stop = new AbortController()
    const running = workers.run(holder, stop.signal)
    stop.abort()
    await running
    expect(notes).toEqual(['take 1,3', 'release 1,3', 'released'])
  })

  it('stands by without any, and takes none when it is stopped before', async () => {
    const options = { slots: 1, ordinal: 1, replicas: 2, hostname: 'm' }
    const workers = createWorkers({ coordination: 'static', ...options }, parts)
    const { holder, notes } = notingHolder()
    const stop = new AbortController()
    const running = workers.run(holder, stop.signal)
    expect(workers.status.state).toBe('standby')
    stop.abort()
    await running
    await createWorkers({ coordination: 'none', slots: 1 }, parts).run(holder, stop.signal)
    expect(notes).toEqual([])
  })
})
