import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { RuleFile } from '../../helm/alerts/rules.ts'
import { freePort } from '../../src/services/ports.ts'
import { ServerProcess, whenReady } from '../../src/services/process.ts'
import type { ServiceOptions } from '../../src/services/services.ts'
import { Workspace } from '../../src/services/workspace.ts'
import { findPrometheus } from './prometheus.ts'

/** An alert as Prometheus has it at the moment. */
export interface ActiveAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

/** A rule as Prometheus has evaluated it. */
export interface EvaluatedRule {
  readonly name: string
  /** `unknown` before the first time. */
  readonly health: 'ok' | 'err' | 'unknown'
  readonly lastError?: string
}

/** Often enough to be seen soon, and with room for a machine that answers late. */
const everySeconds = 5

/** A real Prometheus that scrapes one target and evaluates rules. */
export class PrometheusServer implements AsyncDisposable {
  readonly #url: string
  readonly #process: ServerProcess
  readonly #workspace: Workspace

  private constructor(url: string, process: ServerProcess, workspace: Workspace) {
    this.#url = url
    this.#process = process
    this.#workspace = workspace
  }

  /** `target`: host:port of what it scrapes, as job `shop`. */
  static async start(target: string, rules: RuleFile, options: ServiceOptions): Promise<PrometheusServer> {
    const { server } = await findPrometheus(options)
    await using starting = new AsyncDisposableStack()
    const workspace = starting.use(await Workspace.open('prometheus'))
    const { dir } = workspace
    const every = `${everySeconds}s`
    const config = {
      global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
      rule_files: ['rules.yaml'],
      scrape_configs: [{ job_name: 'shop', static_configs: [{ targets: [target] }] }],
    }
    await writeFile(join(dir, 'rules.yaml'), stringify(rules))
    await writeFile(join(dir, 'prometheus.yaml'), stringify(config))
    const address = `127.0.0.1:${await freePort()}`
    const logFile = join(dir, 'prometheus.log')
    const args = [`--config.file=${dir}/prometheus.yaml`, `--storage.tsdb.path=${dir}/data`]
    const command = { program: server, args: [...args, `--web.listen-address=${address}`], logFile }
    const process = await ServerProcess.spawn(command, workspace)
    starting.defer(() => process.end('SIGTERM'))
    const started = new PrometheusServer(`http://${address}`, process, workspace)
    const isReady = async () => ((await started.#ask('/-/ready').catch(() => undefined))?.ok ? true : undefined)
    await whenReady('Prometheus', process, logFile, 300_000, options.signal, isReady)
    starting.move()
    return started
  }

  async alerts(): Promise<readonly ActiveAlert[]> {
    return (await this.#data<{ alerts: ActiveAlert[] }>('/api/v1/alerts')).alerts
  }

  async rules(): Promise<readonly EvaluatedRule[]> {
    const { groups } = await this.#data<{ groups: { rules: EvaluatedRule[] }[] }>('/api/v1/rules')
    return groups.flatMap(({ rules }) => rules)
  }

  /** How many series an expression has now. Throws where Prometheus cannot read it. */
  async count(expr: string): Promise<number> {
    return (await this.#data<{ result: unknown[] }>(`/api/v1/query?query=${encodeURIComponent(expr)}`)).result.length
  }

  async #data<T>(path: string): Promise<T> {
    const { status, data, error } = (await (await this.#ask(path)).json()) as {
      status: string
      data: T
      error?: string
    }
    if (status !== 'success') throw new Error(`${path}: ${error}`)
    return data
  }

  #ask(path: string): Promise<Response> {
    return fetch(`${this.#url}${path}`, { headers: { connection: 'close' } })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.end('SIGTERM')
    await this.#workspace[Symbol.asyncDispose]()
  }
}
