import { expect, test } from 'vitest'
import { positionBytes } from '../../src/encode/headers.ts'
import { type Fault, PoisonEvent, Retryable } from '../../src/errors.ts'
import { type OnError, Verdicts } from '../../src/pipeline/verdicts.ts'
import { Position } from '../../src/position.ts'
import { positionAt } from '../encode/events.ts'

const onError: OnError = { oversize: 'dead-letter', poison: 'dead-letter', deadLetterTopic: '{topic}.dlq' }

function refusalAt(position: Position, recordNumber = 0): PoisonEvent {
  const header = positionBytes(3, position, recordNumber)
  const record = { topic: 'orders', partition: 0, keyBytes: 1, position: header }
  return new PoisonEvent('SINK_RECORD_TOO_LARGE', 'too large', { record })
}

test('a refusal is remembered for the event, whichever of its records it was', () => {
  const verdicts = new Verdicts(onError)
  const refusal = refusalAt(positionAt(5), 1)
  expect(verdicts.judge(refusal)).toBeUndefined()
  const ahead = verdicts.ahead()
  expect(ahead.enter(positionAt(4))).toBe(false)
  expect(ahead.enter(positionAt(6))).toBe(true)
  expect(ahead.of(positionAt(5))).toBe(refusal)
  expect(ahead.of(positionAt(5, '5A11'))).toBeUndefined()
  expect(ahead.enter(positionAt(7)), 'it is passed').toBe(false)
})

test('positions of any content come back from the header', () => {
  const verdicts = new Verdicts(onError)
  const positions = ['00', '0000', '00FF', 'FF00', '5A00FF0001'].map(rest => positionAt(5, rest))
  for (const position of positions) expect(verdicts.judge(refusalAt(position))).toBeUndefined()
  const ahead = verdicts.ahead()
  expect(ahead.enter(positionAt(6))).toBe(true)
  for (const position of positions) expect(ahead.of(position)).toBeDefined()
})

test('what the durable position has passed is forgotten, what is after it is not', () => {
  const verdicts = new Verdicts(onError)
  for (const seconds of [5, 6, 7]) verdicts.judge(refusalAt(positionAt(seconds)))
  verdicts.forget(positionAt(6))
  const ahead = verdicts.ahead()
  expect(ahead.enter(positionAt(6))).toBe(false)
  expect(ahead.enter(positionAt(9))).toBe(true)
  expect(ahead.of(positionAt(6))).toBeUndefined()
  expect(ahead.of(positionAt(7))).toBeDefined()
})

test('a bare cluster time is before the events of that time', () => {
  const verdicts = new Verdicts(onError)
  verdicts.judge(refusalAt(positionAt(5)))
  verdicts.forget(Position.ofTime(5n << 32n))
  expect(verdicts.ahead().enter(positionAt(5))).toBe(true)
})

test('the same event again means that its dead letter was refused: that is for a person', () => {
  const verdicts = new Verdicts(onError)
  verdicts.judge(refusalAt(positionAt(5)))
  const refusal = refusalAt(positionAt(5))
  expect(verdicts.judge(refusal)).toMatchObject({ code: 'DEAD_LETTER_REFUSED', cause: refusal })
})

test('more open ones than it remembers are for a person too', () => {
  const verdicts = new Verdicts(onError)
  let last: Fault | undefined
  let count = 0
  while (last === undefined && count < 10_000) last = verdicts.judge(refusalAt(positionAt(++count)))
  expect(last).toMatchObject({ code: 'DEAD_LETTER_LIMIT' })
  expect(count).toBe(4_097)
})

test('what the pipeline is to fail at, what names no event, and what is no refusal stays as it is', () => {
  const failing = new Verdicts({ ...onError, oversize: 'fail' })
  const refusal = refusalAt(positionAt(5))
  expect(failing.judge(refusal)).toBe(refusal)
  const verdicts = new Verdicts(onError)
  const record = { topic: 'orders', partition: 0, keyBytes: 1 }
  const faults = [
    new PoisonEvent('SINK_RECORD_TOO_LARGE', 'too large'),
    new PoisonEvent('SINK_RECORD_TOO_LARGE', 'too large', { record: { ...record, position: undefined } }),
    new PoisonEvent('SINK_RECORD_TOO_LARGE', 'too large', { record: { ...record, position: Buffer.alloc(9) } }),
    new Retryable('SINK_UNAVAILABLE', 'later'),
  ]
  for (const fault of faults) expect(verdicts.judge(fault)).toBe(fault)
})
