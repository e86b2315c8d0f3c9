import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slotHash } from '../../src/bson/slot.ts'
import { Configuration, PositionLost } from '../../src/errors.ts'
import type { RawEvent } from '../../src/source/raw-event.ts'
import { behind, Consumer, turns, World } from './hub-model.ts'

const whole = { index: 0, count: 1 }
const slotOf = (event: RawEvent, count: number) => slotHash(event.bytes, event.keyStart, event.keyEnd) % count

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 5_000; i++) {
    if (isSo()) return
    await turns(1)
  }
  throw new Error(`never: ${what}`)
}

const letters = ['a', 'b', 'c'] as const
const collection = fc.constantFrom(...letters)
const pipelines = [
  { name: 'a', collections: ['d.a'], count: 4 },
  { name: 'all', collections: ['d.*'], count: 4 },
  { name: 'some', collections: ['d.b', 'd.c'], count: 1 },
  { name: 'filtered', collections: ['d.a', 'd.b'], count: 2, filter: { only: 'b' } },
] as const
const wants = (name: string) => (letter: string) => {
  if (name === 'filtered') return letter === 'b'
  return name === 'all' || (name === 'a' ? letter === 'a' : letter !== 'a')
}
const consumerCount = pipelines.reduce((sum, { count }) => sum + count, 0)
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('write'), collections: fc.array(collection, { maxLength: 60 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('start', 'stop'), which: fc.nat(consumerCount - 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('start', 'stop'), which: fc.constant('all' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('break') }) },
)

