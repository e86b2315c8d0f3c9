import { expect, it } from 'vitest'
import { TopicLimits } from '../../../src/sink/kafka/topic-limits.ts'

it('stays below the topic and the configured batch, whichever is smaller', () => {
  const limits = new TopicLimits(100_000)
  expect(limits.get('t')).toBe(100_000 - 1024)
  limits.learn('t', 50_000)
  expect(limits.get('t')).toBe(50_000 - 1024)
  limits.learn('t', 1 << 30)
  expect(limits.get('t')).toBe(100_000 - 1024)
})

it('halves with each refusal, down to single records, for the topic of the refused batch only', () => {
  const limits = new TopicLimits(1 << 20)
  const untouched = limits.get('u')
  limits.refusedBatch('t', 2_200)
  const first = limits.get('t')
  expect(first).toBeLessThan(1_200) // Half of what two records made: they no longer fit together.
  limits.refusedBatch('t', 2_200)
  expect(limits.get('t')).toBeLessThan(first)
  expect(limits.get('u')).toBe(untouched)
})

it('looks for a record that nobody names in few steps, and is as before when it is found', () => {
  const limits = new TopicLimits(1 << 20)
  limits.refusedBatch('t', 1 << 19)
  const before = limits.get('t')
  const steps = [limits.get('t')]
  while (steps.at(-1)! >= 100) {
    limits.suspectedBatch('t', steps.at(-1)!)
    steps.push(limits.get('t'))
  }
  expect(steps.length).toBeLessThanOrEqual(5)
  limits.foundRecord('t')
  expect(limits.get('t')).toBe(before)
})

it('keeps what refusals have taught when the topic is asked again: each new sink asks', () => {
  const limits = new TopicLimits(1 << 20)
  limits.learn('t', 1 << 20)
  limits.refusedBatch('t', 2_200)
  const taught = limits.get('t')
  limits.learn('t', 1 << 20)
  expect(limits.get('t')).toBe(taught)
})
