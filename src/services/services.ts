/**
 * Real services, for `demo` and the tests. Everything that is started here is reached at 127.0.0.1 only (but for
 * containers of another machine's engine, which DOCKER_HOST names), keeps its data in a directory or container of its
 * own, and is gone after dispose, or when this process dies however.
 */

/** Shown to a person while things are fetched and started, one line a call. */
export type Progress = (line: string) => void

/** Environment variables as `process.env` has them; the composition root passes them in. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface ServiceOptions {
  /** XDG_CACHE_HOME says where downloads are kept. */
  readonly env: Environment
  readonly progress?: Progress | undefined
  /** Ends starting, not the started service: that is what dispose is for. */
  readonly signal: AbortSignal
}

/** One server process that can be hurt and healed. Kills and freezes are for tests of what survives them. */
export interface Server {
  /** Ends the process at once (SIGKILL) or as `signal` does, and waits until it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on its data and port, and waits until it answers. Does nothing while it runs. */
  start(signal: AbortSignal): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void
  thaw(): void
  readonly running: boolean
  /** Process id; undefined while it is not running. */
  readonly pid: number | undefined
}

export interface Member extends Server {
  /** `127.0.0.1:PORT`, as MongoDB names it. */
  readonly host: string
}

export interface ReplicaSetOptions extends ServiceOptions {
  readonly members: 1 | 3
  /** Default 2000: the driver's and our own patience are tested, not MongoDB's ten seconds. */
  readonly electionTimeoutMs?: number
  /** mongod's --setParameter, for example enableTestCommands: 1 for fail points. */
  readonly setParameters?: Readonly<Record<string, string | number | boolean>>
  /** Default 256. */
  readonly oplogSizeMb?: number
  /** Between two checkpoints of WiredTiger, seconds; default 60. The oplog loses nothing that is later than the last. */
  readonly checkpointIntervalS?: number
  /** Access control on, with a user `root` of role root, who is in `uri`. */
  readonly auth?: boolean
}

export interface ReplicaSet extends AsyncDisposable {
  /** For the driver: all members, the set's name, the root user where `auth` is on. */
  readonly uri: string
  readonly members: readonly Member[]
  /** The member that is primary now; waits for an election, at most 60 s. */
  primary(signal?: AbortSignal): Promise<Member>
}

export interface Standalone extends Server, AsyncDisposable {
  readonly uri: string
}

/** Names and values of Kafka's server.properties. */
export type Properties = Readonly<Record<string, string | number | boolean>>

export interface BrokerOptions extends ServiceOptions {
  /** Over ours, on every node. */
  readonly properties?: Properties
}

export interface Broker extends Server, AsyncDisposable {
  /** Bootstrap addresses, `127.0.0.1:PORT`. */
  readonly brokers: readonly string[]
}

/** One node of a cluster, broker and controller at once. */
export interface BrokerNode extends Server {
  /** As metadata names it: the leader of a partition is such an id. */
  readonly id: number
  /** `127.0.0.1:PORT`. */
  readonly address: string
}

export interface BrokerCluster extends AsyncDisposable {
  /** Bootstrap addresses of all nodes, `127.0.0.1:PORT`. */
  readonly brokers: readonly string[]
  readonly nodes: readonly BrokerNode[]
}

/** A MongoDB and a Kafka to use: started by us, or named in the environment and then left alone. */
export interface Services extends AsyncDisposable {
  readonly mongodbUri: string
  readonly kafkaBrokers: readonly string[]
}
