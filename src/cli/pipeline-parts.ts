import type { CheckpointStore } from '../checkpoint/checkpoint.ts'
import type { PipelineConfig } from '../config/schema.ts'
import { createEncoder } from '../encode/encoder.ts'
import type { RecordBlocks } from '../encode/record-block.ts'
import { commitIntervalMs } from '../pipeline/exactly-once.ts'
import type { PipelineParts } from '../pipeline/parts.ts'
import type { Post, Runnable } from '../pipeline/post.ts'
import { runPipeline } from '../pipeline/run-pipeline.ts'
import { Position } from '../position.ts'
import { transactionalIdOf } from '../sink/kafka/transactional-id.ts'
import type { SinkRequest } from '../sink/sink.ts'
import type { Mongo } from '../source/mongo.ts'
import type { Selection } from '../source/source.ts'
import type { Common } from './common.ts'
import type { Target } from './opened-target.ts'

/** A hundred pipelines that each saved ten times a second would spend as much on it as on encoding. */
const saveIntervalPerPipelineMs = 10

/** What all pipelines of the daemon share. */
export interface PipelineResources {
  readonly mongo: Mongo
  readonly target: Target
  readonly store: CheckpointStore
  readonly delivery: PipelineParts['delivery']
  readonly blocks: RecordBlocks
  /** How many pipelines and slots are at work, each with a sink of its own. */
  readonly running: () => number
  /** Of the configuration that is in force. */
  readonly revision: () => number
}

/** A pipeline as the supervisor runs it, once `opened` is there. */
export function runnableOf(common: Common, pipeline: PipelineConfig, opened: Promise<PipelineResources>): Runnable {
  return {
    name: pipeline.name,
    version: JSON.stringify(pipeline),
    run: async (post, stop) => runPipeline(pipelineParts(common, pipeline, await opened, post), stop),
    async recall(slot, stop) {
      const { store } = await opened
      const stored = await store.load(pipeline.name, slot, stop)
      return stored && { position: Position.parse(stored.position), savedAtMs: stored.savedAtMs }
    },
  }
}

/** One pipeline's parts on one slot. Throws Configuration where MongoDB's side cannot be understood. */
function pipelineParts(
  common: Common,
  pipeline: PipelineConfig,
  resources: PipelineResources,
  { slot, lease, monitor }: Post,
): PipelineParts {
  const { config, clock, meter } = common
  const { mongo, target, store, delivery, blocks, running, revision } = resources
  const { name, key, value, tombstones } = pipeline
  const log = common.log.child({ pipeline: name, slot })
  const selection: Selection = {
    pipeline: name,
    slot: { index: slot, count: config.workers.slots },
    collections: pipeline.source.collections,
    filter: pipeline.source.filter,
    fullDocument: pipeline.source.fullDocument,
    fullDocumentBeforeChange: pipeline.source.fullDocumentBeforeChange,
  }
  // Where the target can, the id fences a predecessor on this slot also without transactions (decision 9).
  const sinkRequest: SinkRequest = {
    pipeline: name,
    transactionalId: target.capabilities.idempotence ? transactionalIdOf(config.name, name, slot) : undefined,
    transactions: delivery === 'exactly-once',
  }
  const fields = typeof key.fields === 'string' ? ('documentKey' as const) : key.fields
  return {
    name,
    deployment: config.name,
    slot,
    lease,
    delivery,
    source: mongo.source(selection),
    cluster: mongo.identity,
    filterHash: mongo.filterHash(selection),
    revision,
    store,
    tailReader: target.tailReader,
    openSink: signal => target.open(sinkRequest, signal),
    createEncoder: generation =>
      createEncoder(
        {
          key: { fields, format: key.format },
          value,
          tombstones,
          source: `${config.name}/${name}/${slot}`,
          generation,
        },
        meter,
        blocks,
      ),
    topic: pipeline.topic,
    spec: {
      partitions: pipeline.partitions,
      replication: pipeline.topicConfig.replication,
      config: pipeline.topicConfig.config,
    },
    onError: pipeline.onError,
    startAt: startOf(pipeline.source.startAtMs),
    saveIntervalMs: Math.max(config.checkpoint.intervalMs, Math.min(running() * saveIntervalPerPipelineMs, 10_000)),
    commitIntervalMs: () => commitIntervalMs(running()),
    limits: { inFlightBytes: config.limits.inFlightBytes, drainMs: config.shutdown.drainMs },
    backOff: config.retry,
    monitor,
    clock,
    log,
    meter,
  }
}

/** The first tick of the second that holds `startAtMs`: inclusive, as MongoDB's startAtOperationTime is. */
function startOf(startAtMs: number | 'now'): Position | undefined {
  return startAtMs === 'now' ? undefined : Position.ofTime(BigInt(Math.floor(startAtMs / 1000)) << 32n)
}
