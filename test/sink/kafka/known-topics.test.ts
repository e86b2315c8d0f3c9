import { expect, test } from 'vitest'
import { Configuration, Retryable } from '../../../src/errors.ts'
import { KnownTopics } from '../../../src/sink/kafka/known-topics.ts'
import { VirtualTime } from './producer/virtual-time.ts'

const never = new AbortController().signal
const spec = { partitions: undefined, replication: undefined, config: {} }

/** A cluster that answers when it is told to. */
function stage() {
  const time = new VirtualTime(1)
  const questions: PromiseWithResolvers<number>[] = []
  const ask = (): Promise<number> => {
    const question = Promise.withResolvers<number>()
    questions.push(question)
    return question.promise
  }
  return { time, questions, topics: new KnownTopics(ask, time) }
}

test('those who ask at the same time share the question, and the next one is asked anew', async () => {
  const { questions, topics } = stage()
  const both = Promise.all([topics.partitions('a', spec, never), topics.partitions('a', spec, never)])
  expect(questions).toHaveLength(1)
  questions[0]?.resolve(4)
  expect(await both).toEqual([4, 4])
  const later = topics.partitions('a', spec, never)
  expect(questions).toHaveLength(2)
  questions[1]?.resolve(6)
  expect(await later).toBe(6)
})

test('while nobody answers, the last answer stands; a first one is waited for', async () => {
  const { time, questions, topics } = stage()
  const first = topics.partitions('a', spec, never)
  questions[0]?.resolve(4)
  await first
  const startMs = time.nowMs()
  const silent = topics.partitions('a', spec, never)
  let answer: number | undefined
  void silent.then(count => {
    answer = count
  })
  await time.run(() => answer !== undefined)
  expect([answer, time.nowMs() - startMs]).toEqual([4, 1_500])
  const failing = topics.partitions('a', spec, never)
  questions[1]?.reject(new Retryable('SINK_UNAVAILABLE', 'broker not connected'))
  expect(await failing).toBe(4)
})

test('what no retry mends is told, and so is a first failure', async () => {
  const { questions, topics } = stage()
  const first = topics.partitions('a', spec, never)
  questions[0]?.reject(new Retryable('SINK_UNAVAILABLE', 'broker not connected'))
  await expect(first).rejects.toBeInstanceOf(Retryable)
  const second = topics.partitions('a', spec, never)
  questions[1]?.resolve(4)
  await second
  const third = topics.partitions('a', spec, never)
  questions[2]?.reject(new Configuration('SINK_UNAUTHORIZED', 'no'))
  await expect(third).rejects.toBeInstanceOf(Configuration)
})

test('one who stops waiting does not end the question of the others', async () => {
  const { questions, topics } = stage()
  const stop = new AbortController()
  const impatient = topics.partitions('a', spec, stop.signal)
  const patient = topics.partitions('a', spec, never)
  stop.abort(new Error('stopped'))
  await expect(impatient).rejects.toThrow('stopped')
  questions[0]?.resolve(4)
  expect(await patient).toBe(4)
})
