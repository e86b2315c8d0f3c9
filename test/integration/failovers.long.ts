import { MongoClient, MongoError } from 'mongodb'
import { describe, expect, test } from 'vitest'
import { startBroker } from '../../src/services/broker.ts'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import type { ReplicaSet } from '../../src/services/services.ts'
import type { PipelineStatus } from '../../src/status.ts'
import { options, soonBack } from '../services/servers.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { Setting } from './setting.ts'
import { countRecords } from './topics.ts'

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

describe('MongoDB loses its primary under load', () => {
  test('killed and stepped down: the stream goes on by itself, nothing lost (G1, G2, G3)', {
    timeout: 600_000,
  }, async () => {
    await using set = await startReplicaSet({ ...options(), members: 3, electionTimeoutMs: 2_000 })
    const collections = ['orders', 'after-stepdown', 'after-kill']
    await using setting = await Setting.create({ uri: set.uri, documents: 200, collections, partitions: 4 })
    setting.writer.atomic = true
    await using daemon = await setting.daemon()
    const [orders = '', afterStepDown = '', afterKill = ''] = setting.namespaces

    await setting.writer.writeWhile(orders, async () => {
      await setting.more(orders, 200)
      await stepDown(set)
      await arrivesAfterElection(set, setting, daemon, afterStepDown)
    })
    const killed = await setting.writer.writeWhile(orders, async () => {
      await setting.more(orders, 200)
      const primary = await set.primary()
      await primary.kill('SIGKILL')
      await arrivesAfterElection(set, setting, daemon, afterKill)
      return primary
    })
    await setting.arrived(daemon)
    await killed.start(AbortSignal.timeout(120_000))
    expect(await daemon.stop('SIGTERM'), daemon.output.slice(-5_000)).toBe(0)
    expect((await setting.judge(true)).violations).toEqual([])
  })
})

interface Outage {
  readonly delivery: 'at-least-once' | 'exactly-once'
  readonly requestTimeout: string
  /** What the pipeline does while the broker is away. */
  readonly states: readonly string[]
  /** null: nothing is wrong, and it is ready. Else it is not ready and says one of these codes. */
  readonly codes: readonly string[] | null
}

/** Longer than a broker takes to start on a machine that is busy with other things. */
const longerThanTheOutage = '3m'

describe('Kafka is killed under load and started on its data', () => {
  test.each<[string, Outage]>([
    [
      'at-least-once, before the sink gives up: sent again, never not ready, nothing lost (G1, G2, G3, G8)',
      {
        delivery: 'at-least-once',
        requestTimeout: longerThanTheOutage,
        states: ['running', 'idle'],
        codes: null,
      },
    ],
    [
      'at-least-once, after the sink gave up: not ready, then replayed, nothing lost (G1, G2, G3, G8)',
      {
        delivery: 'at-least-once',
        requestTimeout: '5s',
        states: ['retrying'],
        codes: ['SINK_UNAVAILABLE', 'CHECKPOINT_UNAVAILABLE'],
      },
    ],
    [
      // However patient the sink is, its transaction has an end; and what the coordinator may have heard is not said twice.
      'exactly-once: the transaction is given up, not ready, then replayed, every change once (G1, G2, G4, G8)',
      {
        delivery: 'exactly-once',
        requestTimeout: longerThanTheOutage,
        states: ['retrying', 'starting'],
        codes: ['SINK_UNAVAILABLE', 'CHECKPOINT_UNAVAILABLE'],
      },
    ],
  ])('%s', { timeout: 600_000 }, async (_name, { delivery, requestTimeout, states, codes }) => {
    await using broker = await startBroker({ ...options(), properties: soonBack })
    const { brokers } = broker
    await using setting = await Setting.create({ brokers, documents: 200, collections: ['orders'], partitions: 4 })
    const producer = `producer: { requestTimeout: ${requestTimeout} }`
    const patient = setting.config.replace(/retry: .*/, `retry: { initial: 2s, max: 2s }\ndelivery: ${delivery}`)
    await using daemon = await Daemon.start(patient.replace('sink: {', `sink: { ${producer},`))
    await daemon.reaches('all', 'running', 'idle')
    const [orders = ''] = setting.namespaces
    await setting.writer.writeWhile(orders, async () => {
      await setting.more(orders, 200)
      await broker.kill('SIGKILL')
      await sleep(1_500) // Long enough for a sink that gave up at once to show it.
      const { error } = await entersSoon(daemon, states)
      if (codes === null) expect(error).toBeNull()
      else expect(codes).toContain(error?.code)
      expect((await daemon.readiness()).status).toBe(codes === null ? 200 : 503)
      await broker.start(AbortSignal.timeout(120_000))
    })
    await setting.arrived(daemon)
    expect((await daemon.reaches('all', 'running', 'idle')).error).toBeNull()
    expect(await daemon.stop('SIGTERM'), daemon.output.slice(-5_000)).toBe(0)
    const { violations, duplicates } = await setting.judge(delivery === 'at-least-once')
    expect(violations).toEqual([])
    if (delivery === 'exactly-once') expect(duplicates).toBe(0)
  })
})

/** What is written to the new primary stands in Kafka. How soon is measured by the fault tests, where it is judged. */
async function arrivesAfterElection(
  set: ReplicaSet,
  setting: Setting,
  daemon: Daemon,
  namespace: string,
): Promise<void> {
  await set.primary()
  await setting.writer.write(namespace, 1, 1)
  const arrived = async () => ((await countRecords(setting.brokers, [namespace])) > 0 ? true : undefined)
  await eventually(arrived, () => `a record after the election: ${daemon.output.slice(-5_000)}`)
}

/**
 * Soon is well within the patience of the sink (`longerThanTheOutage`): a save that waits longer must not make it look as
 * if all was well (G8).
 */
async function entersSoon(daemon: Daemon, states: readonly string[]): Promise<PipelineStatus> {
  const found = async () => (await daemon.statuses()).find(({ state }) => states.includes(state))
  return eventually(found, `state ${states.join(' or ')}`, 150_000)
}

/** Until another member is primary: where no other one has caught up in time, which takes a processor, the old one stays. */
async function stepDown(set: ReplicaSet): Promise<void> {
  const old = await set.primary()
  await using client = new MongoClient(`mongodb://${old.host}/?directConnection=true`)
  const replaced = async () => {
    await client.db('admin').command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5 }).catch(refused)
    return (await set.primary()) !== old ? true : undefined
  }
  await eventually(replaced, 'another primary')
}

function refused(error: unknown): void {
  if (!(error instanceof MongoError)) throw error
}