describe('slots and pipelines that come, go, fail and return', () => {
  it('get every event of theirs once, in order, on few streams', async () => {
    const start = fc.array(fc.nat(300), { minLength: consumerCount, maxLength: consumerCount })
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        start,
        fc.array(fc.tuple(action, fc.nat(8)), { maxLength: 25 }),
        async (narrows, starts, actions) => {
          const world = new World(7, narrows)
          world.write(...Array.from({ length: 300 }, (_, i) => letters[i % 3]!))
          const all = pipelines.flatMap(({ name, collections, count, ...rest }) =>
            Array.from({ length: count }, (_, index) => ({
              name,
              index,
              count,
              source: world.source(name, collections, { index, count }, rest),
            })),
          )
          const consumers = all.map(({ source }, i) => new Consumer(source, behind(starts[i]!)))
          const most = 4 * 2 // Those of the kind that is shared, and of the one pipeline with a filter.
          for (const [one, pause] of actions) {
            if ('collections' in one) world.write(...one.collections)
            else if (!('which' in one)) world.breakStreams()
            else {
              for (const consumer of one.which === 'all' ? consumers : [consumers[one.which]!]) {
                if (one.do === 'start') consumer.start()
                else await consumer.stop()
              }
            }
            await turns(pause)
            expect(world.hub.streams).toBeLessThanOrEqual(most)
          }
          for (const consumer of consumers) consumer.start()
          await until(() => consumers.every(({ position }) => position.compare(world.head) >= 0), 'all are up to date')
          await until(() => world.hub.streams === 2, 'the streams have met')
          world.write('a', 'b', 'c')
          await until(() => consumers.every(({ position }) => position.compare(world.head) >= 0), 'and go on')
          for (const [i, { name, index, count }] of all.entries()) {
            const mine = world.expected(wants(name), event => slotOf(event, count) === index, behind(starts[i]!))
            expect(consumers[i]!.got).toEqual(mine)
          }
          for (const consumer of consumers) await consumer.stop()
          await until(() => world.hub.streams === 0, 'nobody reads, nothing is read')
          expect(world.mostAlive).toBeLessThanOrEqual(most)
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('a hub', () => {
  const history = (length: number) => Array.from({ length }, () => 'a')

  it('is rewound once for all slots that are taken over together, and nobody gets anything twice', async () => {
    const world = new World()
    world.write(...history(100))
    const steady = new Consumer(world.source('p', ['d.a'], { index: 0, count: 16 }), behind(60))
    steady.start()
    await until(() => steady.position.compare(world.head) >= 0, 'up to date')
    const taken = Array.from({ length: 10 }, (_, i) => {
      return new Consumer(world.source('p', ['d.a'], { index: i + 1, count: 16 }), behind(70 + i))
    })
    for (const consumer of taken) consumer.start()
    await until(() => taken.every(({ position }) => position.compare(world.head) >= 0), 'up to date again')
    expect(world.openings.map(({ from }) => Number(from.clusterTime >> 32n))).toEqual([60, 70])
    expect(world.mostAlive).toBe(1)
    for (const [i, consumer] of [steady, ...taken].entries()) {
      const from = behind(i === 0 ? 60 : 69 + i)
      expect(consumer.got).toEqual(
        world.expected(
          () => true,
          event => slotOf(event, 16) === i,
          from,
        ),
      )
      await consumer.stop()
    }
  })

  it('opens one stream for ten pipelines of sixteen slots that are far behind, which ends when it meets the first', async () => {
    const world = new World(50)
    world.write(...history(1_000))
    const steady = new Consumer(world.source('steady', ['d.a'], whole), behind(990))
    steady.start()
    await until(() => steady.position.compare(world.head) >= 0, 'up to date')
    const late = Array.from({ length: 160 }, (_, i) => {
      return new Consumer(world.source(`p${i % 10}`, ['d.a'], { index: Math.floor(i / 10), count: 16 }), behind(i % 40))
    })
    for (const consumer of late) consumer.start()
    await until(() => late.every(({ position }) => position.compare(world.head) >= 0), 'up to date')
    await until(() => world.hub.streams === 1, 'one stream')
    expect(world.mostAlive).toBe(2)
    expect(steady.got).toEqual(
      world.expected(
        () => true,
        () => true,
        behind(990),
      ),
    )
    for (const [i, consumer] of late.entries()) {
      const slot = Math.floor(i / 10)
      expect(consumer.got).toEqual(
        world.expected(
          () => true,
          event => slotOf(event, 16) === slot,
          behind(i % 40),
        ),
      )
    }
    for (const consumer of [steady, ...late]) await consumer.stop()
  })

  it('has a bound, however far apart the pipelines are', async () => {
    const world = new World(50)
    world.write(...history(2_000))
    const all = Array.from({ length: 20 }, (_, i) => {
      return new Consumer(world.source(`p${i}`, ['d.a'], whole), behind(((i * 7) % 20) * 100))
    })
    for (const consumer of all) {
      consumer.start()
      await turns(3)
    }
    expect(world.hub.streams).toBe(4)
    await until(() => all.every(({ position }) => position.compare(world.head) >= 0), 'up to date')
    await until(() => world.hub.streams === 1, 'one stream')
    expect(world.mostAlive).toBe(4)
    for (const [i, consumer] of all.entries()) {
      expect(consumer.got).toEqual(Array.from({ length: 2_000 }, (_, at) => at + 1).slice(((i * 7) % 20) * 100))
      await consumer.stop()
    }
  })

  it('is not rewound by a pipeline that tries again', async () => {
    const world = new World()
    world.write(...history(50))
    const [steady, failing] = ['steady', 'failing'].map(
      name => new Consumer(world.source(name, ['d.a'], whole), behind(0)),
    )
    steady!.start()
    failing!.start()
    await until(() => [steady!, failing!].every(({ position }) => position.compare(world.head) >= 0), 'up to date')
    await failing!.stop()
    failing!.position = behind(20)
    failing!.got.length = 20
    failing!.start()
    await until(() => failing!.position.compare(world.head) >= 0, 'again')
    await until(() => world.hub.streams === 1, 'together again')
    expect(world.openings.map(({ from }) => Number(from.clusterTime >> 32n))).toEqual([0, 20])
    expect(world.mostAlive).toBe(2)
    expect([steady!.got, failing!.got]).toEqual([failing!.got, Array.from({ length: 50 }, (_, i) => i + 1)])
    await Promise.all([steady!.stop(), failing!.stop()])
  })

  it('becomes as wide as the pipelines that come later need, where it is', async () => {
    const world = new World()
    world.write(...Array.from({ length: 40 }, (_, i) => letters[i % 3]!))
    const first = new Consumer(world.source('first', ['d.a'], whole), behind(0))
    first.start()
    await until(() => first.position.compare(world.head) >= 0, 'up to date')
    const second = new Consumer(world.source('second', ['d.b'], whole), world.head)
    second.start()
    await turns(20)
    world.write('b', 'a', 'c', 'b')
    await until(() => [first, second].every(({ position }) => position.compare(world.head) >= 0), 'both')
    expect(world.openings.map(({ opening }) => opening.scope)).toEqual([
      { db: 'd', collection: 'a' },
      { db: 'd', collection: undefined },
    ])
    expect(second.got).toEqual([41, 44])
    expect(first.got).toEqual(
      world.expected(
        letter => letter === 'a',
        () => true,
        behind(0),
      ),
    )
    await Promise.all([first.stop(), second.stop()])
  })

  it('goes on without those that leave: nothing is kept for them', async () => {
    const world = new World(1)
    world.write(...history(30))
    const [stuck, free] = ['stuck', 'free'].map(name => new Consumer(world.source(name, ['d.a'], whole), behind(0)))
    const opened = Promise.withResolvers<void>()
    stuck!.gate = opened.promise
    stuck!.start()
    free!.start()
    await until(() => stuck!.got.length > 0, 'the first batch')
    await turns(50)
    expect(free!.got.length).toBeLessThan(10)
    const stopped = stuck!.stop() // It holds a batch in its hands still: the others do not wait for that.
    await until(() => free!.got.length === 30, 'the other goes on')
    opened.resolve()
    await stopped
    expect(stuck!.got).toEqual([1])
    await free!.stop()
  })

  it('parts the pipelines where MongoDB refuses them together, and unites those that are left', async () => {
    const world = new World()
    world.write(...Array.from({ length: 40 }, (_, i) => letters[i % 3]!))
    const refused = () => new Configuration('SOURCE_UNAUTHORIZED', 'no')
    world.faults.push(refused(), refused()) // Shared, then the first that is on its own.
    const [wrong, one, two] = letters.map(name => new Consumer(world.source(name, [`d.${name}`], whole), behind(0)))
    for (const consumer of [wrong!, one!, two!]) consumer.start()
    await until(() => [one!, two!].every(({ position }) => position.compare(world.head) >= 0), 'the others')
    expect(wrong!.faults).toMatchObject([{ code: 'SOURCE_UNAUTHORIZED' }])
    expect([one!.faults, two!.faults, world.hub.streams]).toEqual([[], [], 2])
    world.nowMs += 60_000
    await until(() => world.hub.streams === 1, 'together')
    world.write('a', 'b', 'c')
    await until(() => two!.got.at(-1) === 43, 'what follows')
    expect(one!.got).toEqual(
      world.expected(
        letter => letter === 'b',
        () => true,
        behind(0),
      ),
    )
    expect(two!.got).toEqual(
      world.expected(
        letter => letter === 'c',
        () => true,
        behind(0),
      ),
    )
    for (const consumer of [wrong!, one!, two!]) await consumer.stop()
  })

  it('takes a lost position for that of the hindmost alone', async () => {
    const world = new World()
    world.write(...history(40))
    world.faults.push(new PositionLost('SOURCE_HISTORY_LOST', 'gone'))
    const [lost, kept] = [0, 10].map(time => new Consumer(world.source(`p${time}`, ['d.a'], whole), behind(time)))
    lost!.start()
    kept!.start()
    await until(() => kept!.position.compare(world.head) >= 0, 'up to date')
    expect([lost!.faults, lost!.got]).toEqual([[expect.objectContaining({ code: 'SOURCE_HISTORY_LOST' })], []])
    expect(kept!.got).toEqual(
      world.expected(
        () => true,
        () => true,
        behind(10),
      ),
    )
    await Promise.all([lost!.stop(), kept!.stop()])
  })
})
