import { expect, it } from 'vitest'
import { saslAuthenticateRequest } from '../../../../src/sink/kafka/protocol/sasl-authenticate.ts'

const bytes = Buffer.from('hello')

it('carries a message and its answer, and in version 1 how long the login lasts', () => {
  for (const version of [0, 1] as const) {
    const { apiVersion, encode, parse } = saslAuthenticateRequest(bytes, version)
    expect(apiVersion).toBe(version)
    expect(Buffer.concat(encode()).toString('hex')).toBe('0000000568656c6c6f')
    const answer = Buffer.from(`0000ffff000000026f6b${version === 1 ? '0000000000002710' : ''}`, 'hex')
    expect(parse(answer)).toEqual({ bytes: Buffer.from('ok'), sessionMs: version === 1 ? 10_000 : 0 })
  }
})

it("throws the broker's own words", () => {
  const { parse } = saslAuthenticateRequest(bytes, 0)
  expect(() => parse(Buffer.from('003a00036e6f21ffffffff', 'hex'))).toThrow(
    expect.objectContaining({ code: 58, message: expect.stringContaining('no!') }),
  )
})
