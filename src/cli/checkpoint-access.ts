import type { CheckpointStore } from '../checkpoint/checkpoint.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { asFault, Fault, PositionLost } from '../errors.ts'
import { silentLogger } from '../log.ts'
import { silentMeter } from '../meter.ts'
import { createRedact } from '../redact.ts'
import { Secrets, secretsIn } from '../secret.ts'
import { type Mongo, openMongo } from '../source/mongo.ts'
import { sameDeployment } from '../source/source.ts'
import type { StoredSlot } from './checkpoint-plan.ts'
import type { Common } from './common.ts'
import { exitCodes, type Io } from './io.ts'

/** What the `checkpoint` commands share: the parts of a daemon, without its log and metrics. */
export function commonOf(config: Config, io: Io): Common {
  const secrets = new Secrets(secretsIn(config))
  const redact = createRedact(secrets)
  return { config, clock: systemClock, log: silentLogger, meter: silentMeter, io, secrets, redact }
}

/** The MongoDB that is read. Throws Retryable or Configuration. */
export function openSource({ config, clock, log, meter }: Common, signal: AbortSignal): Promise<Mongo> {
  return openMongo({ uri: config.mongodb.uri.reveal(), clock, log, meter }, signal)
}

/** What is stored for every pipeline and slot of the configuration, or for `only` that pipeline. */
export async function loadAll(
  { config }: Common,
  store: CheckpointStore,
  only: string | undefined,
  signal: AbortSignal,
): Promise<StoredSlot[]> {
  const names = config.pipelines.map(({ name }) => name).filter(name => only === undefined || name === only)
  const places = names.flatMap(pipeline =>
    Array.from({ length: config.workers.slots }, (_, slot) => ({ pipeline, slot })),
  )
  return Promise.all(
    places.map(async place => ({ ...place, checkpoint: await store.load(place.pipeline, place.slot, signal) })),
  )
}

/** Throws PositionLost where a checkpoint is not of the MongoDB that the configuration names. */
export function checkCluster(stored: readonly StoredSlot[], cluster: string): void {
  const foreign = stored.find(({ checkpoint }) => checkpoint && !sameDeployment(checkpoint.cluster, cluster))
  if (!foreign?.checkpoint) return
  const text = `the checkpoint of pipeline ${foreign.pipeline} belongs to MongoDB ${foreign.checkpoint.cluster}, this one is ${cluster}`
  throw new PositionLost('SOURCE_OTHER_CLUSTER', text)
}

/** Says on stderr what went wrong and what to do, and gives the exit code. */
export function explainFault(error: unknown, { io, redact }: Common, stop: AbortSignal): number {
  if (stop.aborted && !(error instanceof Fault)) return exitCodes.failed
  const fault = asFault(error)
  io.stderr.write(`mongo2kafka checkpoint: ${fault.code}: ${redact(fault.message)}\n  Remedy: ${fault.remedy}\n`)
  return exitCodes.failed
}
