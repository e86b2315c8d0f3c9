import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Configuration, Fenced, PositionLost, Retryable } from '../../src/errors.ts'
import type { ChangeBatch } from '../../src/event.ts'
import type { Delivery, PreparedBatch } from '../../src/pipeline/pipeline.ts'
import { mostConsequential, type StreamParts, stream } from '../../src/pipeline/stream.ts'
import { Position } from '../../src/position.ts'
import { packRecords } from '../../src/record-headers.ts'

const batch: ChangeBatch = { events: [], position: Position.ofTime(1n), bytes: 1 }
const prepared: PreparedBatch = {
  records: packRecords([]),
  recordCount: 0,
  position: batch.position,
  bytes: 1,
  oldestMs: undefined,
  times: [],
  release() {},
}
const hanging = () => new Promise<never>(() => undefined)

function parts(read: StreamParts['source']['read'], deliver: Delivery['deliver'], drainMs = 60_000): StreamParts {
  return {
    source: { read },
    from: batch.position,
    prepare: async () => prepared,
    delivery: { deliver },
    watch: { doing() {}, began() {}, delivered() {} },
    clock: systemClock,
    limits: { inFlightBytes: 10, drainMs },
  }
}

async function* once(): AsyncGenerator<ChangeBatch> {
  yield batch
}

describe('stream', () => {
  test('a sink that hangs keeps a stop waiting no longer than the drain limit, and says what is replayed', async () => {
    const stop = new AbortController()
    const running = stream(parts(once, hanging, 5), stop.signal)
    await new Promise(setImmediate)
    stop.abort()
    await expect(running).rejects.toMatchObject({ code: 'DRAIN_TIMEOUT', message: expect.stringContaining('1 bytes') })
  })

  test('waits for open writes after the source has failed, then throws its error', async () => {
    const written = Promise.withResolvers<void>()
    const lost = new PositionLost('SOURCE_HISTORY_LOST', 'gone')
    async function* failing(): AsyncGenerator<ChangeBatch> {
      yield batch
      throw lost
    }
    let ended = false
    const running = stream(
      parts(failing, () => written.promise),
      new AbortController().signal,
    ).finally(() => {
      ended = true
    })
    await new Promise(setImmediate)
    expect(ended).toBe(false)
    written.resolve()
    await expect(running).rejects.toBe(lost)
  })

  test('gives the memory of a batch back once the sink has taken it, also where it is never sent', async () => {
    const steps: string[] = []
    const stop = new AbortController()
    const open = parts(once, async () => void steps.push('taken'))
    const prepare = async () => ({ ...prepared, bytes: 8, release: () => void steps.push('released') })
    async function* twice(): AsyncGenerator<ChangeBatch> {
      yield batch
      stop.abort()
      yield batch
    }
    await stream({ ...open, source: { read: twice }, prepare }, stop.signal)
    expect(steps).toEqual(['taken', 'released', 'released'])
  })

  test('when both sides fail, the more consequential error surfaces and the other is its cause', async () => {
    const unavailable = new Retryable('SINK_UNAVAILABLE', 'no broker')
    const lost = new PositionLost('SOURCE_HISTORY_LOST', 'gone')
    async function* failing(): AsyncGenerator<ChangeBatch> {
      yield batch
      await new Promise(setImmediate)
      throw lost
    }
    const running = stream(
      parts(failing, () => Promise.reject(unavailable)),
      new AbortController().signal,
    )
    await expect(running).rejects.toMatchObject({ code: 'SOURCE_HISTORY_LOST', cause: { errors: [unavailable] } })
  })
})

test('consequences are ranked: position lost, fenced, configuration, retry', () => {
  const retry = new Retryable('SINK_UNAVAILABLE', 'a')
  const wrong = new Configuration('SINK_UNAUTHORIZED', 'b')
  const fenced = new Fenced('SINK_REJECTED', 'c')
  expect(mostConsequential([retry, wrong])).toBe(wrong)
  expect(mostConsequential([retry, wrong, fenced])).toBe(fenced)
  expect(mostConsequential([retry, new Error('x')]).message).toBe('x')
})
