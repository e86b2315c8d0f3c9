/** What a connector is to do in one run. */
export interface Job {
  /** Collections of the bench's database. */
  readonly collections: readonly string[]
  /** Whether updates carry the document, looked up. */
  readonly lookup: boolean
  /** Where to begin: with the backlog, or with what is written from now on. */
  readonly from: 'backlog' | 'now'
  /** The connector's own defaults, or what was found to be fastest for it. */
  readonly settings: 'default' | 'tuned'
}

/** A connector that runs. */
export interface Running {
  readonly pid: number
  readonly alive: () => boolean
  /** The end of its log, for where it fails. */
  log(): Promise<string>
  stop(): Promise<void>
}

/** One of the three that are compared. Records go to the topic that `topicOf` names. */
export interface Connector {
  readonly name: string
  /** Name and versions, as the results carry them. */
  readonly info: string
  /** Records for an event of the mixed backlog; more than 1 with tombstones. */
  readonly recordsPerEvent: number
  topicOf(collection: string): string
  start(job: Job, signal: AbortSignal): Promise<Running>
}
