import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { openKafkaCheckpoints } from '../../../src/checkpoint/kafka.ts'
import { systemClock } from '../../../src/clock.ts'
import { Retryable } from '../../../src/errors.ts'
import { silentLogger } from '../../../src/log.ts'
import { packRecords } from '../../../src/record-headers.ts'
import { faultOf } from '../../../src/sink/kafka/classify.ts'
import { createClient } from '../../../src/sink/kafka/client.ts'
import { KafkaGroup } from '../../../src/sink/kafka/group/kafka-group.ts'
import { PartitionReader } from '../../../src/sink/kafka/reading/partition-reader.ts'
import type { KafkaSettings } from '../../../src/sink/kafka/settings.ts'
import { commandIn, execute } from './acl-commands.ts'
import { fencing, freshTopic, never, plain, record, settingsFor, spec, targetWith, transactional } from './fixture.ts'
import { passwordLogin, tlsOf } from './login-fixture.ts'
import { type SecureBroker, startSecureBroker, user } from './secure-broker.ts'
import { batchOf, identityOf, makeTopic, wireFor } from './wire-fixture.ts'

vi.setConfig({ testTimeout: 300_000 })

let broker: SecureBroker
beforeAll(async () => {
  broker = await startSecureBroker(['allow.everyone.if.no.acl.found=false'])
  await using wire = wireFor([broker.plain])
  await identityOf(wire)
})
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]()
})

/** Somebody by a certificate, whom the broker has never seen: nothing is granted to him. */
function stranger(commonName: string): KafkaSettings & { readonly principal: string } {
  const subject = `CN=${commonName},O=acme\\, inc`
  const identity = broker.authority.issue({ commonName, organization: 'acme, inc' })
  const tls = { ...tlsOf({ ca: broker.authority.cert, ...identity }), hasCertificate: true, subject }
  return { ...settingsFor([broker.mutualTls]), tls, principal: `User:${subject}` }
}

/** Asks again for as long as it passes by itself: a coordinator is being made, or the machine is busy. */
async function insist<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof Retryable)) throw error
      await systemClock.sleep(50)
    }
  }
}

/**
 * Tries until it works, and after each refusal does what the error says. What it said each time: who lacks what, and the
 * options of the command from `--operation` on.
 */
async function grantedUntilItWorks(principal: string, work: () => Promise<unknown>): Promise<string[]> {
  const told: string[] = []
  for (let repeated = 0; ; ) {
    try {
      await insist(work)
      return told
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      if (code !== 'SINK_UNAUTHORIZED' && code !== 'WORKERS_UNAUTHORIZED') throw error
      const [, lacks] = /(?:: | )(User:.* lacks .*?)\. On Apache Kafka/.exec(message) ?? []
      expect(lacks, message).toContain(`${principal} lacks `)
      const command = commandIn(message)
      const line = `${lacks?.split(' lacks ').at(-1)}: ${command.slice(command.indexOf('--operation'))}`
      // The controller has an authorizer of its own, which hears of an ACL a moment later than the broker's.
      if (told.includes(line)) {
        if (++repeated > 600) throw error
        await systemClock.sleep(50)
      } else {
        told.push(line)
        await execute(broker.plain, [command])
      }
    }
  }
}

const send = (topic: string) => packRecords([record(topic, 0, 'x')])

it.each(['platformatic', 'kafkajs'] as const)('a producer by %s, its topics and its identity', async client => {
  const settings = stranger(client)
  const topic = freshTopic('made')
  const told = await grantedUntilItWorks(settings.principal, async () => {
    await using target = targetWith(settings, {}, client)
    await using sink = await target.open(plain('p'), never)
    await sink.partitions(topic, spec(1), never)
    await sink.send(send(topic), never)
  })
  expect(told).toEqual([
    'IdempotentWrite on the cluster: --operation IdempotentWrite --cluster',
    `Describe on topic ${topic}: --operation Describe --topic ${topic}`,
    `Create on topic ${topic}: --operation Create --topic ${topic}`,
    `Write on topic ${topic}: --operation Write --topic ${topic}`,
  ])
})

it('a producer of a topic that is there and that nobody looked at', async () => {
  const settings = stranger('sender')
  const topic = await makeTopic([broker.plain], 1)
  const told = await grantedUntilItWorks(settings.principal, async () => {
    await using target = targetWith(settings)
    await using sink = await target.open(plain('p'), never)
    await sink.send(send(topic), never)
  })
  expect(told.slice(1)).toEqual([
    `Describe on topic ${topic}: --operation Describe --topic ${topic}`,
    `Write on topic ${topic}: --operation Write --topic ${topic}`,
  ])
})

it('transactions', async () => {
  const settings = stranger('transactions')
  const topic = await makeTopic([broker.plain], 1)
  const told = await grantedUntilItWorks(settings.principal, async () => {
    await using target = targetWith(settings)
    await using sink = await target.open(transactional('shop.orders.0'), never)
    await sink.commit(send(topic), never)
  })
  // Coordinator and leaders are asked at once: with Write granted first, Describe is there as well.
  expect(told.filter(line => !line.startsWith('Describe on topic'))).toEqual([
    'Describe on transactional id shop.orders.0: --operation Write --transactional-id shop. --resource-pattern-type prefixed',
    `Write on topic ${topic}: --operation Write --topic ${topic}`,
  ])
  // It holds for the whole deployment, and for no other.
  const fence = async (id: string) => {
    await using target = targetWith(settings)
    await using _sink = await target.open(fencing(id), never)
  }
  await insist(() => fence('shop.items.3'))
  await expect(insist(() => fence('shopping.items.0'))).rejects.toMatchObject({ code: 'SINK_UNAUTHORIZED' })
})

