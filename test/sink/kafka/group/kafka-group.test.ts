import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { startBrokers } from '../../../../src/services/broker.ts'
import type { BrokerCluster } from '../../../../src/services/services.ts'
import { AnyBroker } from '../../../../src/sink/kafka/any-broker.ts'
import {
  KafkaGroup,
  type KafkaGroupMember,
  type KafkaGroupTerms,
} from '../../../../src/sink/kafka/group/kafka-group.ts'
import { findCoordinatorRequest } from '../../../../src/sink/kafka/protocol/find-coordinator.ts'
import { WireConnection } from '../../../../src/sink/kafka/wire-connection.ts'
import { options } from '../../../services/servers.ts'
import { freshTopic, never, settingsFor } from '../fixture.ts'

let cluster: BrokerCluster
beforeAll(async () => {
  cluster = await startBrokers(options())
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

const nothing = new Map<string, Buffer>()
const metadata = Buffer.from('mine')

function groupOf(change: Partial<KafkaGroupTerms> = {}): KafkaGroup {
  const terms: KafkaGroupTerms = {
    groupId: freshTopic('group'),
    protocolType: 'test',
    protocolName: '1-a',
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    heartbeatLimitMs: 3_000,
    ...change,
  }
  return new KafkaGroup({ settings: settingsFor(cluster.brokers), terms, clock: systemClock })
}

/** Asks again for as long as the coordinator is not there: it is just being made, loading, or was killed. */
async function insist<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if ((error as { code?: string }).code !== 'SINK_UNAVAILABLE') throw error
      await systemClock.sleep(50)
    }
  }
}

/** A member from its first join to the answer of its last one. A coordinator that is new knows no names that were given. */
async function join(group: KafkaGroup, memberId = '') {
  for (let id = memberId; ; ) {
    const answer = await insist(() => group.join(id, metadata, never))
    if (answer.outcome === 'named') id = answer.memberId
    else if (answer.outcome === 'gone' && memberId === '') id = ''
    else return answer
  }
}

/** What the coordinator says to a heartbeat, also where it changes: the preferred leader of a partition takes it back. */
const beat = (group: KafkaGroup, member: KafkaGroupMember) => insist(() => group.heartbeat(member, never))

/** The only member of its group, and so its leader. */
async function alone(group: KafkaGroup) {
  const joined = await join(group)
  if (joined.outcome !== 'joined') throw new Error(`not joined: ${joined.outcome}`)
  const member = { memberId: joined.memberId, generation: joined.generation }
  const assignments = new Map([[member.memberId, Buffer.from('all')]])
  const synced = await insist(() => group.sync(member, assignments, never))
  return { joined, member, synced }
}

describe('a group of Kafka', () => {
  it('is joined in two steps, synced, kept alive and left', async () => {
    using group = groupOf()
    const first = await insist(() => group.join('', metadata, never))
    expect(first).toEqual({ outcome: 'named', memberId: expect.stringContaining('mongo2kafka-test') })
    const { joined, member, synced } = await alone(group)
    expect(joined).toMatchObject({ outcome: 'joined', members: [{ memberId: member.memberId, metadata }] })
    expect(synced).toEqual({ outcome: 'assigned', assignment: Buffer.from('all') })
    expect(await beat(group, member)).toBe('member')
    expect(await beat(group, { ...member, generation: member.generation - 1 })).toBe('old')
    expect(await beat(group, { ...member, memberId: 'nobody' })).toBe('gone')
    expect(await group.join('nobody', metadata, never)).toEqual({ outcome: 'gone' })
    await group.leave(member.memberId, never)
    expect(await beat(group, member)).toBe('gone')
    expect(await group.sync(member, nothing, never)).toEqual({ outcome: 'gone' })
  })

  it('tells its member of a rebalance while that may still wait in a join', async () => {
    const groupId = freshTopic('group')
    using one = groupOf({ groupId })
    using other = groupOf({ groupId })
    const { member } = await alone(one)
    const joining = join(other)
    while ((await beat(one, member)) === 'member') {
      // Until the other one's join has arrived.
    }
    expect(await beat(one, member)).toBe('rebalance')
    expect(await one.sync(member, nothing, never)).toEqual({ outcome: 'rebalance' })
    const [again, joined] = await Promise.all([join(one, member.memberId), joining])
    expect(again).toMatchObject({ outcome: 'joined', generation: member.generation + 1 })
    expect(joined).toMatchObject({ outcome: 'joined', generation: member.generation + 1, members: undefined })
    expect(await beat(one, member)).toBe('old')
  })

  it('refuses another protocol and a session timeout that the broker does not allow', async () => {
    const groupId = freshTopic('group')
    using group = groupOf({ groupId })
    await alone(group)
    using stranger = groupOf({ groupId, protocolName: '1-b' })
    await expect(join(stranger)).rejects.toMatchObject({ name: 'Configuration', code: 'WORKERS_MISMATCH' })
    using hasty = groupOf({ sessionTimeoutMs: 10 })
    await expect(join(hasty)).rejects.toMatchObject({ name: 'Configuration', code: 'WORKERS_SESSION_TIMEOUT' })
  })

  it('waits for nobody who has aborted, and can be asked again', async () => {
    const groupId = freshTopic('group')
    using one = groupOf({ groupId })
    using other = groupOf({ groupId })
    const { member } = await alone(one)
    const named = await insist(() => other.join('', metadata, never))
    const giveUp = new AbortController()
    const waiting = other.join(named.outcome === 'named' ? named.memberId : '', metadata, giveUp.signal)
    giveUp.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(other.heartbeat(member, giveUp.signal)).rejects.toThrow('enough')
    expect(['member', 'rebalance']).toContain(await beat(other, member))
  })

  it('is over with dispose', async () => {
    const group = groupOf()
    group[Symbol.dispose]()
    await expect(group.join('', metadata, never)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
  })

  it.each(['dies', 'is frozen'])('is found again when its coordinator %s, with the member in it', async fate => {
    const groupId = freshTopic('group')
    using group = groupOf({ groupId })
    const { member } = await alone(group)
    expect(await beat(group, member)).toBe('member')
    const coordinator = await nodeOf(groupId)
    using other = groupOf({ groupId })
    const named = await insist(() => other.join('', metadata, never))
    const waiting = other.join(named.outcome === 'named' ? named.memberId : '', metadata, never)
    const lost = expect(waiting).rejects.toMatchObject({ name: 'Retryable', code: 'SINK_UNAVAILABLE' })
    while ((await beat(group, member)) === 'member') {
      // Until the other one waits in its join.
    }
    if (fate === 'dies') await coordinator.kill()
    else coordinator.freeze()
    try {
      // The new coordinator knows the last complete generation and begins all sessions anew.
      expect(['member', 'rebalance']).toContain(await beat(group, member))
      // Of the other's connection that is gone it hears at once; of one that is silent when it asks anything.
      expect(await beat(other, member)).not.toBe('gone')
      await lost
    } finally {
      coordinator.thaw()
      await coordinator.start(AbortSignal.timeout(120_000))
    }
  })
})

/** The broker that coordinates the group. */
async function nodeOf(groupId: string) {
  const limits = { connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }
  const kafka = settingsFor(cluster.brokers)
  using brokers = new AnyBroker({
    bootstrap: cluster.brokers,
    open: (address, signal) => WireConnection.open({ kafka, ...limits }, address, signal),
    clock: systemClock,
  })
  const { nodeId } = await brokers.ask(findCoordinatorRequest('group', groupId), never)
  return cluster.nodes.find(({ id }) => id === nodeId)!
}
