import type { CheckpointStore } from '../checkpoint/checkpoint.ts'
import type { PipelineConfig } from '../config/schema.ts'
import { createEncoder } from '../encode/encoder.ts'
import type { RecordBlocks } from '../encode/record-block.ts'
import { commitIntervalMs } from '../pipeline/exactly-once.ts'
import type { Monitor } from '../pipeline/monitor.ts'
import type { PipelineParts } from '../pipeline/parts.ts'
import { Position } from '../position.ts'
import type { Mongo } from '../source/mongo.ts'
import type { Selection } from '../source/source.ts'
import type { Common } from './common.ts'
import type { Target } from './target.ts'

/** A hundred pipelines that each saved ten times a second would spend as much on it as on encoding. */
const saveIntervalPerPipelineMs = 5

export interface PipelineResources {
  readonly mongo: Mongo
  readonly target: Target
  readonly store: CheckpointStore
  readonly monitor: Monitor
  readonly blocks: RecordBlocks
}

/** One pipeline's parts from its configuration. Throws Configuration where MongoDB's side cannot be understood. */
export function pipelineParts(common: Common, pipeline: PipelineConfig, resources: PipelineResources): PipelineParts {
  const { config, clock, meter } = common
  const { mongo, target, store, monitor, blocks } = resources
  const { name, key, value, tombstones } = pipeline
  const log = common.log.child({ pipeline: name })
  const selection: Selection = {
    pipeline: name,
    collections: pipeline.source.collections,
    filter: pipeline.source.filter,
    fullDocument: pipeline.source.fullDocument,
    fullDocumentBeforeChange: pipeline.source.fullDocumentBeforeChange,
  }
  const fields = typeof key.fields === 'string' ? ('documentKey' as const) : key.fields
  return {
    name,
    deployment: config.name,
    slot: 0,
    lease: { confirm: async () => undefined },
    delivery: 'at-least-once',
    source: mongo.source(selection),
    cluster: mongo.identity,
    filterHash: mongo.filterHash(selection),
    store,
    openSink: signal => target.open(name, signal),
    createEncoder: (sink, generation) =>
      createEncoder(
        {
          key: { fields, format: key.format },
          value,
          tombstones,
          headers: sink.capabilities.headers,
          source: `${config.name}/${name}/0`,
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
    startAt: startOf(pipeline.source.startAtMs),
    saveIntervalMs: Math.max(config.checkpoint.intervalMs, config.pipelines.length * saveIntervalPerPipelineMs),
    commitIntervalMs: () => commitIntervalMs(config.pipelines.length),
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
