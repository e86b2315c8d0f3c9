/** A piece of history, and which alerts it must raise: one test of promtool. */
export interface Case {
  readonly name: string
  /** Alerts that this case was made for; `all`: it is usual work, and none may fire. */
  readonly about: readonly string[]
  /** Series in the notation of promtool, by name and labels; a value for every minute. */
  readonly series: Readonly<Record<string, string>>
  readonly looks: readonly Look[]
}

/** All that fires at a time, as `alert{label="value",…}` without the severity; whatever else fires is an error. */
export interface Look {
  readonly at: string
  readonly firing: readonly string[]
}

export const hours = 60

/** A value for every minute of eight hours: nothing happens. */
export function steady(value: number, minutes = 8 * hours): string {
  return `${value}+0x${minutes}`
}

/** `first` for some minutes, then `second` up to the end of eight hours. */
export function turning(first: number, minutes: number, second: string): string {
  return `${steady(first, minutes - 1)} ${second}`
}

/** From 0 upwards by `step` each minute. */
export function rising(step: number, from = 0, minutes = 8 * hours): string {
  return `${from}+${step}x${minutes}`
}

export type Figures = Readonly<Record<string, string>>

/** What the deployment `shop` reports where all is well; `gone` leaves a series out. */
export const gone = ''

const states = ['failed', 'retrying', 'starting', 'stopped', 'paused', 'running', 'idle', 'standby']

/** The state of its pipeline, as the eight series of which one is 1. */
export function state(now: string): Figures {
  return Object.fromEntries(states.map(each => [`pipeline_state{state="${each}"}`, steady(each === now ? 1 : 0)]))
}

const healthy: Figures = {
  'build_info{version="1"}': steady(1),
  slots_configured: steady(1),
  slots_owned: steady(1),
  config_last_reload_successful: steady(1),
  fenced_total: steady(0),
  source_history_lost_total: steady(0),
  'oplog_window_seconds{member="m"}': steady(24 * 3600),
}

const healthyPipeline: Figures = {
  ...state('running'),
  pipeline_lag_seconds: steady(1),
  'oplog_headroom_seconds{member="m"}': steady(24 * 3600),
  'oplog_headroom_ratio{member="m"}': steady(1),
  checkpoint_age_seconds: steady(2),
  'records_total{outcome="acknowledged"}': rising(6000),
  sink_throttled_seconds_total: steady(0),
  'dead_letters_total{reason="oversize"}': steady(0),
  'dead_letters_total{reason="poison"}': steady(0),
}

/** The series of one worker with one pipeline, where all is well but for `figures`. */
export function worker(figures: Figures = {}, instance = 'a'): Readonly<Record<string, string>> {
  const all = { up: steady(1), ...healthy, ...healthyPipeline, ...figures }
  const series: Record<string, string> = {}
  for (const [figure, values] of Object.entries(all)) {
    if (values === gone) continue
    const [name, rest = '}'] = figure.split('{') as [string, string?]
    const full = name === 'up' ? name : `mongo2kafka_${name}`
    const own = isOfPipeline(figure) ? ',pipeline="orders"' : ''
    series[`${full}{namespace="cdc",job="shop",instance="${instance}"${own}${rest === '}' ? '' : ','}${rest}`] = values
  }
  return series
}

function isOfPipeline(figure: string): boolean {
  return figure in healthyPipeline
}

export const none: readonly string[] = []
export const pipeline = 'namespace="cdc",job="shop",pipeline="orders"'
export const job = 'namespace="cdc",job="shop"'
export const onWorker = `${job},instance="a",pipeline="orders"`
