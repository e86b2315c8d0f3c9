import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { Configuration, Retryable } from '../../../../src/errors.ts'
import { Admission } from '../../../../src/sink/kafka/login/admission.ts'

it('is strict before the first login, patient for ten minutes after it, and about nothing else', () => {
  let nowMs = 0
  const admission = new Admission({ ...systemClock, nowMs: () => nowMs, monotonicMs: () => nowMs })
  const refused = new Configuration('SINK_AUTH_FAILED', 'no')
  expect(admission.judge(refused)).toBe(refused)
  admission.accepted()
  const later = { name: 'Retryable', code: 'SINK_LOGIN_REFUSED', cause: refused }
  nowMs = 1_000_000
  expect(admission.judge(refused)).toMatchObject(later)
  nowMs += 600_000
  expect(admission.judge(refused)).toMatchObject(later)
  nowMs += 1
  expect(admission.judge(refused)).toBe(refused)
  admission.accepted()
  expect(admission.judge(refused)).toMatchObject(later)
  const other = new Retryable('SINK_UNAVAILABLE', 'gone')
  expect(admission.judge(other)).toBe(other)
})
