import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Coordinators } from '../../../../src/sink/kafka/producer/coordinators.ts'
import { Lane, type LaneOwner } from '../../../../src/sink/kafka/producer/lane.ts'
import { PartitionQueue } from '../../../../src/sink/kafka/producer/partition-queue.ts'
import { QueuedBatch } from '../../../../src/sink/kafka/producer/queued-batch.ts'
import { Transactions, type TransactionsParts } from '../../../../src/sink/kafka/producer/transactions.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { RecordBatch } from '../../../../src/sink/kafka/record-batch/record-batch.ts'
import type { FaultPlan } from './simulate.ts'
import { ids, type Step, simulateTransactions, type TransactionsPlan } from './simulate-transactions.ts'
import { mutants, mutate } from './transaction-mutants.ts'

const runs = 150
/** Seconds where the machine is free; nothing here depends on it. */
const patience = { timeout: 300_000 }

const step: fc.Arbitrary<Step> = fc.record({
  afterMs: fc.oneof(fc.constant(0), fc.nat(30)),
  records: fc.integer({ min: 1, max: 6 }),
  commits: fc.boolean(),
})
const steps = fc.array(step, { minLength: 1, maxLength: 25, size: 'max' })
const errors = [6, 19, 56].map(code => ({ code, appended: false }))
const afterAppend = [7, 20].map(code => ({ code, appended: true }))
const fault: fc.Arbitrary<FaultPlan> = fc.record({
  atMs: fc.nat(600),
  kind: fc.constantFrom('move', 'leaderless', 'down', 'cut', 'cut-after', 'freeze', 'throttle', 'blind', 'error'),
  target: fc.nat(50),
  forMs: fc.oneof(fc.nat(50), fc.nat(4_000), fc.nat(12_000)),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  times: fc.integer({ min: 1, max: 4 }),
  error: fc.constantFrom(...errors, ...afterAppend),
})
const plan: fc.Arbitrary<TransactionsPlan> = fc.record({
  seed: fc.nat(),
  steps: fc.tuple(...ids.map(() => steps)),
  faults: fc.array(fault, { maxLength: 12, size: 'max' }),
  takeOvers: fc.array(fc.record({ id: fc.nat(ids.length - 1), atMs: fc.nat(600) }), { maxLength: 3 }),
})

/** Nothing but connections that break while something is on them, again and again. */
const breaks: fc.Arbitrary<TransactionsPlan> = fc.record({
  seed: fc.nat(),
  steps: fc.tuple(...ids.map(() => fc.array(step, { minLength: 20, maxLength: 40, size: 'max' }))),
  faults: fc.array(
    fc.record({
      atMs: fc.nat(800),
      kind: fc.constant('cut-after' as const),
      target: fc.nat(2),
      forMs: fc.constant(0),
      share: fc.constant(1),
      times: fc.constant(0),
      error: fc.constant({ code: 0, appended: true }),
    }),
    { minLength: 10, maxLength: 40, size: 'max' },
  ),
  takeOvers: fc.constant([]),
})

describe('transactions against a model of Kafka, in virtual time', () => {
  test(
    'every record once, with its position, in order, whatever happens and whoever takes over',
    patience,
    async () => {
      const sums = { commits: 0, replays: 0, fenced: 0 }
      await fc.assert(
        fc.asyncProperty(plan, async plan => {
          const { violations, commits, replays, fenced } = await simulateTransactions(plan)
          expect(violations).toEqual([])
          sums.commits += commits
          sums.replays += replays
          sums.fenced += fenced
        }),
        { numRuns: runs, seed: 1 },
      )

      expect(sums.replays).toBeGreaterThan(runs / 10)
      expect(sums.fenced).toBeGreaterThan(runs / 10)
      expect(sums.commits).toBeGreaterThan(runs * 5)
    },
  )

  test('what a broken connection leaves behind neither ends nor opens a transaction later', patience, async () => {
    await fc.assert(
      fc.asyncProperty(breaks, plan => isKept(plan)),
      { numRuns: runs / 3, seed: 1 },
    )
  })
})