it.each(['initProducerId', 'addPartitions', 'endTransaction', 'describeTransaction'] as const)(
  '%s, asked of the coordinator itself',
  async name => {
    const settings = stranger(name)
    const topic = await makeTopic([broker.plain], 1)
    const transactionalId = `${name}.orders.0`
    await using wire = wireFor([broker.plain])
    await insist(() => wire.findCoordinator(transactionalId, never))
    const partitions = [{ topic, partition: 0 }]
    const identity = await insist(async () => {
      const open = await wire.coordinate(1, never)
      const given = { transactionalId, ...(await open.initProducerId(transactionalId, 60_000)) }
      if (name === 'endTransaction') await open.addPartitions(given, partitions)
      return given
    })
    const told = await grantedUntilItWorks(settings.principal, async () => {
      await using own = wireFor([broker.mutualTls], {}, settings)
      const line = await own.coordinate(1, never)
      if (name === 'initProducerId') await line.initProducerId(transactionalId, 60_000)
      if (name === 'addPartitions') await line.addPartitions(identity, partitions)
      if (name === 'endTransaction') await line.endTransaction(identity, 'abort')
      if (name === 'describeTransaction') await line.describeTransaction(transactionalId)
    })
    const right = name === 'describeTransaction' ? 'Describe' : 'Write'
    const onId = `${right} on transactional id ${transactionalId}: --operation Write --transactional-id ${name}. --resource-pattern-type prefixed`
    const onTopic = `Write on topic ${topic}: --operation Write --topic ${topic}`
    expect(told).toEqual(name === 'addPartitions' ? [onId, onTopic] : [onId])
  },
)

it('reading back', async () => {
  const settings = stranger('reader')
  const topic = await makeTopic([broker.plain], 1)
  await using wire = wireFor([broker.plain])
  await insist(async () => (await wire.connect(1, never)).produce([batchOf(topic, 0, ['x'])]))
  let values: string[] = []
  const told = await grantedUntilItWorks(settings.principal, async () => {
    values = []
    await using reader = new PartitionReader({ settings, clock: systemClock })
    for await (const records of reader.readPartition(topic, 0, 0n, { isolation: 'read_committed' }, never))
      values.push(...records.map(({ value }) => String(value)))
  })
  expect(told).toEqual([
    `Describe on topic ${topic}: --operation Describe --topic ${topic}`,
    `Read on topic ${topic}: --operation Read --topic ${topic}`,
  ])
  expect(new Set(values)).toEqual(new Set(['x']))
})

it('a worker group', async () => {
  const settings = stranger('worker')
  const groupId = freshTopic('workers')
  const limits = { sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 30_000, heartbeatLimitMs: 5_000 }
  const terms = { groupId, protocolType: 'test', protocolName: 'a', ...limits }
  const told = await grantedUntilItWorks(settings.principal, async () => {
    using group = new KafkaGroup({ settings, terms, clock: systemClock })
    await group.join('', Buffer.from('mine'), never)
  })
  expect(told).toEqual([`Read on group ${groupId}: --operation Read --group ${groupId}`])
})

it('checkpoints in Kafka', async () => {
  const settings = stranger('checkpoints')
  const deployment = freshTopic('deployment')
  const topic = `mongo2kafka.${deployment}.checkpoints`
  const told = await grantedUntilItWorks(settings.principal, async () => {
    await using store = await openKafkaCheckpoints(
      {
        deployment,
        replication: 1,
        cluster: { identity: 'one', isSame: (a, b) => a === b },
        clock: systemClock,
        reader: new PartitionReader({ settings, clock: systemClock }),
        connect: patience => createClient({ settings, log: silentLogger, clock: systemClock, patience }),
        faultOf,
      },
      never,
    )
    expect(await store.load('orders', 0, never)).toBeUndefined()
  })
  // Whether a producer id is asked for before anything may be written does not matter: Write gives the right to it.
  expect(told.filter(line => !line.includes('the cluster')).sort()).toEqual(
    ['Create', 'Describe', 'DescribeConfigs', 'Read', 'Write'].map(
      right => `${right} on topic ${topic}: --operation ${right} --topic ${topic}`,
    ),
  )
})

it('a SASL user is named without the mechanism, and no password is', async () => {
  const login = passwordLogin('scram-sha-512', user.username, user.password)
  await using wire = wireFor([broker.saslTls], {}, { login, tls: tlsOf({ ca: broker.authority.cert }) })
  const error: unknown = await insist(() => wire.initProducerId(never)).catch((error: unknown) => error)
  expect(error).toMatchObject({ message: expect.stringContaining(`User:${user.username} lacks IdempotentWrite`) })
  expect(String(error)).not.toContain(user.password)
})
