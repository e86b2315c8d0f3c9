import { expect, test } from 'vitest'
import { asFault, Configuration, Fault, Fenced, PoisonEvent, PositionLost, Retryable, remedies } from '../src/errors.ts'

test.each([Retryable, PositionLost, PoisonEvent, Fenced, Configuration])('%o says what it is and what to do', Kind => {
  const cause = new Error('below')
  const error = new Kind('SOURCE_NETWORK', 'connection lost', { cause })
  expect(error).toBeInstanceOf(Fault)
  expect(error).toMatchObject({
    name: Kind.name,
    code: 'SOURCE_NETWORK',
    message: 'connection lost',
    remedy: remedies.SOURCE_NETWORK,
    cause,
  })
})

test('codes are stable words, remedies are sentences', () => {
  for (const [code, remedy] of Object.entries(remedies)) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    expect(remedy.length, code).toBeGreaterThan(20)
    expect(remedy, code).toMatch(/^[A-Z]/)
  }
})

test('a fault stays itself; anything else becomes one that is not retried blindly', () => {
  const fault = new Retryable('SOURCE_NETWORK', 'x')
  expect(asFault(fault)).toBe(fault)
  const cause = new TypeError('undefined is not a function')
  expect(asFault(cause)).toBeInstanceOf(Configuration)
  expect(asFault(cause)).toMatchObject({ code: 'INTERNAL', message: cause.message, cause })
  expect(asFault('thrown text')).toMatchObject({ code: 'INTERNAL', message: 'thrown text' })
})

test('a poison event says whether it is one by its size', () => {
  expect(new PoisonEvent('SINK_RECORD_TOO_LARGE', 'x').reason).toBe('oversize')
  expect(new PoisonEvent('EVENT_UNENCODABLE', 'x').reason).toBe('poison')
})
