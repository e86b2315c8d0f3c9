import type { Control } from '../admin/control.ts'
import { type BusyRatios, busiest } from '../busy.ts'
import type { Config, PipelineConfig } from '../config/schema.ts'
import { reportPipeline } from '../observe/first-figures.ts'
import { PipelineMonitor } from '../pipeline/pipeline-monitor.ts'
import { type Changes, Supervisor } from '../pipeline/supervisor.ts'
import { withThrottling } from '../pipeline/throttling.ts'
import type { ControlResult, PipelineState } from '../status.ts'
import { Pauses } from '../workers/pauses.ts'
import type { Workers } from '../workers/workers.ts'
import type { Common } from './common.ts'
import { type PipelineResources, runnableOf } from './pipeline-parts.ts'

/** A pipeline drains by itself, then closes its sink; this is the guard behind that. */
const stopMarginMs = 5_000

/**
 * The pipelines of the daemon. They are there, as starting, before what they need is opened. What a person pauses here
 * the other workers of the group pause too, and the other way round.
 */
export class Fleet implements Control {
  readonly supervisor: Supervisor
  /** With a meter that tells the monitors what the broker says. */
  readonly common: Common
  readonly pauses: Pauses
  readonly #opened = Promise.withResolvers<PipelineResources>()
  /** Of the configuration that is in force. */
  #revision: number
  /** Where the admin server listens. */
  port = 0
  /** undefined until this worker looks for slots. */
  workers: Workers | undefined

  constructor(common: Common) {
    const { config, clock, log, meter } = common
    this.#revision = config.revision
    const supervisorOf = () => this.supervisor
    this.common = { ...common, meter: withThrottling(meter, name => supervisorOf().monitorOf(name)) }
    this.pauses = new Pauses((pipeline, paused) => this.#heard(pipeline, paused))
    this.supervisor = new Supervisor({
      pipelines: this.#runnables(config.pipelines),
      createMonitor: name => {
        reportPipeline(meter, name)
        return new PipelineMonitor({ name, unowned: () => this.#unowned, clock, meter })
      },
      isPaused: name => this.pauses.isPaused(name),
      stopLimitMs: config.shutdown.drainMs + stopMarginMs,
      shared: config.workers.coordination === 'kafka',
      backOff: config.retry,
      clock,
      log,
    })
  }

  /** What the pipelines wait for before they can run. */
  opened(resources: Omit<PipelineResources, 'running' | 'revision'>): void {
    this.#opened.resolve({ ...resources, running: () => this.supervisor.running, revision: () => this.#revision })
  }

  /** Makes the pipelines of `next` the ones that run, while those that have not changed go on. */
  apply({ pipelines, revision }: Config): Promise<Changes> {
    const applied = this.supervisor.apply(this.#runnables(pipelines))
    this.#revision = revision // What runs by the old one has been told to stop, and what follows it asks later.
    return applied
  }

  /** The order is on its way to the other workers before the pipeline has drained here. */
  pause(pipeline: string): Promise<ControlResult> {
    const paused = this.supervisor.pause(pipeline)
    if (this.supervisor.monitorOf(pipeline)) this.pauses.order(pipeline, true)
    return paused
  }

  resume(pipeline: string): Promise<ControlResult> {
    const resumed = this.supervisor.resume(pipeline)
    if (this.supervisor.monitorOf(pipeline)) this.pauses.order(pipeline, false)
    return resumed
  }

  /** Of the busiest pipeline, for the other workers to see. */
  get busy(): BusyRatios {
    return busiest(this.supervisor.monitors.map(({ busy }) => busy))
  }

  report(): void {
    for (const monitor of this.supervisor.monitors) monitor.report()
  }

  #heard(pipeline: string, paused: boolean): void {
    const { log } = this.common
    const action = paused ? 'pause' : 'resume'
    log.info({ pipeline, action }, `order to ${action} a pipeline: another worker was given it`)
    const obeyed = paused ? this.supervisor.pause(pipeline) : this.supervisor.resume(pipeline)
    obeyed.catch((error: unknown) => log.error({ error, pipeline, action }, 'the order could not be carried out'))
  }

  #runnables(pipelines: readonly PipelineConfig[]) {
    return pipelines.map(pipeline => runnableOf(this.common, pipeline, this.#opened.promise))
  }

  get #unowned(): PipelineState {
    switch (this.workers?.status.state) {
      case undefined:
      case 'joining':
        return 'starting'
      case 'stopped':
        return 'stopped'
      default:
        return 'standby'
    }
  }
}
