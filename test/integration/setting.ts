import { inject } from 'vitest'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { judgeHistory, type Verdict } from './history.ts'
import { countRecords, readTopics } from './topics.ts'
import { Writer } from './writer.ts'

export interface SettingOptions {
  readonly uri?: string
  readonly brokers?: readonly string[]
  readonly documents: number
  readonly collections: readonly string[]
  readonly partitions: number
  readonly replication?: number
}

/** A database of its own with a writer, and the configuration of a daemon that streams it. */
export class Setting implements AsyncDisposable {
  readonly name = `it${crypto.randomUUID().slice(0, 8)}`
  readonly uri: string
  readonly brokers: readonly string[]
  readonly writer: Writer
  readonly namespaces: readonly string[]
  readonly #partitions: number

  private constructor(options: SettingOptions) {
    this.uri = options.uri ?? inject('mongodbUri')
    this.brokers = options.brokers ?? inject('kafkaBrokers')
    this.#partitions = options.partitions
    this.namespaces = options.collections.map(collection => `${this.name}.${collection}`)
    this.writer = new Writer(this.uri, options.documents, 7)
  }

  static async create(options: SettingOptions): Promise<Setting> {
    const setting = new Setting(options)
    for (const namespace of setting.namespaces) await setting.writer.create(namespace)
    return setting
  }

  get config(): string {
    return `
name: ${this.name}
mongodb: { uri: "${this.uri}" }
sink: { brokers: ${JSON.stringify(this.brokers)} }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
pipelines:
  - name: all
    source: { collections: [${this.name}.*] }
    partitions: ${this.#partitions}
`
  }

  /** A daemon whose pipeline has opened its stream: what is written from now on must arrive. */
  async daemon(): Promise<Daemon> {
    const daemon = await Daemon.start(this.config)
    await eventually(
      () => (daemon.output.includes('reading changes') ? true : undefined),
      () => `a start: ${daemon.output}`,
    )
    return daemon
  }

  /** Waits until `count` more records than now stand in the topic of `namespace`. */
  async more(namespace: string, count: number): Promise<void> {
    const there = () => countRecords(this.brokers, [namespace])
    const enough = (await there()) + count
    await eventually(async () => ((await there()) >= enough ? true : undefined), `${count} more of ${namespace}`)
  }

  /** Waits until every change stands in the topics. Counting records alone would count a replay's twice. */
  async arrived(daemon: Daemon, prefix = ''): Promise<void> {
    const topics = this.namespaces.map(namespace => prefix + namespace)
    const complete = async () => {
      if ((await countRecords(this.brokers, topics)) < this.writer.written) return undefined
      const { violations } = await this.judge(true, prefix)
      return violations.some(violation => violation.startsWith('G1')) ? undefined : true
    }
    try {
      await eventually(complete, `all of ${this.writer.written} changes`)
    } catch (cause) {
      const { violations } = await this.judge(true, prefix)
      const there = await countRecords(this.brokers, topics)
      const found = `${there} records; ${violations.length} violations: ${violations.slice(0, 5).join(', ')}`
      throw new Error(`${(cause as Error).message}\n${found}\n${daemon.output.slice(-5_000)}`, { cause })
    }
  }

  /** `prefix`: of the topics, where they are not named as the collections are. */
  async judge(mayReplay: boolean, prefix = ''): Promise<Verdict> {
    const topics = this.namespaces.map(namespace => prefix + namespace)
    return judgeHistory(this.writer.journal, await readTopics(this.brokers, topics), mayReplay)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.writer[Symbol.asyncDispose]()
  }
}
