/** The answers of the admin API as JSON Schema, which the OpenAPI document shows and the tests hold the server to. */

type Schema = Readonly<Record<string, unknown>>

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const count = { type: 'integer', minimum: 0 } as const
const ratio = { type: 'number', minimum: 0 } as const
const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema.type, 'null'] })
const ms = { type: 'number', description: 'Milliseconds, points in time since the Unix epoch.' } as const
const reference = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })
const listOf = (items: Schema): Schema => ({ type: 'array', items })

/** An object with exactly these members, all of them there but those in `optional`. */
function object(description: string, properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []) {
  const required = Object.keys(properties).filter(name => !optional.includes(name))
  return { type: 'object', description, properties, required, additionalProperties: false } as const
}

const stage = { type: 'string', enum: ['source', 'encode', 'sink'] } as const
const busy = object('Shares of the time that each stage was at work.', { source: ratio, encode: ratio, sink: ratio })

const pipeline = object('A pipeline, all of its slots put together.', {
  name: text,
  state: {
    type: 'string',
    enum: ['starting', 'running', 'idle', 'retrying', 'paused', 'failed', 'stopped', 'standby'],
  },
  error: {
    oneOf: [
      { type: 'null' },
      object('Why it retries or has failed, and what to do.', { code: text, message: text, remedy: text }),
    ],
  },
  lagMs: orNull(ms),
  positionMs: orNull(ms),
  checkpointSavedAtMs: orNull(ms),
  oplogWindowMs: orNull(ms),
  oplogHeadroomMs: orNull(ms),
  inFlightRecords: count,
  inFlightBytes: count,
  records: count,
  busy: reference('Busy'),
  limitedBy: {
    oneOf: [{ type: 'null' }, object('What limits the throughput, and how much of the time.', { stage, ratio })],
  },
  throttledRatio: ratio,
})

const worker = object('One worker of the deployment.', {
  name: text,
  owned: listOf(count),
  busy: { oneOf: [{ type: 'null' }, reference('Busy')] },
})

const workers = object('Who works on which slots, and what would help.', {
  coordination: { type: 'string', enum: ['none', 'static', 'kafka'] },
  slots: count,
  name: orNull(text),
  state: { type: 'string', enum: ['joining', 'working', 'standby', 'releasing', 'stopped'] },
  owned: listOf(count),
  workers: listOf(reference('Worker')),
  advice: text,
})

const config = object('Which configuration is in force.', {
  loadedAtMs: ms,
  lastReload: {
    oneOf: [
      { type: 'null' },
      object('What became of the last change of the file.', { atMs: ms, applied: flag, problems: listOf(text) }),
    ],
  },
})

const reason = object('A pipeline that is not ready.', {
  pipeline: orNull(text),
  state: text,
  code: orNull(text),
  remedy: orNull(text),
})

export const schemas = {
  Busy: busy,
  Pipeline: pipeline,
  Pipelines: object('Every pipeline.', { pipelines: listOf(reference('Pipeline')) }),
  Worker: worker,
  Workers: workers,
  Config: config,
  Readiness: object('Whether every owned pipeline goes on, and if not, which do not.', {
    ready: flag,
    reasons: listOf(reason),
  }),
  Order: object('What became of an order; `changed: false`: it was so already.', {
    pipeline: text,
    action: { type: 'string', enum: ['pause', 'resume'] },
    changed: flag,
  }),
  Error: object('Why there is no other answer.', { error: text }),
} as const

/** By its name, for the OpenAPI document. */
export function schemaOf(name: keyof typeof schemas): Schema {
  return reference(name)
}
