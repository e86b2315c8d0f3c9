/**
 * An alert as the table has it. In all texts `$(name)` is a token, filled with a threshold, `$(selector)` (matchers, the
 * last of their braces), `$(runbookUrl)`, or what all rules share; `{{ … }}` is Prometheus' own.
 */
export interface Alert {
  /** Its name among the values of the chart. */
  readonly key: string
  /** Its name in Prometheus, and that of its runbook. */
  readonly name: string
  /** `critical`: wakes a person. `warning`: somebody looks at it in the morning. */
  readonly severity: 'critical' | 'warning'
  /** How long the expression must hold, as Prometheus writes durations. */
  readonly for: string
  /** What users may set, with defaults; units last in the names. */
  readonly thresholds: Readonly<Record<string, number | string>>
  readonly expr: string
  /** One line: what is wrong, where. */
  readonly summary: string
  /** What it means and what to look at first, for someone tired, at night. */
  readonly description: string
}

/** A series that Prometheus computes from others, as the alerts and the dashboard use it. */
export interface Recording {
  readonly record: string
  readonly expr: string
}

/** What recording rules need, with defaults: lag up to which data is fresh, and the share of time in which it shall be. */
export const freshness = { lagSeconds: 300, objective: 0.99 } as const

export const runbookUrl = 'https://github.com/mongo2kafka/mongo2kafka/blob/main/docs/runbooks'

/** The labels of a pipeline over all of its workers. One `job` is one deployment. */
export const pipelineLabels = '(namespace, job, pipeline)'
/** The labels of a pipeline on one worker. */
export const workerLabels = '(namespace, job, instance, pipeline)'
export const jobLabels = '(namespace, job)'
