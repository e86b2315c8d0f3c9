import { expect, it } from 'vitest'
import { saslHandshakeRequest } from '../../../../src/sink/kafka/protocol/sasl-handshake.ts'

const { encode, parse } = saslHandshakeRequest('PLAIN')
const mechanisms = '00000002' + '0005504c41494e' + '000b4f41555448424541524552'

it('names the mechanism', () => {
  expect(Buffer.concat(encode()).toString('hex')).toBe('0005504c41494e')
  expect(parse(Buffer.from(`0000${mechanisms}`, 'hex'))).toBeUndefined()
})

it('says which mechanisms there are where it is none of them', () => {
  expect(() => parse(Buffer.from(`0021${mechanisms}`, 'hex'))).toThrow(
    expect.objectContaining({ code: 33, message: expect.stringContaining('the broker has PLAIN, OAUTHBEARER') }),
  )
})
