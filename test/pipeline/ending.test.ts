import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Fenced, Retryable } from '../../src/errors.ts'
import { Ending } from '../../src/pipeline/ending.ts'
import type { PipelineParts } from '../../src/pipeline/parts.ts'
import { packRecords } from '../../src/record-headers.ts'
import { at } from './batch.ts'
import { events, Stage, sentAtFirst } from './replay-stage.ts'

describe('the end of reading', () => {
  test('is the stop, where nothing is sent again', () => {
    const stop = new AbortController()
    using ending = new Ending(stop.signal, undefined)
    expect(ending.signal.aborted).toBe(false)
    stop.abort()
    expect(ending.signal.aborted).toBe(true)
  })

  test('is in the middle of a replay put off until that is through', () => {
    const stop = new AbortController()
    const until = new AbortController().signal
    using ending = new Ending(stop.signal, { to: at(10), until, isFirm: true })
    ending.reached(at(8))
    stop.abort()
    ending.reached(at(9))
    expect(ending.signal.aborted).toBe(false)
    ending.reached(at(10))
    expect(ending.signal.aborted).toBe(true)
  })

  test('is put off for so long only', () => {
    const stop = new AbortController()
    const until = new AbortController()
    using ending = new Ending(stop.signal, { to: at(10), until: until.signal, isFirm: true })
    stop.abort()
    expect(ending.signal.aborted).toBe(false)
    until.abort()
    expect(ending.signal.aborted).toBe(true)
  })

  test('of a replay that is through, or whose time was over before, is the stop', () => {
    const stop = new AbortController()
    const until = new AbortController()
    const replay = { to: at(10), until: until.signal, isFirm: true }
    using through = new Ending(stop.signal, replay)
    using late = new Ending(stop.signal, replay)
    through.reached(at(11))
    until.abort()
    expect([through.signal.aborted, late.signal.aborted]).toEqual([false, false])
    stop.abort()
    expect([through.signal.aborted, late.signal.aborted]).toEqual([true, true])
  })
})

const none = packRecords([])
const first = ['1', '2', '3', '4', '5', '6'].map(id => `shop ${id}`)
const again = ['|', 'shop.dlq 3', 'shop 4', 'shop 5', 'shop 6']
/** Of at-least-once: the two before the refused one are acknowledged and saved. */
const whole = [...first, ...again]

describe('a stop in the replay after a refusal', () => {
  test('waits until what was sent before is sent again and saved, and reads no further: a clean stop', async () => {
    const stage = new Stage()
    stage.onSend = record => void (record === 'shop.dlq 3' && stage.stop.abort())
    expect(await stage.run()).toBeUndefined()
    expect(stage.sent).toEqual(whole)
    expect(stage.saved?.position).toEqual(events[sentAtFirst - 1]!.position.toJSON())
  })

  test('also while the sink is opened for it', async () => {
    const stage = new Stage()
    stage.onOpen = () => {
      if (stage.attempts === 2) stage.stop.abort()
    }
    expect(await stage.run()).toBeUndefined()
    expect(stage.sent).toEqual(whole)
  })

  test('also where the refusal comes after the stop, while the sink is drained', async () => {
    const stage = new Stage()
    stage.onSend = record => void (record === `shop ${sentAtFirst}` && stage.stop.abort())
    expect(await stage.run()).toBeUndefined()
    expect(stage.sent).toEqual(whole)
  })

  test('lasts no longer than draining, and then says what is replayed', async () => {
    const stage = new Stage()
    stage.onSend = record => {
      if (record !== 'shop.dlq 3') return undefined
      stage.stop.abort()
      return new Promise(() => undefined)
    }
    const fault = await stage.run({ limits: { inFlightBytes: 1 << 20, drainMs: 1 } })
    expect(fault).toMatchObject({ code: 'DRAIN_TIMEOUT' })
  })

  test('sends nothing more once the slot is lost', async () => {
    const stage = new Stage()
    stage.onSend = record => {
      if (record !== 'shop.dlq 3') return undefined
      stage.lost.abort(new Fenced('WORKERS_LOST', 'gone'))
      stage.stop.abort()
      return undefined
    }
    expect(await stage.run()).toMatchObject({ code: 'DRAIN_TIMEOUT', cause: { code: 'SINK_RECORD_TOO_LARGE' } })
    expect(stage.sent).toEqual([...first, '|', 'shop.dlq 3'])
  })
})

describe('a stop while a target that is gone is waited for', () => {
  const gone = () => new Retryable('SINK_UNAVAILABLE', 'no broker')
  const stopInBackOff = (stage: Stage) => ({
    clock: {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => {
        if (ms >= 1e8) stage.stop.abort()
        return systemClock.sleep(ms, signal)
      },
    },
  })

  const ofTransactions = (): PipelineParts['store'] => {
    const nothing = async () => undefined
    return Object.assign({ load: nothing, save: nothing, [Symbol.asyncDispose]: nothing }, { toRecords: () => none })
  }

  test.each([
    ['at-least-once', 'the next start repeats', {}],
    ['exactly-once', 'are in an open transaction', { delivery: 'exactly-once', store: ofTransactions() }],
  ] as const)('%s: is not clean where records were sent that %s, and waits for nothing', async (_, _what, others) => {
    const stage = new Stage()
    stage.fault = gone
    const fault = await stage.run({ ...stopInBackOff(stage), ...others })
    expect(fault).toMatchObject({ code: 'SINK_UNAVAILABLE', message: 'no broker' })
    expect(stage.attempts).toBe(1)
  })

  test('is clean where nothing was sent yet', async () => {
    const stage = new Stage()
    const openSink = () => Promise.reject(gone())
    expect(await stage.run({ ...stopInBackOff(stage), openSink })).toBeUndefined()
  })
})
