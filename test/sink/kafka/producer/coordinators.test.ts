import { describe, expect, it } from 'vitest'
import { Retryable } from '../../../../src/errors.ts'
import { protocolCode } from '../../../../src/sink/kafka/classify.ts'
import { Coordinators, type Resend } from '../../../../src/sink/kafka/producer/coordinators.ts'
import type { CoordinatorConnection, Wire } from '../../../../src/sink/kafka/wire.ts'
import { refusal, unavailable } from './model-faults.ts'
import { VirtualTime } from './virtual-time.ts'

const never = new AbortController().signal

/** A promise that may reject before somebody looks. */
function looked<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

/** Coordinators that answer what is listed, one entry a question; 'silence' breaks the connection. */
class Scripted {
  readonly asked: string[] = []
  readonly #answers: (number | 'silence')[]
  readonly #nodes: number[]
  readonly time = new VirtualTime(1)
  readonly coordinators: Coordinators

  constructor(nodes: number[], answers: (number | 'silence')[]) {
    this.#nodes = nodes
    this.#answers = answers
    const wire = { findCoordinator: () => this.#find(), coordinate: async (nodeId: number) => this.#connect(nodeId) }
    this.coordinators = new Coordinators({ wire: wire as unknown as Wire, clock: this.time })
  }

  ask(id: string, resend: Resend): Promise<unknown> {
    const question = (to: CoordinatorConnection) => to.initProducerId(id, 1)
    return looked(this.coordinators.ask(id, question, resend, never))
  }

  async #find(): Promise<number> {
    this.asked.push('find')
    return this.#nodes.shift() ?? 0
  }

  #connect(nodeId: number): CoordinatorConnection {
    const unasked = () => Promise.reject(new Error('not asked here'))
    const others = { addPartitions: unasked, endTransaction: unasked, describeTransaction: unasked }
    const connection = { closed: false, ...others, close: () => undefined }
    const initProducerId = async () => {
      this.asked.push(`${nodeId}`)
      const answer = this.#answers.shift() ?? 0
      if (answer === 0) return { producerId: 1n, producerEpoch: 0 }
      connection.closed = answer === 'silence'
      throw answer === 'silence' ? unavailable('gone') : refusal(answer)
    }
    return Object.assign(connection, { initProducerId })
  }
}

describe('a question to a coordinator', () => {
  it('is asked again where it was moved, is not ready, or writes markers', async () => {
    const stage = new Scripted([1, 2, 3], [16, 51, 51, 14, 0])
    let answer: unknown
    void stage.ask('a', 'never').then(got => (answer = got))
    const startMs = stage.time.nowMs()
    await stage.time.run(() => answer !== undefined)
    expect(answer).toEqual({ producerId: 1n, producerEpoch: 0 })
    expect(stage.asked.join(' ')).toBe('find 1 find 2 2 2 find 3')
    expect(stage.time.nowMs() - startMs).toBeLessThan(2_000)
  })

  it('ends with a verdict', async () => {
    for (const code of [47, 48, 49, 53]) {
      const stage = new Scripted([1], [code])
      const fault = await stage.ask('a', 'after-no-answer').catch((error: unknown) => error)
      expect(protocolCode(fault)).toBe(code)
      expect(stage.asked.join(' ')).toBe('find 1')
    }
  })

  it('without an answer is not asked again unless it may be, and nobody trusts that broker any more', async () => {
    const stage = new Scripted([1, 1, 2, 3], [0, 0, 'silence', 0, 'silence', 0])
    await stage.ask('a', 'never')
    await stage.ask('b', 'never')
    await expect(stage.ask('a', 'never')).rejects.toBeInstanceOf(Retryable)
    await stage.ask('b', 'never')
    expect(stage.asked.join(' ')).toBe('find 1 find 1 1 find 2')
    let answer: unknown
    void stage.ask('b', 'after-no-answer').then(got => (answer = got))
    await stage.time.run(() => answer !== undefined)
    expect(stage.asked.slice(7).join(' ')).toBe('2 find 3')
  })
})