/** All is as it should be; with broken connections alone no transaction is left to its timeout, either. */
async function isKept(plan: TransactionsPlan, Broken?: ReturnType<typeof mutate>): Promise<void> {
  const create = Broken && ((parts: TransactionsParts) => new Broken(parts))
  const { violations, timeouts } = await simulateTransactions(plan, create)
  expect(violations).toEqual([])
  if (plan.faults.every(({ kind }) => kind === 'cut-after') && plan.takeOvers.length === 0) expect(timeouts).toBe(0)
}

describe('broken transactions are caught', () => {
  test.each(Object.entries(mutants))('those that %s', patience, async (_name, mutant) => {
    const Broken = mutate(mutant)
    const outcome = await fc.check(
      fc.asyncProperty(mutant.breaks ? breaks : plan, plan => isKept(plan, Broken)),
      { numRuns: 3 * runs, seed: 1, endOnFailure: true },
    )
    expect(outcome.failed, 'the simulation did not notice').toBe(true)
  })
})

describe('a transaction that takes too long', () => {
  /** Begins one whose coordinator never answers; `wake` passes time and lets the sleepers look. */
  async function beginLate() {
    let nowMs = 1_000_000
    let steadyMs = 7
    let wake = () => undefined as unknown
    const given: unknown[] = []
    const transactions = new Transactions({
      identity: { transactionalId: 'shop.orders.0', producerId: 1n, producerEpoch: 0 },
      coordinators: { ask: () => new Promise(() => undefined) } as unknown as Coordinators,
      transactionTimeoutMs: 10_000,
      clock: {
        nowMs: () => nowMs,
        monotonicMs: () => steadyMs,
        random: () => 0.5,
        sleep: () =>
          new Promise(resolve => {
            wake = () => resolve(undefined)
          }),
      },
      offer: () => undefined,
      fail: fault => given.push(fault),
      giveUp: fault => given.push(fault),
    })
    const lane = new Lane({} as LaneOwner, 'a', 0, new PartitionQueue(0))
    transactions.begin(lane, new QueuedBatch(new RecordBatch('a', 0, new BufferPool()), 1_000, nowMs))
    const turn = () => new Promise(resolve => setImmediate(resolve))
    await turn()
    const pass = async (ms: number, asleepMs = 0) => {
      nowMs += ms + asleepMs
      steadyMs += ms
      wake()
      await turn()
    }
    return { given, pass, transactions }
  }

  test('is given up before the coordinator ends it', async () => {
    const { given, pass, transactions } = await beginLate()
    await pass(7_999)
    expect(given).toEqual([])
    await pass(1)
    expect(transactions.openMs).toBe(8_000)
    expect(given).toMatchObject([{ name: 'Retryable', message: 'a transaction was not committed within 8000 ms' }])
  })

  test('because the process was stopped, is for the coordinator to judge; for as long again', async () => {
    const { given, pass } = await beginLate()
    await pass(60_000)
    expect(given).toEqual([])
    await pass(10_000)
    expect(given).toMatchObject([{ name: 'Retryable' }])
  })

  test('is as old as the clock says that went on while the machine slept', async () => {
    const { given, pass, transactions } = await beginLate()
    await pass(8_000, 60_000)
    expect(transactions.openMs).toBe(68_000)
    expect(given).toEqual([])
    await pass(10_000)
    expect(given).toMatchObject([{ name: 'Retryable' }])
  })

  test('is not too old because the clock was set back, nor given up then for being too old', async () => {
    const { given, pass, transactions } = await beginLate()
    await pass(1_000, -3_600_000)
    expect(transactions.openMs).toBe(1_000)
    await pass(7_000)
    expect(given).toMatchObject([{ message: 'a transaction was not committed within 8000 ms' }])
  })
})
