import type { Finding } from './check.ts'
import { getOwn } from './tree.ts'

/** Exactly-once is one transaction of records and checkpoint: both must be in one Kafka that has transactions. */
export function deliveryRules(root: unknown): Finding[] {
  if (getOwn(root, 'delivery') !== 'exactly-once') return []
  const sink = getOwn(root, 'sink')
  const store = getOwn(getOwn(root, 'checkpoint'), 'store')
  const pointer = '/delivery'
  const otherwise = 'or set delivery: at-least-once'
  if (getOwn(sink, 'type') === 'stdout') {
    return [{ pointer, message: 'exactly-once needs sink.type: kafka; set delivery: at-least-once' }]
  }
  const findings: Finding[] = []
  if (store === 'mongodb' || store === 'file') {
    const message = `exactly-once commits the checkpoint in the transaction of its records: set checkpoint.store: kafka, ${otherwise}`
    findings.push({ pointer, message })
  }
  if (getOwn(sink, 'client') === 'kafkajs') {
    const message = `exactly-once is not to be had with sink.client kafkajs: set it to auto, ${otherwise}`
    findings.push({ pointer, message })
  }
  return findings
}

export function checkpointRules(root: unknown): Finding[] {
  const checkpoint = getOwn(root, 'checkpoint')
  const store = getOwn(checkpoint, 'store')
  const findings: Finding[] = []
  if (store === 'kafka' && getOwn(getOwn(root, 'sink'), 'type') === 'stdout') {
    const message = 'sink.type stdout has no Kafka to keep checkpoints in: set store: file and path'
    findings.push({ pointer: '/checkpoint/store', message })
  }
  if (store === 'file' && getOwn(checkpoint, 'path') === undefined) {
    findings.push({ pointer: '/checkpoint/path', message: 'is missing: store file needs the path of a directory' })
  }
  if (store !== 'mongodb') return findings
  const uri = getOwn(checkpoint, 'uri')
  if (uri === undefined) {
    const message = 'is missing: store mongodb needs a connection string, such as that of mongodb.uri'
    findings.push({ pointer: '/checkpoint/uri', message })
  }
  if (uri === getOwn(getOwn(root, 'mongodb'), 'uri')) findings.push(...readsItsOwn(root, checkpoint))
  return findings
}

/** Each saved position would be a change, whose record would save a position, for ever. */
function readsItsOwn(root: unknown, checkpoint: unknown): Finding[] {
  const [database, collection] = [getOwn(checkpoint, 'database'), getOwn(checkpoint, 'collection')]
  const pipelines = getOwn(root, 'pipelines')
  if (typeof database !== 'string' || !Array.isArray(pipelines)) return []
  const own = `${database}.${String(collection)}`
  return pipelines.flatMap((pipeline, index) => {
    const patterns = getOwn(getOwn(pipeline, 'source'), 'collections')
    return (Array.isArray(patterns) ? patterns : []).flatMap((pattern, at) => {
      if (typeof pattern !== 'string' || !selects(pattern, own, database)) return []
      const message = `reads ${own}, where the checkpoints are, and each of them would make the next: leave it out, or set another checkpoint.database`
      return [{ pointer: `/pipelines/${index}/source/collections/${at}`, message }]
    })
  })
}

function selects(pattern: string, namespace: string, database: string): boolean {
  if (pattern === namespace || pattern === `${database}.*`) return true
  if (!/^\/.+\/$/.test(pattern)) return false
  try {
    return new RegExp(pattern.slice(1, -1)).test(namespace)
  } catch {
    return false // Another rule reports it.
  }
}

export function workersRules(root: unknown): Finding[] {
  const workers = getOwn(root, 'workers')
  const [slots, coordination] = [getOwn(workers, 'slots'), getOwn(workers, 'coordination')]
  const findings: Finding[] = []
  if (getOwn(getOwn(root, 'checkpoint'), 'store') === 'file') {
    const message = 'with checkpoint.store: file, which belongs to one machine; set checkpoint.store: kafka or mongodb'
    if (typeof slots === 'number' && slots > 1) {
      findings.push({ pointer: '/workers/slots', message: `must be 1 ${message}` })
    }
    if (coordination === 'kafka' || coordination === 'static') {
      findings.push({ pointer: '/workers/coordination', message: `must be none ${message}` })
    }
  }
  if (coordination === 'kafka' && getOwn(getOwn(root, 'sink'), 'type') === 'stdout') {
    const message = 'sink.type stdout has no Kafka to share out slots: set static with replicas, or none'
    findings.push({ pointer: '/workers/coordination', message })
  }
  return [...findings, ...staticRules(workers)]
}

function staticRules(workers: unknown): Finding[] {
  const [slots, ordinal, replicas] = ['slots', 'ordinal', 'replicas'].map(key => getOwn(workers, key))
  if (getOwn(workers, 'coordination') !== 'static') {
    return Object.entries({ ordinal, replicas }).flatMap(([key, value]) => {
      if (value === undefined) return []
      return [{ pointer: `/workers/${key}`, message: 'only for coordination static: remove it, or set that' }]
    })
  }
  if (replicas === undefined) {
    return [{ pointer: '/workers/replicas', message: 'is missing: static needs the number of workers' }]
  }
  if (typeof replicas !== 'number') return []
  const findings: Finding[] = []
  if (typeof slots === 'number' && replicas > slots) {
    const message = `must be at most workers.slots (${slots}): the others would have nothing to do`
    findings.push({ pointer: '/workers/replicas', message })
  }
  if (typeof ordinal === 'number' && ordinal >= replicas) {
    findings.push({ pointer: '/workers/ordinal', message: `must be less than workers.replicas (${replicas})` })
  }
  return findings
}
