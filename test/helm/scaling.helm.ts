import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { findPrometheus } from '../alerts/prometheus.ts'
import { valuesFiles } from './chart.ts'
import { objectsIn, rendered } from './objects.ts'
import { call, helm, scratch } from './tools.ts'

/** What Prometheus knows of one pipeline of a pod: samples a minute, in promtool's notation. */
interface Seen {
  readonly lagSeconds?: string
  readonly state?: string
  readonly busyRatio?: string
  readonly throttledSeconds?: string
}

interface Case {
  readonly name: string
  /** Of each pod. */
  readonly pods: readonly Seen[]
  readonly namespace?: string
  readonly ratio: number
}

// Of the defaults: 30 s of lag, 0.6 of busyness, 0.1 of throttling.
const cases: readonly Case[] = [
  { name: 'behind', pods: [{ lagSeconds: '45x9', busyRatio: '1x9' }], ratio: 1.5 },
  { name: 'far behind: doubled, not more', pods: [{ lagSeconds: '900x9', busyRatio: '1x9' }], ratio: 2 },
  {
    name: 'one of several is behind',
    pods: [
      { lagSeconds: '1x9', busyRatio: '0.1x9' },
      { lagSeconds: '45x9', busyRatio: '1x9' },
    ],
    ratio: 1.5,
  },
  {
    name: 'behind, and idle, as it is paused',
    pods: [{ lagSeconds: '900x9', state: 'paused', busyRatio: '0x9' }],
    ratio: 0,
  },
  {
    name: 'behind, as it cannot connect',
    pods: [{ lagSeconds: '900x9', state: 'retrying', busyRatio: '0.3x9' }],
    ratio: 0.5,
  },
  { name: 'behind, while a quota holds it', pods: [{ lagSeconds: '900x9', throttledSeconds: '0+30x9' }], ratio: 1 },
  {
    name: 'idle, while a quota holds it',
    pods: [{ lagSeconds: '1x9', busyRatio: '0.3x9', throttledSeconds: '0+30x9' }],
    ratio: 1,
  },
  { name: 'behind, with a little throttling', pods: [{ lagSeconds: '45x9', throttledSeconds: '0+3x9' }], ratio: 1.5 },
  { name: 'up to date and busy', pods: [{ lagSeconds: '1x9', busyRatio: '0.9x9' }], ratio: 1 },
  { name: 'up to date and half as busy as it may be', pods: [{ lagSeconds: '1x9', busyRatio: '0.3x9' }], ratio: 0.5 },
  {
    name: 'one of two does all the work',
    pods: [
      { lagSeconds: '1x9', busyRatio: '0.6x9' },
      { lagSeconds: '1x9', busyRatio: '0x9' },
    ],
    ratio: 0.5,
  },
  { name: 'nothing is known', pods: [], ratio: 1 },
  { name: 'another release is behind', pods: [{ lagSeconds: '900x9' }], namespace: 'other', ratio: 1 },
]

function seriesOf({ pods, namespace = 'data' }: Case): object[] {
  return pods.flatMap(({ lagSeconds, state = 'running', busyRatio, throttledSeconds }, index) => {
    const labels = `namespace="${namespace}",job="shop-mongo2kafka",instance="10.0.0.${index}:8080",pipeline="orders"`
    const states = ['running', 'paused', 'retrying'].map(each => ({
      series: `mongo2kafka_pipeline_state{${labels},state="${each}"}`,
      values: each === state ? '1x9' : '0x9',
    }))
    const figures: readonly (readonly [string, string | undefined])[] = [
      [`mongo2kafka_pipeline_lag_seconds{${labels}}`, lagSeconds],
      [`mongo2kafka_stage_busy_ratio{${labels},stage="encode"}`, busyRatio],
      [`mongo2kafka_stage_busy_ratio{${labels},stage="sink"}`, busyRatio && '0x9'],
      [`mongo2kafka_sink_throttled_seconds_total{${labels}}`, throttledSeconds],
    ]
    return [...states, ...figures.flatMap(([series, values]) => (values === undefined ? [] : [{ series, values }]))]
  })
}

let promtool: string

beforeAll(async () => {
  await helm('3.22.0')
  const progress = (line: string) => void process.stderr.write(`${line}\n`)
  const options = { env: process.env, progress, signal: new AbortController().signal }
  promtool = (await findPrometheus(options)).promtool
})

test.each(cases)('the number of pods is multiplied by $ratio: $name', async each => {
  const file = valuesFiles().find(({ name }) => name === 'workers-kafka')!
  const rule = ['--set', 'autoscaling.scalingRule=true', '--show-only', 'templates/scalingrule.yaml']
  const [object] = objectsIn(await rendered('3.22.0', file, rule))
  const dir = scratch()
  writeFileSync(join(dir, 'rules.yaml'), stringify(object?.spec))
  const labels = 'mongo2kafka_scaling_ratio{namespace="data",release="shop"}'
  const look = { expr: 'mongo2kafka_scaling_ratio', eval_time: '8m', exp_samples: [{ labels, value: each.ratio }] }
  const suite = {
    rule_files: ['rules.yaml'],
    tests: [{ interval: '1m', input_series: seriesOf(each), promql_expr_test: [look] }],
  }
  writeFileSync(join(dir, 'test.yaml'), stringify(suite))
  const { code, stdout, stderr } = await call(promtool, ['test', 'rules', join(dir, 'test.yaml')])
  expect(code, stdout + stderr).toBe(0)
})
