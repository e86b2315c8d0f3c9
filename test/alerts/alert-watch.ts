import { eventually } from '../waiting.ts'
import type { ActiveAlert, PrometheusServer } from './prometheus-server.ts'

/** A safety net, and not what is tested: on a machine that is busy with other things every scrape may be late. */
const patienceMs = 900_000

/** Waits for what a Prometheus sees. */
export class AlertWatch {
  readonly #prometheus: PrometheusServer

  constructor(prometheus: PrometheusServer) {
    this.#prometheus = prometheus
  }

  /** Until the alert fires for the pipeline. */
  fires(name: string, pipeline: string): Promise<ActiveAlert> {
    return patiently(() => this.#firing(name, pipeline), `${name} of ${pipeline}`)
  }

  /** Until the alert does not fire for the pipeline. */
  async ends(name: string, pipeline: string): Promise<void> {
    const ended = async () => ((await this.#firing(name, pipeline)) === undefined ? true : undefined)
    await patiently(ended, `the end of ${name} of ${pipeline}`)
  }

  /** Until the expression has any series: a scrape that came too late leaves a gap for a moment. */
  async sees(expr: string, what: string): Promise<void> {
    await patiently(async () => ((await this.#prometheus.count(expr)) > 0 ? true : undefined), what)
  }

  async #firing(name: string, pipeline: string): Promise<ActiveAlert | undefined> {
    const alerts = await this.#prometheus.alerts()
    return alerts.find(
      ({ state, labels }) => state === 'firing' && labels.alertname === name && labels.pipeline === pipeline,
    )
  }
}

function patiently<T>(ask: () => Promise<T | undefined>, what: string): Promise<T> {
  return eventually(ask, what, patienceMs, 200)
}
