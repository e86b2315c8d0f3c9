import { expect, test } from 'vitest'
import { Silence, silenceMs } from '../../../src/sink/kafka/silence.ts'
import { VirtualTime } from './producer/virtual-time.ts'

/** A listener, and when it called, in milliseconds since the beginning. */
function listening() {
  const time = new VirtualTime(1)
  const startMs = time.nowMs()
  const calls: number[] = []
  const silence = new Silence(time, () => calls.push(time.nowMs() - startMs))
  const pass = (ms: number) => {
    let isOver = false
    time.after(ms, () => {
      isOver = true
    })
    return time.run(() => isOver)
  }
  return { silence, calls, pass }
}

test('is called while something is outstanding and nothing is heard, again and again', async () => {
  const { silence, calls, pass } = listening()
  await pass(10_000)
  expect(calls).toEqual([])
  silence.asked()
  await pass(silenceMs - 1)
  expect([calls.length, silence.isSilent]).toEqual([0, false])
  await pass(2 * silenceMs)
  expect(calls).toEqual([10_000 + silenceMs, 10_000 + 2 * silenceMs])
  expect(silence.isSilent).toBe(true)
})

test('counts from what was heard last, whoever it was for', async () => {
  const { silence, calls, pass } = listening()
  silence.asked()
  silence.asked()
  await pass(silenceMs - 1)
  silence.settled()
  silence.heard()
  await pass(silenceMs - 1)
  expect(calls).toEqual([])
  await pass(2)
  expect(calls).toEqual([2 * silenceMs - 1])
  silence.heard()
  expect(silence.isSilent).toBe(false)
})

test('is not called when all is answered, or after its end', async () => {
  const { silence, calls, pass } = listening()
  silence.asked()
  silence.settled()
  await pass(2 * silenceMs)
  silence.asked()
  silence.stop()
  await pass(2 * silenceMs)
  expect(calls).toEqual([])
})

test('knows whether the connection had been quiet before it was asked', async () => {
  const { silence, pass } = listening()
  await pass(silenceMs - 1)
  silence.asked()
  expect(silence.wasQuiet).toBe(false)
  silence.heard()
  silence.settled()
  await pass(silenceMs)
  silence.asked()
  await pass(silenceMs)
  silence.asked() // Beside one that is outstanding: what counts is the first.
  expect([silence.wasQuiet, silence.isSilent]).toEqual([true, true])
  silence.heard()
  expect([silence.wasQuiet, silence.quietMs]).toEqual([false, 0])
})
