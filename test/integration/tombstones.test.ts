import { Kafka, logLevel } from 'kafkajs'
import { expect, inject, test } from 'vitest'
import { KafkaProxy } from '../sink/kafka/proxy/proxy.ts'
import { strictTarget } from '../sink/kafka/proxy/strict-target.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { judgeHistory, type Seen } from './history.ts'
import { Setting } from './setting.ts'
import { readStanding, type Standing, seenOf } from './topics.ts'

const partitions = 3
/** Rounds with a kill that are made in any case, and at most, until one has left something behind its checkpoint. */
const rounds = { least: 3, most: 12 }
/** So many records are on their way before a round ends. */
const recordsPerRound = 60

/** Deletes as records with tombstones, and as tombstones alone, with checkpoints that are always some changes behind. */
function configOf({ name, uri }: Setting, brokers: readonly string[]): string {
  const pipeline = (of: string, shape: string) => `
  - name: ${of}
    source: { collections: [${name}.*] }
    topic: ${topicOf(name, of)}
    partitions: ${partitions}
    tombstones: true
    value: { shape: ${shape} }`
  return `
name: ${name}
mongodb: { uri: "${uri}" }
sink: { preset: oci-streaming, brokers: ${JSON.stringify(brokers)} }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
workers: { slots: 2 }
checkpoint: { store: mongodb, uri: "${uri}", database: ${name}_state, interval: 700ms }
pipelines:${pipeline('events', 'change-event')}${pipeline('documents', 'document')}
`
}

function topicOf(name: string, pipeline: string): string {
  return `${name}.${pipeline}`
}

/** Before anybody asks for them, so that nobody makes them by asking. */
async function createTopics(brokers: readonly string[], topics: readonly string[]): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({
    topics: topics.map(topic => ({ topic, numPartitions: partitions })),
    waitForLeaders: true,
  })
  await admin.disconnect()
}

/** All of the topic. A broker that leads since a moment ago may not know it yet. */
async function readPatiently(brokers: readonly string[], topic: string): Promise<readonly Standing[]> {
  let refused: unknown
  const read = () =>
    readStanding(brokers, [topic]).catch(error => {
      refused = error
      return undefined
    })
  return await eventually(read, () => `what stands in ${topic}: ${refused}`)
}

async function started(config: string): Promise<Daemon> {
  const daemon = await Daemon.start(config)
  const streams = () => (daemon.output.split('reading changes').length > 4 ? true : undefined)
  await eventually(streams, () => `two pipelines on two slots: ${daemon.output}`)
  return daemon
}

test('a target without headers gets each change once, in order; only tombstones at the end are repeated', {
  timeout: 600_000,
}, async () => {
  const brokers = inject('kafkaBrokers')
  await using proxy = await KafkaProxy.open({ brokers, ...strictTarget })
  await using setting = await Setting.create({ documents: 60, collections: ['orders'], partitions })
  const [namespace = ''] = setting.namespaces
  const config = configOf(setting, proxy.brokers)
  await createTopics(brokers, [topicOf(setting.name, 'events'), topicOf(setting.name, 'documents')])
  const standing = (pipeline: string) => readPatiently(brokers, topicOf(setting.name, pipeline))

  let leftOut = 0
  for (let round = 0; round < rounds.least || (leftOut === 0 && round < rounds.most); round++) {
    await using daemon = await started(config)
    if (round === 0)
      expect(daemon.output).toMatch(/tombstones carry no position.*tombstones: false for events, documents/)
    await setting.writer.writeWhile(
      namespace,
      async () => {
        const enough = (await standing('documents')).length + recordsPerRound
        const there = async () => ((await standing('documents')).length >= enough ? true : undefined)
        await eventually(there, () => `records on their way: ${daemon.output.slice(-3_000)}`)
        leftOut += await alreadyThere(daemon)
        await daemon.stop(round === 1 ? 'SIGTERM' : 'SIGKILL')
      },
      20,
    )
  }
  await using daemon = await started(config)
  const last = await Promise.all(
    ['events', 'documents'].map(async pipeline => [pipeline, await arrived(pipeline)] as const),
  )
  leftOut += await alreadyThere(daemon)
  expect(await daemon.stop('SIGTERM'), daemon.output).toBe(0)
  expect(proxy.met.refused, 'nothing was sent that the target does not take').toBe(0)
  for (const [pipeline, seen] of last) {
    expect(judgeHistory(setting.writer.journal, seen, false), pipeline).toEqual({ violations: [], duplicates: 0 })
  }
  expect(leftOut, 'no crash left anything behind its checkpoint: the run proves nothing').toBeGreaterThan(0)

  /** All that arrived, once it is everything. */
  async function arrived(pipeline: string): Promise<readonly Seen[]> {
    const seen = async () => {
      const records = withoutRepeatedTombstones(await standing(pipeline))
      return pipeline === 'events' ? changesOf(records) : documentsOf(records, namespace, setting.writer.journal)
    }
    const complete = async () => {
      const { violations } = judgeHistory(setting.writer.journal, await seen(), true)
      return violations.some(violation => violation.startsWith('G1')) ? undefined : true
    }
    await eventually(complete, () => `all changes of ${pipeline}: ${daemon.output.slice(-3_000)}`)
    return await seen()
  }
})

/** A tombstone directly behind one of the same key, with nothing of that key between, says nothing new. */
function withoutRepeatedTombstones(records: readonly Standing[]): readonly Standing[] {
  const ended = new Map<string, boolean>()
  return records.filter(({ topic, partition, key, value }) => {
    const place = `${topic}-${partition}/${key}`
    const isRepeated = value === null && ended.get(place) === true
    ended.set(place, value === null)
    return !isRepeated
  })
}

/** Of change events: each delete is followed by its tombstone before anything else of its key, and nothing else is. */
function changesOf(records: readonly Standing[]): Seen[] {
  const deleted = new Map<string, boolean>()
  const seen: Seen[] = []
  for (const { partition, key, value } of records) {
    if (value === null) {
      expect(deleted.get(key), `a tombstone of ${key} behind its delete`).toBe(true)
      deleted.delete(key)
      continue
    }
    expect(deleted.has(key), `the tombstone of ${key} before what comes next`).toBe(false)
    const change = seenOf(value, partition)
    seen.push(change)
    if (change.change.startsWith('deleted')) deleted.set(key, true)
  }
  return seen
}

/** Of documents and tombstones: a tombstone is the delete of the version before it. */
function documentsOf(
  records: readonly Standing[],
  namespace: string,
  journal: ReadonlyMap<string, readonly string[]>,
): Seen[] {
  const before = new Map<string, string>()
  return records.map(({ partition, key, value }) => {
    const document = `${namespace}/${key}`
    expect(journal.has(document)).toBe(true)
    const version = value === null ? undefined : String((JSON.parse(value.toString()) as { readonly v: string }).v)
    const change = version ?? `deleted ${before.get(document)}`
    if (version === undefined) before.delete(document)
    else before.set(document, version)
    return { document, change, partition }
  })
}

/** How many records of replays were left out, by the daemon's own count. */
async function alreadyThere(daemon: Daemon): Promise<number> {
  const text = await (await fetch(`${await daemon.adminUrl()}/metrics`)).text()
  const counts = text.matchAll(/records_total\{[^}]*outcome="already-there"[^}]*\} (\d+)/g)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}
