import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { sdkKey } from '../../../../src/sink/kafka/login/aws-key.ts'

it('asks the SDK, and again five minutes before the key ends', async () => {
  let nowMs = 0
  let calls = 0
  const provide = async () => {
    calls += 1
    return { accessKeyId: `key-${calls}`, secretAccessKey: 's', expiration: new Date(3_600_000 * calls) }
  }
  const key = sdkKey({ ...systemClock, nowMs: () => nowMs }, async () => ({ fromNodeProviderChain: () => provide }))
  expect((await key()).accessKeyId).toBe('key-1')
  nowMs = 3_299_000
  expect((await key()).accessKeyId).toBe('key-1')
  nowMs = 3_300_000
  expect((await key()).accessKeyId).toBe('key-2')
})

it('says what to install, and why there is no key', async () => {
  const missing = sdkKey(systemClock)
  await expect(missing()).rejects.toMatchObject({
    code: 'SINK_AUTH_FAILED',
    message: expect.stringContaining('npm install @aws-sdk/credential-providers'),
  })
  const nothing = async () => {
    throw new Error('no providers')
  }
  const none = sdkKey(systemClock, async () => ({ fromNodeProviderChain: () => nothing }))
  await expect(none()).rejects.toMatchObject({
    code: 'SINK_AUTH_FAILED',
    message: expect.stringContaining('no providers'),
  })
})
