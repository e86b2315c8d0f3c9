import { KafkaProxy, transactionApis } from '../sink/kafka/proxy/proxy.ts'
import type { Mode } from './modes.ts'
import type { Servers } from './servers.ts'

export const partitions = 6
/** Of checkpoints in MongoDB: with each change that is left to be replayed there is more to be found. */
const saveInterval = '700ms'

/** The Kafka that the daemons of a deployment see: the cluster itself, or one that can do less. */
export interface Target extends AsyncDisposable {
  readonly brokers: readonly string[]
  /** Where the daemons find a node of the cluster, by its address. */
  readonly ports: ReadonlyMap<string, number>
}

export async function openTarget({ isPlain }: Mode, { kafka }: Servers): Promise<Target> {
  const { brokers } = kafka
  if (!isPlain) {
    const ports = new Map(brokers.map(address => [address, portIn(address)]))
    return { brokers, ports, [Symbol.asyncDispose]: async () => {} }
  }
  const proxy = await KafkaProxy.open({ brokers, refused: transactionApis })
  const ports = new Map<string, number>()
  for (const address of brokers) ports.set(address, await proxy.standIn(address))
  return { brokers: proxy.brokers, ports, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() }
}

/** `host:port` */
export function portIn(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

export interface Naming {
  readonly name: string
  readonly mode: Mode
  readonly mongodbUri: string
  readonly brokers: readonly string[]
  /** Of the checkpoints, where they are files. */
  readonly directory: string | undefined
}

/** The configuration of a deployment whose daemons copy the collections of the database `name`. */
export function configOf(naming: Naming): string {
  const { name, mode, mongodbUri, brokers } = naming
  return `
name: ${name}
mongodb: { uri: "${mongodbUri}" }
sink: { brokers: ${JSON.stringify(brokers)}, producer: { requestTimeout: 10s } }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
${[...mode.settings, ...storeOf(naming)].join('\n')}
pipelines:
  - name: all
    source: { collections: [${name}.*] }
    partitions: ${partitions}
    onError: fail
`
}

function storeOf({ name, mode, mongodbUri, directory }: Naming): string[] {
  if (mode.store === 'file') return [`checkpoint: { store: file, path: "${directory}" }`]
  if (mode.store === undefined) return []
  const place = `uri: "${mongodbUri}", database: ${storeDatabaseOf(name)}, interval: ${saveInterval}`
  return [`checkpoint: { store: mongodb, ${place} }`]
}

export const storeCollection = 'checkpoints'

/** Of the checkpoints, where they are in MongoDB. */
export function storeDatabaseOf(name: string): string {
  return `${name}_state`
}
