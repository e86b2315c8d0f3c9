import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { ociRsaLogin } from '../../../../src/sink/kafka/login/oci-rsa.ts'
import { bytesField, readBytesField } from '../../../../src/sink/kafka/login/protobuf.ts'
import { lead } from './dialogue.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const pool = 'ocid1.streampool.oc1..aaaa'
const none = Buffer.alloc(0)

function loginAt(nowMs: number, keyId = 'ST$token') {
  const key = async () => ({ keyId, sign: async (data: Buffer) => sign('sha256', data, privateKey) })
  return ociRsaLogin({ who: 'OCI test', key, streamPoolId: pool, clock: { ...systemClock, nowMs: () => nowMs } })
}

it('says byte for byte what the Java add-on says', async () => {
  const challenge = Buffer.alloc(32, 7)
  const said = await lead(loginAt(1_700_000_000_999), (_, index) => (index === 0 ? bytesField(1, challenge) : none))
  const intent = `streamPoolId:${pool}`
  expect(said[0]).toEqual(
    Buffer.concat([
      Buffer.from([0x0a, 8]),
      Buffer.from('ST$token'),
      Buffer.from([0x12, intent.length]),
      Buffer.from(intent),
    ]),
  )
  // 1,700,000,000 as a varint, then a signature of 256 bytes.
  expect(said[1]!.subarray(0, 9).toString('hex')).toBe('0880e2cfaa0612' + '8002')
  const subject = Buffer.concat([challenge, Buffer.from(intent), Buffer.from('000000006553f100', 'hex')])
  expect(said[1]!.subarray(9)).toEqual(sign('sha256', subject, privateKey))
  expect(said).toHaveLength(2)
})

it('signs every challenge of 32 to 256 bytes, and no other, at any time', async () => {
  const times = fc.integer({ min: 0, max: 2 ** 42 })
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ minLength: 1 }),
      times,
      async (bytes, keyId, nowMs) => {
        const challenge = Buffer.from(bytes)
        const leading = lead(loginAt(nowMs, keyId), (_, index) => (index === 0 ? bytesField(1, challenge) : none))
        if (challenge.length < 32 || challenge.length > 256) {
          await expect(leading).rejects.toMatchObject({ code: 'SINK_AUTH_FAILED' })
          return
        }
        const [first, second] = await leading
        expect(readBytesField(first!, 1).toString('utf8')).toBe(Buffer.from(keyId).toString('utf8'))
        expect(readBytesField(first!, 2).toString('utf8')).toBe(`streamPoolId:${pool}`)
        const seconds = Buffer.alloc(8)
        seconds.writeBigInt64BE(BigInt(Math.floor(nowMs / 1_000)))
        const subject = Buffer.concat([challenge, Buffer.from(`streamPoolId:${pool}`), seconds])
        expect(verify('sha256', subject, publicKey, readBytesField(second!, 2))).toBe(true)
      },
    ),
    { numRuns: 50 },
  )
})

it('refuses a challenge that is no message, whatever it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 31 }), async bytes => {
      const leading = lead(loginAt(0), () => Buffer.from(bytes))
      await expect(leading).rejects.toMatchObject({ code: 'SINK_AUTH_FAILED' })
    }),
  )
})

it('passes over fields that it does not know', async () => {
  const challenge = randomBytes(64)
  const strange = Buffer.concat([bytesField(9, Buffer.from('x')), Buffer.from('5001', 'hex'), bytesField(1, challenge)])
  expect(await lead(loginAt(0), (_, index) => (index === 0 ? strange : none))).toHaveLength(2)
})
