import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { PoisonEvent, Retryable } from '../../src/errors.ts'
import { commitIntervalMs, ExactlyOnce } from '../../src/pipeline/exactly-once.ts'
import type { PreparedBatch } from '../../src/pipeline/pipeline.ts'
import { Position } from '../../src/position.ts'
import { packRecords } from '../../src/record-headers.ts'

const open = new AbortController().signal
const turn = () => new Promise(setImmediate)

function batch(seconds: number, recordCount: number, bytes = recordCount): PreparedBatch {
  const records = { ...packRecords([]), count: recordCount }
  const position = Position.ofTime(BigInt(seconds) << 32n)
  return { records, recordCount, position, bytes, oldestMs: undefined, times: [], release() {} }
}

/** A sink and a ledger that tell in which order they were called; time that passes by hand. */
function setting() {
  const steps: string[] = []
  const hurry = new AbortController()
  const world = {
    send: async (): Promise<void> => undefined,
    write: async (): Promise<void> => undefined,
    nowMs: 0,
    wake: (): void => undefined,
  }
  const clock: Clock = {
    nowMs: () => world.nowMs,
    random: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        steps.push(`sleep ${ms}`)
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
        world.wake = () => {
          world.nowMs += ms
          resolve()
        }
      }),
  }
  const delivery = new ExactlyOnce({
    sink: {
      send(records) {
        steps.push(`send ${records.count}`)
        return world.send()
      },
    },
    ledger: {
      usePartitions: (topic, count) => void steps.push(`count ${topic} ${count}`),
      write(position) {
        steps.push(`commit ${position && position.timeMs / 1_000}`)
        return world.write()
      },
    },
    intervalMs: () => 50,
    transactionBytes: 100,
    hurry: hurry.signal,
    clock,
  })
  return { world, steps, delivery, hurry }
}

describe('committing', () => {
  test('records go out at once; one commit holds what was sent until then, and settles it all', async () => {
    const { world, steps, delivery } = setting()
    const settled = Promise.all([delivery.deliver(batch(1, 3), open), delivery.deliver(batch(2, 4), open)])
    await turn()
    expect(steps).toEqual(['send 3', 'sleep 50', 'send 4'])
    world.wake()
    await settled
    expect(steps).toEqual(['send 3', 'sleep 50', 'send 4', 'commit 2', 'sleep 50'])
  })

  test('what is sent while a commit is under way belongs to the next one', async () => {
    const { world, steps, delivery } = setting()
    const committed = Promise.withResolvers<void>()
    world.write = () => committed.promise
    world.nowMs = 1_000
    const first = delivery.deliver(batch(1, 1), open)
    await turn()
    let isSecondSettled = false
    const second = delivery.deliver(batch(2, 2), open).then(() => {
      isSecondSettled = true
    })
    const marked = delivery.deliver(batch(3, 0), open)
    committed.resolve()
    await first
    await turn()
    expect(isSecondSettled).toBe(false)
    expect(steps).toEqual(['send 1', 'commit 1', 'send 2', 'sleep 50'])
    world.wake()
    await Promise.all([second, marked])
    expect(steps.slice(4)).toEqual(['commit 3', 'sleep 50'])
  })

  test.each([
    [
      'a transaction that has grown large',
      ({ delivery }: ReturnType<typeof setting>) => delivery.deliver(batch(2, 1, 99), open),
    ],
    ['a stop', ({ hurry }: ReturnType<typeof setting>) => hurry.abort()],
  ])('%s is committed without waiting', async (_name, hasten) => {
    const all = setting()
    const first = all.delivery.deliver(batch(1, 1), open)
    await turn()
    expect(all.steps.at(-1)).toBe('sleep 50')
    await hasten(all)
    await first
    expect(all.steps.some(step => step.startsWith('commit'))).toBe(true)
  })

  test('a count travels with the next commit: nothing waits for it', async () => {
    const { steps, delivery } = setting()
    await delivery.usePartitions('shop.orders', 4)
    expect(steps).toEqual(['count shop.orders 4'])
  })

  test('positions without records are committed alone only now and then', async () => {
    const { world, steps, delivery } = setting()
    for (let seconds = 1; seconds < 10; seconds++) await delivery.deliver(batch(seconds, 0), open)
    expect(steps).toEqual([])
    world.nowMs = 10_000
    await delivery.deliver(batch(10, 0), open)
    await delivery.deliver(batch(11, 0), open)
    expect(steps).toEqual(['commit 10', 'sleep 50'])
  })

  test('a clock that was set back does not put that off for ever', async () => {
    const { world, steps, delivery } = setting()
    world.nowMs = -1
    const delivered = delivery.deliver(batch(1, 0), open)
    expect(steps).toEqual(['sleep 50'])
    world.wake()
    await delivered
    expect(steps[1]).toBe('commit 1')
  })
})

describe('failing', () => {
  test('after a failed send nothing is committed, and its own error is told', async () => {
    const { world, steps, delivery } = setting()
    const poison = new PoisonEvent('SINK_RECORD_TOO_LARGE', 'too large')
    const first = delivery.deliver(batch(1, 1), open)
    world.send = () => Promise.reject(poison)
    const second = delivery.deliver(batch(2, 1), open)
    await expect(second).rejects.toBe(poison)
    await expect(first).rejects.toBe(poison)
    await expect(delivery.deliver(batch(3, 0), open)).rejects.toBe(poison)
    expect(steps).not.toContainEqual(expect.stringMatching(/commit/))
  })

  test('after a failed commit there is no other: its outcome is unknown', async () => {
    const { world, steps, delivery } = setting()
    const lost = new Retryable('SINK_UNAVAILABLE', 'the connection was lost')
    world.write = () => Promise.reject(lost)
    world.nowMs = 1_000
    await expect(delivery.deliver(batch(1, 1), open)).rejects.toBe(lost)
    await expect(delivery.deliver(batch(2, 1), open)).rejects.toBe(lost)
    expect(steps.filter(step => step.startsWith('commit'))).toEqual(['commit 1'])
  })

  test('a failure is told only when its own write can no longer land', async () => {
    const { world, delivery } = setting()
    const sent = Promise.withResolvers<void>()
    world.send = () => sent.promise
    world.nowMs = 1_000
    world.write = () => Promise.reject(new Retryable('SINK_UNAVAILABLE', 'no coordinator'))
    let isSettled = false
    const failing = delivery.deliver(batch(1, 1), open).finally(() => {
      isSettled = true
    })
    await turn()
    expect(isSettled).toBe(false)
    sent.resolve()
    await expect(failing).rejects.toThrow('no coordinator')
  })
})

test('the commits of all sinks of a worker together are bounded, and none waits longer than a second', () => {
  expect(commitIntervalMs(0)).toBe(10)
  expect(commitIntervalMs(4)).toBe(20)
  expect(commitIntervalMs(16)).toBe(80)
  expect(commitIntervalMs(10_000)).toBe(1_000)
})
