import { protocolErrors } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { BrokerError, errorName } from '../../../../src/sink/kafka/protocol/broker-error.ts'

const ids = new Map(Object.values(protocolErrors).map(({ code, id }) => [code, id]))

describe('the names of Kafka errors', () => {
  it("are Kafka's own", () => {
    const named = [...ids.keys()].filter(code => !errorName(code).startsWith('error '))
    expect(named.length).toBeGreaterThan(30)
    for (const code of named) expect(errorName(code)).toBe(`${ids.get(code)} (${code})`)
  })

  it('are replaced by the code where we know none', () => {
    expect(new BrokerError(4_711)).toMatchObject({ code: 4_711, message: 'the broker answers error 4711' })
  })
})
