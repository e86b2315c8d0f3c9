import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { Secret } from '../../../../src/secret.ts'
import { Admission } from '../../../../src/sink/kafka/login/admission.ts'
import { fixedSecret } from '../../../../src/sink/kafka/login/password.ts'
import { plainLogin } from '../../../../src/sink/kafka/login/plain.ts'
import { Standing } from '../../../../src/sink/kafka/login/standing.ts'
import { BrokerError } from '../../../../src/sink/kafka/protocol/broker-error.ts'
import type { Request } from '../../../../src/sink/kafka/protocol/request.ts'
import { never } from '../fixture.ts'

/** A broker with sessions of `sessionMs` that answers at once, and a clock that stands until `tick`. */
function stage({ sessionMs = 0, highest = 2, login = true } = {}) {
  const asked: string[] = []
  const sleeps: { ms: number; wake: () => void }[] = []
  const state = { errorCode: 0, failures: [] as unknown[], changes: 0 }
  const answers: Record<number, () => Buffer> = {
    18: () => Buffer.from(`0000${'00000001'}0024${'0000'}${highest.toString(16).padStart(4, '0')}`, 'hex'),
    17: () => Buffer.from('000000000000', 'hex'),
    36: () => {
      const answer = Buffer.alloc(16)
      answer.writeInt16BE(state.errorCode, 0)
      answer.writeInt16BE(-1, 2)
      answer.writeBigInt64BE(BigInt(sessionMs), 8)
      return answer
    },
  }
  const clock = {
    ...systemClock,
    random: () => 0,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((wake, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
        sleeps.push({ ms, wake })
      }),
  }
  const standing: Standing = new Standing({
    login: login ? plainLogin('u', fixedSecret(new Secret('p'))) : undefined,
    admission: new Admission(clock),
    clock,
    async ask<T>(request: Request<T>) {
      asked.push(`${request.apiKey}v${request.apiVersion}${standing.isHeld ? ' held' : ''}`)
      return request.parse(answers[request.apiKey]!())
    },
    onChange: () => (state.changes += 1),
    onFailure: error => state.failures.push(error),
  })
  const tick = async () => {
    sleeps.shift()!.wake()
    await setImmediate()
  }
  return { standing, asked, sleeps, state, tick }
}

it('logs in, holds requests only for that, and again before the session ends', async () => {
  const { standing, asked, sleeps, state, tick } = stage({ sessionMs: 10_000 })
  await standing.begin()
  expect(asked).toEqual(['18v0', '17v1 held', '36v1 held'])
  expect(standing.isHeld).toBe(false)
  expect(sleeps[0]!.ms).toBe(7_000)
  await tick()
  expect(asked.slice(3)).toEqual(['17v1 held', '36v1 held'])
  expect(state).toMatchObject({ changes: 2, failures: [] })
  expect(sleeps).toHaveLength(1)
  standing.end()
})

it('speaks version 0 where there is no other, whose sessions do not end', async () => {
  const { standing, asked, sleeps } = stage({ sessionMs: 10_000, highest: 0 })
  await standing.begin()
  expect(asked.at(-1)).toBe('36v0 held')
  expect(sleeps).toEqual([])
})

it('names who was refused and how, also when a session is renewed', async () => {
  const refusing = stage()
  refusing.state.errorCode = 58
  await expect(refusing.standing.begin()).rejects.toMatchObject({
    name: 'Configuration',
    code: 'SINK_AUTH_FAILED',
    message: expect.stringContaining('login of user u by SASL PLAIN'),
  })
  const { standing, state, tick } = stage({ sessionMs: 10_000 })
  await standing.begin()
  state.errorCode = 58
  await tick()
  expect(state.failures).toMatchObject([{ name: 'Configuration', code: 'SINK_AUTH_FAILED' }])
  expect(standing.isHeld).toBe(false)
})

it('a broker that is busy refuses nothing', async () => {
  const { standing, state } = stage()
  state.errorCode = 7
  await expect(standing.begin()).rejects.toBeInstanceOf(BrokerError)
})

it('gives its connection up for newer certificates once nothing is outstanding', async () => {
  const { standing, state, tick } = stage({ login: false })
  const exchange = new AbortController()
  await standing.begin()
  standing.giveUpAfter(exchange.signal, 1_000)
  standing.giveUpAfter(never, 1_000)
  standing.settled(0)
  exchange.abort()
  expect(standing.isHeld).toBe(false)
  await tick()
  expect(standing.isHeld).toBe(true)
  standing.settled(2)
  expect(state.failures).toEqual([])
  standing.settled(0)
  expect(state.failures).toMatchObject([{ name: 'Retryable', code: 'SINK_UNAVAILABLE' }])
})
