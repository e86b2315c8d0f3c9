import { Secret } from '../secret.ts'
import type { Schema } from './json-schema.ts'
import { type Config, configSchema, type PipelineConfig, type SinkConfig } from './schema.ts'
import { deepFreeze, getOwn, isTree, type Tree } from './tree.ts'
import { durationMs, sizeBytes, timeMs } from './units.ts'

/** The configuration that `root` means. `root` has passed the schema and the rules, and its defaults are filled in. */
export function resolve(root: unknown): Config {
  const { defaults: _, ...plain } = resolved(configSchema, root) as Tree
  const name = String(plain.name)
  const sink = plain.sink as Tree
  const checkpoint = plain.checkpoint as Tree
  const config = {
    ...plain,
    sink: resolveSink(sink, name),
    checkpoint: { ...checkpoint, topic: checkpoint.topic ?? `mongo2kafka.${name}.checkpoints` },
    pipelines: (plain.pipelines as Tree[]).map(resolvePipeline),
  }
  // The schema vouches for the shape; Config is derived from it.
  return deepFreeze(config as unknown as Config)
}

function resolveSink(sink: Tree, name: string): SinkConfig {
  const brokers = (sink.brokers as string[]).flatMap(entry => entry.split(',').map(address => address.trim()))
  const off = { ca: undefined, cert: undefined, key: undefined, passphrase: undefined, rejectUnauthorized: true }
  const tls = sink.tls === true ? off : sink.tls || undefined
  const clientId = sink.clientId ?? `mongo2kafka.${name}`
  return { ...sink, brokers, tls, clientId } as unknown as SinkConfig
}

function resolvePipeline(pipeline: Tree): PipelineConfig {
  const { replication, ...entries } = pipeline.topicConfig as Tree
  const config = Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, String(value)]))
  const tombstones = pipeline.tombstones ?? getOwn(pipeline.value, 'shape') === 'document'
  return { ...pipeline, tombstones, topicConfig: { replication, config } } as unknown as PipelineConfig
}

/** `value` by its schema: every declared setting present, units turned into numbers, secrets wrapped. */
function resolved(schema: Schema, value: unknown): unknown {
  if (value === undefined) return undefined
  if (typeof value === 'string' && schema['x-secret']) return new Secret(value)
  if (typeof value === 'string' && schema['x-unit']) return withUnit(schema, value)
  if (Array.isArray(value)) return value.map(item => (schema.items ? resolved(schema.items, item) : item))
  if (!isTree(value) || !schema.properties) return value
  const result: Tree = schema.additionalProperties === false ? {} : { ...value }
  for (const [key, child] of Object.entries(schema.properties)) {
    result[resolvedName(key, child)] = resolved(child, getOwn(value, key))
  }
  return result
}

function resolvedName(key: string, schema: Schema): string {
  return schema['x-unit'] === 'duration' || schema['x-unit'] === 'time' ? `${key}Ms` : key
}

function withUnit(schema: Schema, text: string): number | 'now' {
  if (schema['x-unit'] === 'duration') return durationMs(text)
  return schema['x-unit'] === 'size' ? sizeBytes(text) : timeMs(text)
}
