import { describe, expect, it } from 'vitest'
import { Retryable } from '../../../src/errors.ts'
import { BrokerLine } from '../../../src/sink/kafka/broker-line.ts'
import { silenceMs } from '../../../src/sink/kafka/silence.ts'
import { looked, never, ScriptedConnection } from './fixture-lines.ts'
import { VirtualTime } from './producer/virtual-time.ts'

/** A line and the connections that were opened on it. */
function stage(onAbort: 'keep' | 'close' = 'keep', keptMs?: number) {
  const time = new VirtualTime(1)
  const opened: ScriptedConnection[] = []
  const silences: number[] = []
  const startMs = time.nowMs()
  let opening: Promise<void> = Promise.resolve()
  const line = new BrokerLine({
    async open(signal) {
      const connection = new ScriptedConnection()
      opened.push(connection)
      await opening
      signal.throwIfAborted()
      return connection
    },
    clock: time,
    onAbort,
    keptMs,
    onSilent: () => silences.push(time.nowMs() - startMs),
  })
  const ask = (text: string, signal = never) => looked(line.ask(connection => connection.ask(text), signal))
  const holdOpening = (until: Promise<void>) => {
    opening = until
  }
  return { time, line, opened, silences, ask, holdOpening }
}

describe('a line to a broker', () => {
  it('is opened by who asks first, for all who ask', async () => {
    const { opened, ask } = stage()
    expect(opened).toHaveLength(0)
    const answers = Promise.all([ask('a'), ask('b')])
    await opened[0]!.asked(2)
    expect(opened[0]!.questions).toEqual(['a', 'b'])
    opened[0]!.answer('a')
    opened[0]!.answer('b')
    expect(await answers).toEqual(['a!', 'b!'])
    expect(opened).toHaveLength(1)
  })

  it('is opened anew when its connection has closed, or did not come about', async () => {
    const { line, opened, ask, holdOpening } = stage()
    const lost = ask('a')
    await opened[0]!.asked(1)
    opened[0]!.close()
    await expect(lost).rejects.toThrow('gone')
    expect(line.hasBroken).toBe(true)
    holdOpening(Promise.reject(new Retryable('SINK_UNAVAILABLE', 'refused')))
    await expect(ask('b')).rejects.toThrow('refused')
    expect(line.isOpen).toBe(false)
    holdOpening(Promise.resolve())
    const answer = ask('c')
    await opened[2]!.asked(1)
    opened[2]!.answer('c')
    expect(await answer).toBe('c!')
    expect(line.isOpen).toBe(true)
  })

  it('does not put a question whose asker went before the connection was there', async () => {
    const { opened, ask, holdOpening } = stage()
    const connected = Promise.withResolvers<void>()
    holdOpening(connected.promise)
    const stop = new AbortController()
    const impatient = ask('a', stop.signal)
    const patient = ask('b')
    stop.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    connected.resolve()
    await opened[0]!.asked(1)
    opened[0]!.answer('b')
    expect(await patient).toBe('b!')
    expect(opened[0]!.questions).toEqual(['b'])
  })

  it.each(['keep', 'close'] as const)('%ss the connection when one stops waiting', async onAbort => {
    const { opened, ask } = stage(onAbort)
    const stop = new AbortController()
    const one = ask('a', stop.signal)
    const other = ask('b')
    await opened[0]!.asked(2)
    stop.abort(new Error('enough'))
    await expect(one).rejects.toThrow('enough')
    expect(opened[0]!.closed).toBe(onAbort === 'close')
    if (onAbort === 'close') return await expect(other).rejects.toBeInstanceOf(Retryable)
    opened[0]!.answer('b')
    expect(await other).toBe('b!')
  })

  it('tells those who wait why it is hung up', async () => {
    const { line, opened, ask } = stage()
    const waiting = ask('a')
    await opened[0]!.asked(1)
    line.hangUp(new Retryable('SINK_UNAVAILABLE', 'another answers'))
    await expect(waiting).rejects.toThrow('another answers')
    expect(opened[0]!.closed).toBe(true)
    expect(line.isOpen).toBe(false)
  })

  it('ends, when it is retired, with the last who waits', async () => {
    const { line, opened, ask } = stage()
    const [one, other] = [ask('a'), ask('b')]
    await opened[0]!.asked(2)
    line.retire()
    opened[0]!.answer('a')
    expect(await one).toBe('a!')
    expect(opened[0]!.closed).toBe(false)
    opened[0]!.answer('b')
    expect(await other).toBe('b!')
    expect(opened[0]!.closed).toBe(true)
  })

  it('tells of silence, while it is connected to as well', async () => {
    const { time, opened, silences, ask, holdOpening } = stage()
    const connected = Promise.withResolvers<void>()
    holdOpening(connected.promise)
    const waiting = ask('a')
    await time.run(() => silences.length === 1)
    expect(silences).toEqual([silenceMs])
    time.after(1_000, () => connected.resolve())
    await time.run(() => silences.length === 2)
    expect(silences[1]).toBe(silenceMs + 1_000 + silenceMs) // A connection is a word.
    opened[0]!.answer('a')
    expect(await waiting).toBe('a!')
    await time.run(() => false, 10_000)
    expect(silences).toHaveLength(2)
  })

  it('is opened anew when nothing has come for longer than it is kept, unless somebody waits', async () => {
    const { time, opened, ask } = stage('keep', 1_000)
    const first = ask('a')
    await opened[0]!.asked(1)
    await time.run(() => false, 5_000)
    const second = ask('b')
    await opened[0]!.asked(2)
    opened[0]!.answer('a')
    opened[0]!.answer('b')
    expect(await Promise.all([first, second])).toEqual(['a!', 'b!'])
    const pass = async (ms: number) => {
      let isOver = false
      time.after(ms, () => {
        isOver = true
      })
      await time.run(() => isOver)
    }
    await pass(1_000)
    const third = ask('c')
    await opened[0]!.asked(3)
    opened[0]!.answer('c')
    await third
    await pass(1_001)
    const fourth = ask('d')
    await opened[1]!.asked(1)
    expect(opened[0]!.closed).toBe(true)
    opened[1]!.answer('d')
    expect(await fourth).toBe('d!')
  })
})
