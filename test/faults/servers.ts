import { type Document, MongoClient } from 'mongodb'
import { startBrokers } from '../../src/services/broker.ts'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import type { BrokerCluster, Member, ReplicaSet } from '../../src/services/services.ts'
import { options } from '../services/servers.ts'

/** What all sessions of a run share. */
export interface Servers extends AsyncDisposable {
  readonly mongodb: ReplicaSet
  readonly kafka: BrokerCluster
}

export const electionTimeoutMs = 2_000

/**
 * Rights are looked at, and whoever comes may do everything where no rule says otherwise: so a fault can make one. The
 * controllers, which find each other before there are any rules, need a user who is above them.
 */
const login = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const openUnlessRuled = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': true,
  'super.users': 'User:controller',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:SASL_PLAINTEXT',
  'sasl.mechanism.controller.protocol': 'PLAIN',
  'listener.name.controller.sasl.enabled.mechanisms': 'PLAIN',
  'listener.name.controller.plain.sasl.jaas.config': `${login} required username="controller" password="c" user_controller="c";`,
}

/** Minutes of what a session writes; a fault overwrites all of it. */
const oplogSizeMb = 96

/** Three mongods that take fail points, and three brokers that want two replicas in sync. */
export async function startServers(): Promise<Servers> {
  await using stack = new AsyncDisposableStack()
  const setParameters = { enableTestCommands: 1, writePeriodicNoops: true, periodicNoopIntervalSecs: 1 }
  const mongodb = stack.use(
    await startReplicaSet({ ...options(), members: 3, electionTimeoutMs, setParameters, oplogSizeMb }),
  )
  const kafka = stack.use(await startBrokers({ ...options(), properties: openUnlessRuled }))
  const owned = stack.move()
  return { mongodb, kafka, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Runs an admin command on this very member; gives up soon where it is gone. */
export async function command(member: Member, document: Readonly<Record<string, unknown>>): Promise<Document> {
  const limits = { serverSelectionTimeoutMS: 3_000, connectTimeoutMS: 3_000, socketTimeoutMS: 20_000 }
  await using client = new MongoClient(`mongodb://${member.host}/?directConnection=true`, limits)
  return await client.db('admin').command(document)
}

/** Every server runs and is thawed, the set has a primary. */
export async function healServers({ mongodb, kafka }: Servers): Promise<void> {
  for (const server of [...mongodb.members, ...kafka.nodes]) server.thaw()
  const servers = [...mongodb.members, ...kafka.nodes].filter(server => !server.running)
  await Promise.all(servers.map(server => server.start(AbortSignal.timeout(120_000))))
  await mongodb.primary()
}
