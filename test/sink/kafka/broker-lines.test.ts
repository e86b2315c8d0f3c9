import { describe, expect, it } from 'vitest'
import { Retryable } from '../../../src/errors.ts'
import { BrokerLines } from '../../../src/sink/kafka/broker-lines.ts'
import { silenceMs } from '../../../src/sink/kafka/silence.ts'
import { looked, never, ScriptedConnection } from './fixture-lines.ts'
import { VirtualTime } from './producer/virtual-time.ts'

/** Brokers, and who of them answers for what as `answersFor` says at the time. */
class Stage {
  readonly time = new VirtualTime(1)
  readonly startMs = this.time.nowMs()
  answersFor: Record<string, number> = {}
  /** While true, nobody says who answers. */
  isBlind = false
  readonly found: string[] = []
  readonly opened: (readonly [number, ScriptedConnection])[] = []
  readonly lines = new BrokerLines<number, ScriptedConnection>({
    find: async subject => {
      this.found.push(subject)
      if (this.isBlind) throw new Retryable('SINK_UNAVAILABLE', 'nobody knows')
      return this.answersFor[subject] ?? 0
    },
    open: async broker => {
      const connection = new ScriptedConnection()
      this.opened.push([broker, connection])
      return connection
    },
    onAbort: 'keep',
    clock: this.time,
  })

  ask(subject: string, question = subject): Promise<string> {
    return looked(this.lines.ask(subject, connection => connection.ask(question), never))
  }

  /** The newest connection to that broker, once it was asked so many times. */
  async at(broker: number, questions: number): Promise<ScriptedConnection> {
    await this.time.run(
      () =>
        this.opened.some(
          ([
            to,
            {
              questions: { length },
            },
          ]) => to === broker && length >= questions,
        ),
      0,
    )
    const connection = this.opened.findLast(([to]) => to === broker)?.[1]
    if (connection === undefined) throw new Error(`broker ${broker} was not asked`)
    return connection
  }
}

describe('questions to the brokers that alone can answer', () => {
  it('go over one line a broker, and who answers is asked once', async () => {
    const stage = new Stage()
    stage.answersFor = { a: 1, b: 2, c: 1 }
    const asked = ['a', 'b', 'c', 'a'].map(async (subject, n) => {
      await Promise.resolve()
      return stage.ask(subject, `${subject}${n}`)
    })
    const [one, two] = [await stage.at(1, 3), await stage.at(2, 1)]
    for (const question of [...one.questions]) one.answer(question)
    for (const question of [...two.questions]) two.answer(question)
    expect(await Promise.all(asked)).toEqual(['a0!', 'b1!', 'c2!', 'a3!'])
    const again = stage.ask('c', 'again')
    await one.asked(4)
    one.answer('again')
    expect(await again).toBe('again!')
    expect(stage.opened.map(([broker]) => broker).sort()).toEqual([1, 2])
    expect(stage.found.filter(subject => subject === 'c')).toHaveLength(1)
  })

  it('look anew for all that a broker answered for when it breaks, not when it refuses', async () => {
    const stage = new Stage()
    stage.answersFor = { a: 1, b: 1 }
    const [a, b] = [stage.ask('a'), stage.ask('b')]
    const one = await stage.at(1, 2)
    one.answer('b')
    await b
    one.refuse('a', new Retryable('SINK_UNAVAILABLE', 'loading'))
    await expect(a).rejects.toThrow('loading')
    const lost = stage.ask('a', 'a2')
    await one.asked(3)
    one.close()
    await expect(lost).rejects.toThrow('gone')
    expect(stage.found).toEqual(['a', 'b'])
    stage.answersFor = { a: 2, b: 2 }
    void stage.ask('b', 'b2')
    expect((await stage.at(2, 1)).questions).toEqual(['b2'])
  })

  it('wait for a slow broker, and leave a frozen one as soon as another does its work', async () => {
    const stage = new Stage()
    stage.answersFor = { a: 1, b: 1 }
    const waiting = [stage.ask('a'), stage.ask('b')]
    const one = await stage.at(1, 2)
    await stage.time.run(() => stage.found.length === 4, 60_000)
    expect(stage.time.nowMs() - stage.startMs).toBe(2 * silenceMs)
    expect(one.closed).toBe(false)
    stage.isBlind = true
    await stage.time.run(() => stage.found.length === 5, 60_000)
    expect(one.closed).toBe(false)
    stage.isBlind = false
    stage.answersFor = { a: 2, b: 2 }
    await stage.time.run(() => one.closed, 60_000)
    expect(stage.time.nowMs() - stage.startMs).toBe(4 * silenceMs)
    for (const lost of waiting) await expect(lost).rejects.toThrow('broker 1 is silent, and 2 answers for a by now')
    void stage.ask('b', 'b2')
    expect((await stage.at(2, 1)).questions).toEqual(['b2'])
  })

  it('leave a connection that was quiet before and is silent now, once', async () => {
    const stage = new Stage()
    stage.answersFor = { a: 1 }
    const first = stage.ask('a')
    const one = await stage.at(1, 1)
    one.answer('a')
    await first
    stage.time.after(silenceMs, () => {})
    await stage.time.run(() => false)
    const askedMs = stage.time.nowMs()
    const lost = stage.ask('a', 'a2')
    await one.asked(2)
    await stage.time.run(() => one.closed, 60_000)
    expect(stage.time.nowMs() - askedMs).toBe(silenceMs)
    await expect(lost).rejects.toThrow('was quiet before')
    const again = stage.ask('a', 'a3')
    const two = await stage.at(1, 1)
    expect(two).not.toBe(one)
    await stage.time.run(() => false, 10 * silenceMs)
    expect(two.closed).toBe(false) // The broker is slow: it has its time.
    two.answer('a3')
    expect(await again).toBe('a3!')
  })

  it('end where others are known to answer, and with dispose', async () => {
    const stage = new Stage()
    stage.answersFor = { a: 1, b: 2 }
    const [a, b] = [stage.ask('a'), stage.ask('b')]
    const [one, two] = [await stage.at(1, 1), await stage.at(2, 1)]
    stage.lines.leadTo(2)
    await expect(a).rejects.toBeInstanceOf(Retryable)
    expect([one.closed, two.closed]).toEqual([true, false])
    stage.lines[Symbol.dispose]()
    await expect(b).rejects.toBeInstanceOf(Retryable)
    expect(two.closed).toBe(true)
    await expect(stage.ask('b')).rejects.toThrow('closed by us')
  })
})
