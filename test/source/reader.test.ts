import { BSON, type Document, Long, type MongoClient, MongoNetworkError, MongoServerError, Timestamp } from 'mongodb'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { Position } from '../../src/position.ts'
import { futurePatienceMs } from '../../src/source/future.ts'
import { ChangeStreamReader } from '../../src/source/reader.ts'
import { VirtualTime } from '../sink/kafka/producer/virtual-time.ts'

const patienceMs = 30_000
/** Between two tries at most. */
const longestPauseMs = 2_000
const gone = () => new MongoNetworkError('gone')
const at = (second: number) => Position.ofTime(BigInt(second) << 32n)

/** A primary that has reached that second: what it answers to an aggregate, and to a getMore. */
function primaryAt(second: number, { getMore }: Document): Document {
  const _data = `82${second.toString(16).padStart(8, '0')}000000012B022C0100296E04`
  const batch = getMore ? { nextBatch: [], postBatchResumeToken: { _data } } : { firstBatch: [] }
  const cursor = Buffer.from(BSON.serialize({ id: Long.fromNumber(5), ...batch }))
  return { cursor, operationTime: new Timestamp({ t: second, i: 1 }) }
}

/** A reader of the MongoDB that answers as `answer` says, in virtual time; `stepMs` sets the time of day. */
function stage(answer: (command: Document, passedMs: number) => Document, isAlone = () => true) {
  const time = new VirtualTime(1)
  const startMs = time.nowMs()
  const passedMs = () => time.nowMs() - startMs
  let steppedMs = 0
  const clock: Clock = {
    nowMs: () => time.nowMs() + steppedMs,
    monotonicMs: () => time.nowMs(),
    sleep: (ms, signal) => time.sleep(ms, signal),
    random: () => time.random(),
  }
  const client = {
    startSession: () => ({ endSession: async () => undefined }),
    db: () => ({ command: async (command: Document) => answer(command, passedMs()) }),
  } as unknown as MongoClient
  const reader = new ChangeStreamReader({
    ...{ client, clock, log: silentLogger, meter: silentMeter, filter: undefined, awaitMs: 1_000 },
    scope: { db: 'd', collection: undefined },
    images: { after: 'default', before: 'default' },
    ...{ deadlineMs: 10_000, batchBytes: 3 << 20, maxBatchEvents: 5_000, patienceMs },
    audience: {
      readers: 1,
      get isAlone() {
        return isAlone()
      },
    },
  })
  /** The code with which it ends, or `read` once there is a batch. */
  const read = async (from: Position): Promise<string> => {
    const stop = new AbortController()
    let ending: string | undefined
    const first = async () => {
      for await (const _ of reader.read(from, stop.signal)) return 'read'
      return 'nothing'
    }
    first().then(
      word => {
        ending = word
      },
      error => {
        ending = error.code
      },
    )
    // Where nothing is to happen later, it still works on what has happened.
    for (let turns = 0; turns < 100 && ending === undefined; turns++) await time.run(() => ending !== undefined)
    stop.abort()
    return ending ?? 'pending'
  }
  const setClock = (ms: number) => {
    steppedMs = ms
  }
  return { read, passedMs, setClock }
}

describe('the patience of a reader', () => {
  it.each([-3_600_000, 0, 3_600_000])('lasts as long when the time of day is set by %d ms', async stepMs => {
    const { read, passedMs, setClock } = stage((_, ms) => {
      if (ms > 5_000) setClock(stepMs)
      throw gone()
    })
    expect(await read(at(10))).toBe('SOURCE_NETWORK')
    expect(passedMs()).toBeGreaterThan(patienceMs)
    expect(passedMs()).toBeLessThanOrEqual(patienceMs + longestPauseMs)
  })

  it('with a primary that is behind is eleven seconds', async () => {
    const { read, passedMs } = stage(command => primaryAt(8, command))
    expect(await read(at(10))).toBe('SOURCE_FROM_FUTURE')
    expect(passedMs()).toBeGreaterThanOrEqual(futurePatienceMs)
    expect(passedMs()).toBeLessThanOrEqual(futurePatienceMs + longestPauseMs)
  })

  it('with a primary that is behind begins when there is one', async () => {
    const downMs = patienceMs - longestPauseMs
    const caughtUpMs = downMs + futurePatienceMs - longestPauseMs
    const { read, passedMs } = stage((command, ms) => {
      if (ms < downMs) throw gone()
      return primaryAt(ms < caughtUpMs ? 8 : 10, command)
    })
    expect(await read(at(10))).toBe('read')
    expect(passedMs()).toBeGreaterThan(patienceMs)
  })
})

describe('an event that MongoDB cannot send', () => {
  /** Fails at the event of that second, which the message names. */
  const tooLarge = (second: number) => {
    const _data = `82${second.toString(16).padStart(8, '0')}000000012B022C0100296E04`.toUpperCase()
    return new MongoServerError({ code: 10334, message: `BSONObj size … First element: _id: { _data: "${_data}" }` })
  }
  /** The stages behind $changeStream with which a stream is opened. */
  const stagesOf = ({ pipeline }: Document) => JSON.stringify(pipeline.slice(1))

  it('is asked for without its documents, once: where that fails, as where MongoDB does not name it, it ends', async () => {
    const opened: string[] = []
    const { read } = stage(command => {
      if (!command.getMore) opened.push(stagesOf(command))
      else throw tooLarge(11)
      return primaryAt(20, command)
    })
    expect(await read(at(10))).toBe('SOURCE_EVENT_TOO_LARGE')
    expect(opened).toEqual(['[]', expect.stringContaining('$replaceWith')])
    const nameless = stage(command => {
      if (command.getMore) throw new MongoServerError({ code: 10334, message: 'BSONObj size' })
      return primaryAt(20, command)
    })
    expect(await nameless.read(at(10))).toBe('SOURCE_EVENT_TOO_LARGE')
  })

  it('is left to others who may still get it whole, while there are some', async () => {
    const { read } = stage(
      command => {
        if (command.getMore) throw tooLarge(11)
        return primaryAt(20, command)
      },
      () => false,
    )
    expect(await read(at(10))).toBe('SOURCE_EVENT_TOO_LARGE')
  })

  it('and that is behind us is none that could be passed', async () => {
    const { read } = stage(command => {
      if (command.getMore) throw tooLarge(9)
      return primaryAt(20, command)
    })
    expect(await read(at(10))).toBe('SOURCE_EVENT_TOO_LARGE')
  })

  it('is among at most a hundred that are ahead', async () => {
    let asked = 0
    const { read } = stage(command => {
      if (command.getMore) throw tooLarge(11 + asked++)
      return primaryAt(1_000, command)
    })
    expect(await read(at(10))).toBe('SOURCE_EVENT_TOO_LARGE')
    expect(asked).toBe(101)
  })
})
