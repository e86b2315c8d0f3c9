import { describe, expect, it } from 'vitest'
import { sealed } from '../../src/checkpoint/format.ts'
import { type Facts, factsRecord, verifyFacts } from '../../src/checkpoint/kafka-facts.ts'
import { freshTopic, openStore } from './kafka-fixture.ts'

const isSame = (one: string, other: string) => one === other
const cluster = (identity: string) => ({ identity, isSame })

describe('the facts of a deployment', () => {
  const facts: Facts = { deployment: 'shop', slots: 4, cluster: 'replicaSet:rs0/1' }
  const verify = (bytes: Buffer, own: Facts = facts) => verifyFacts({ bytes, where: 't-0@5' }, own, isSame)

  it('are those that were written', () => {
    expect(() => verify(factsRecord(facts).bytes)).not.toThrow()
  })

  it.each([
    ['another number of slots', { slots: 5 }, 'CHECKPOINT_MISMATCH', 'was started with 5 slots, and 4 are configured'],
    ['another MongoDB', { cluster: 'sharded' }, 'CHECKPOINT_MISMATCH', 'reads MongoDB sharded, and this is replicaSet'],
    ['another deployment', { deployment: 'x' }, 'CHECKPOINT_CORRUPT', 'it belongs to deployment x'],
  ])('refuse %s, and say where they lie', (_name, changes, code, text) => {
    const refuse = () => verify(factsRecord({ ...facts, ...changes }).bytes)
    expect(refuse).toThrow(expect.objectContaining({ name: 'Configuration', code }))
    expect(refuse).toThrow(text)
    expect(refuse).toThrow('t-0@5')
  })

  it('are never guessed from what cannot be read', () => {
    expect(() => verify(Buffer.from('facts'))).toThrow(expect.objectContaining({ code: 'CHECKPOINT_CORRUPT' }))
    expect(() => verify(sealed({ formatVersion: 1, deployment: 'shop' }))).toThrow('it lacks deployment, slots or')
    const newer = sealed({ formatVersion: 2, ...facts })
    expect(() => verify(newer)).toThrow(expect.objectContaining({ code: 'CHECKPOINT_NEWER' }))
  })
})

describe('a stranger of the same name is refused', () => {
  it('with another MongoDB, and the right one is not disturbed', async () => {
    const topic = freshTopic()
    await (await openStore(topic, { cluster: cluster('one') }))[Symbol.asyncDispose]()
    await expect(openStore(topic, { cluster: cluster('two') })).rejects.toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
    await (await openStore(topic, { cluster: cluster('one') }))[Symbol.asyncDispose]()
  })

  it('with another number of slots', async () => {
    const topic = freshTopic()
    await (await openStore(topic, { slots: 2, cluster: cluster('one') }))[Symbol.asyncDispose]()
    const opening = openStore(topic, { slots: 4, cluster: cluster('one') })
    await expect(opening).rejects.toMatchObject({ name: 'Configuration', code: 'CHECKPOINT_MISMATCH' })
    await expect(opening).rejects.toThrow('has 2 partitions, one for each slot, and 4 slots are configured')
  })

  it('also when both start for the first time at once: one of them has the name', async () => {
    const topic = freshTopic()
    await (await openStore(topic))[Symbol.asyncDispose]() // The topic is there, the facts are not.
    const results = await Promise.allSettled(['one', 'two'].map(name => openStore(topic, { cluster: cluster(name) })))
    const winners = results.filter(({ status }) => status === 'fulfilled')
    expect(winners).toHaveLength(1)
    for (const result of results) if (result.status === 'fulfilled') await result.value[Symbol.asyncDispose]()
    const [first, second] = results[0]?.status === 'fulfilled' ? ['one', 'two'] : ['two', 'one']
    await (await openStore(topic, { cluster: cluster(first!) }))[Symbol.asyncDispose]()
    await expect(openStore(topic, { cluster: cluster(second!) })).rejects.toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
  })
})
