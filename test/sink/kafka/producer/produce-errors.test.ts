import { protocolErrorsCodesById } from '@platformatic/kafka'
import { describe, expect, test } from 'vitest'
import { Configuration, Fenced, Retryable } from '../../../../src/errors.ts'
import { faultOfCode, isTooLarge, meaningOf, nameOf } from '../../../../src/sink/kafka/producer/produce-errors.ts'

describe('the errors of Produce', () => {
  test.each([
    [0, 'acknowledged'],
    [46, 'acknowledged'],
    [45, 'out-of-order'],
    [19, 'retry'],
    [20, 'retry'],
    [7, 'retry'],
    [6, 'retry-elsewhere'],
    [3, 'retry-elsewhere'],
    [13, 'retry-elsewhere'],
    [56, 'retry-elsewhere'],
    [10, 'fatal'],
    [29, 'fatal'],
    [47, 'fatal'],
    [59, 'fatal'],
    [87, 'fatal'],
    [90, 'fatal'],
    [-1, 'fatal'],
    [9_999, 'fatal'],
  ])('%i is %s', (code, meaning) => {
    expect(meaningOf(code)).toBe(meaning)
  })

  test('names are those of the protocol', () => {
    const known = Object.entries(protocolErrorsCodesById).filter(([code]) => !nameOf(Number(code)).startsWith('error'))
    expect(known.length).toBeGreaterThan(35)
    for (const [code, name] of known) expect(nameOf(Number(code))).toBe(name)
    expect(nameOf(9_999)).toBe('error 9999')
  })

  test('what ends a producer, as the loop must act', () => {
    expect(faultOfCode(87, 'send')).toBeInstanceOf(Configuration)
    expect(faultOfCode(29, 'send').code).toBe('SINK_UNAUTHORIZED')
    expect(faultOfCode(90, 'send')).toBeInstanceOf(Fenced)
    for (const code of [45, 47, 59, -1, 9_999]) expect(faultOfCode(code, 'send')).toBeInstanceOf(Retryable)
    expect(faultOfCode(45, 'send 3 records').message).toBe('Kafka: send 3 records: OUT_OF_ORDER_SEQUENCE_NUMBER (45)')
    expect([10, 18, 87].map(isTooLarge)).toEqual([true, true, false])
  })
})
