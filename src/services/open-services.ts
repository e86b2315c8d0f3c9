import { startBroker } from './broker.ts'
import { cacheDir } from './cache.ts'
import { type ContainerParts, startContainers } from './container-services.ts'
import { hasOwnMongod } from './download-mongod.ts'
import { startReplicaSet } from './replica-set.ts'
import { requireAll, type Wanted } from './requirements.ts'
import type { ServiceOptions, Services } from './services.ts'

/**
 * A MongoDB replica set and a Kafka broker: those that M2K_TEST_MONGODB_URI and M2K_TEST_KAFKA_BROKERS (comma
 * separated) of `env` name; else, where a container engine answers, in containers; else processes of our own. What the
 * machine lacks for these is named before anything is fetched (SERVICE_MISSING); a server that does not start is
 * SERVICE_FAILED.
 */
export async function openServices(options: ServiceOptions, containers?: ContainerParts): Promise<Services> {
  const { M2K_TEST_MONGODB_URI: uri, M2K_TEST_KAFKA_BROKERS: brokers } = options.env
  const given: Found = {
    mongodbUri: uri || undefined,
    kafkaBrokers: brokers ? brokers.split(',').map(address => address.trim()) : undefined,
  }
  await using stack = new AsyncDisposableStack()
  const contained = await startContainers(lacking(given), options, containers)
  if (contained) stack.use(contained)
  const found = merged(given, contained)
  const { mongodbUri, kafkaBrokers } = merged(found, await startOwn(lacking(found), options, stack))
  const owned = stack.move()
  return { mongodbUri: mongodbUri!, kafkaBrokers: kafkaBrokers!, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** undefined: not there yet. */
interface Found {
  readonly mongodbUri: string | undefined
  readonly kafkaBrokers: readonly string[] | undefined
}

function lacking({ mongodbUri, kafkaBrokers }: Found): Wanted {
  return { mongodb: mongodbUri === undefined, kafka: kafkaBrokers === undefined }
}

function merged(first: Found, second: Found | undefined): Found {
  return {
    mongodbUri: first.mongodbUri ?? second?.mongodbUri,
    kafkaBrokers: first.kafkaBrokers ?? second?.kafkaBrokers,
  }
}

/** Starts what is wanted as processes of this machine, which `stack` ends. */
async function startOwn(wanted: Wanted, options: ServiceOptions, stack: AsyncDisposableStack): Promise<Found> {
  const { env, progress, signal } = options
  const needsMongod = wanted.mongodb && !(await hasOwnMongod(signal))
  await requireAll({ ...wanted, mongodb: needsMongod }, env, signal)
  if (wanted.mongodb || wanted.kafka) progress?.(`Downloads are kept in ${cacheDir(env)}`)
  // One after the other: two cores start them no faster together, and a failure leaves nothing half started.
  const replicaSet = wanted.mongodb ? stack.use(await startReplicaSet({ ...options, members: 1 })) : undefined
  const broker = wanted.kafka ? stack.use(await startBroker(options)) : undefined
  return { mongodbUri: replicaSet?.uri, kafkaBrokers: broker?.brokers }
}
