import { startBroker } from './broker.ts'
import { cacheDir } from './cache.ts'
import { hasOwnMongod } from './download-mongod.ts'
import { startReplicaSet } from './replica-set.ts'
import { requireAll } from './requirements.ts'
import type { ServiceOptions, Services } from './services.ts'

/**
 * A MongoDB replica set and a Kafka broker: those that M2K_TEST_MONGODB_URI and M2K_TEST_KAFKA_BROKERS (comma
 * separated) of `env` name, else our own. What the machine lacks is named before anything is fetched
 * (SERVICE_MISSING); a server that does not start is SERVICE_FAILED.
 */
export async function openServices(options: ServiceOptions): Promise<Services> {
  const { env, progress, signal } = options
  const givenUri = env.M2K_TEST_MONGODB_URI || undefined
  const givenBrokers = env.M2K_TEST_KAFKA_BROKERS || undefined
  const needsMongod = givenUri === undefined && !(await hasOwnMongod(signal))
  await requireAll({ mongodb: needsMongod, kafka: givenBrokers === undefined }, env, signal)
  if (!givenUri || !givenBrokers) progress?.(`Downloads are kept in ${cacheDir(env)}`)
  await using stack = new AsyncDisposableStack()
  // One after the other: two cores start them no faster together, and a failure leaves nothing half started.
  const replicaSet = givenUri === undefined && stack.use(await startReplicaSet({ ...options, members: 1 }))
  const broker = givenBrokers === undefined && stack.use(await startBroker(options))
  const owned = stack.move()
  return {
    mongodbUri: replicaSet ? replicaSet.uri : givenUri!,
    kafkaBrokers: broker ? broker.brokers : givenBrokers!.split(',').map(address => address.trim()),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
