import { type Case, gone, job, none, onWorker, pipeline, rising, state, steady, turning, worker } from './case.ts'

/** Not there for a while: `stale` is what Prometheus writes when a target does not answer. */
const absent = (minutes: number) => `stale ${'_ '.repeat(minutes - 1)}`.trim()

const everyLook = ['5m', '20m', '1h', '4h', '8h'].map(at => ({ at, firing: none }))

/** Nothing of these may ever wake anybody. */
export const quiet: readonly Case[] = [
  { name: 'a busy pipeline, all is well', about: ['all'], series: worker(), looks: everyLook },
  {
    name: 'an idle pipeline: nothing is delivered, and its position moves all the same',
    about: ['all'],
    series: worker({
      ...state('idle'),
      pipeline_lag_seconds: '0 4 8 2 10 1 5 9 3 7 '.repeat(48).trim(),
      checkpoint_age_seconds: '1 9 4 '.repeat(160).trim(),
      'records_total{outcome="acknowledged"}': steady(12345),
    }),
    looks: everyLook,
  },
  {
    name: 'a standby, which exports nothing but its state, beside a worker',
    about: ['all'],
    series: {
      ...worker(),
      ...worker(
        {
          ...state('standby'),
          slots_owned: steady(0),
          pipeline_lag_seconds: gone,
          checkpoint_age_seconds: gone,
          'oplog_headroom_seconds{member="m"}': gone,
          'oplog_headroom_ratio{member="m"}': gone,
          'records_total{outcome="acknowledged"}': steady(0),
        },
        'b',
      ),
    },
    looks: everyLook,
  },
  {
    name: 'a restart of two minutes in which nothing answers, and one to begin',
    about: ['all'],
    series: worker({
      up: `${steady(1, 59)} 0 0 ${steady(1)}`,
      'build_info{version="1"}': `${steady(1, 59)} ${absent(2)} ${steady(1)}`,
      slots_owned: `${steady(1, 59)} ${absent(2)} 0 ${steady(1)}`,
      slots_configured: `${steady(1, 59)} ${absent(2)} ${steady(1)}`,
      'pipeline_state{state="running"}': `${steady(1, 59)} ${absent(2)} 0 ${steady(1)}`,
      'pipeline_state{state="starting"}': `${steady(0, 59)} ${absent(2)} 1 ${steady(0)}`,
      pipeline_lag_seconds: `${steady(1, 59)} ${absent(3)} 200 100 ${steady(1)}`,
      'records_total{outcome="acknowledged"}': `${rising(6000, 0, 59)} ${absent(2)} 0 ${rising(6000)}`,
    }),
    looks: ['61m', '62m', '63m', '64m', '66m', '70m', '90m', '4h'].map(at => ({ at, firing: none })),
  },
  {
    name: 'a pod takes the place of another',
    about: ['all'],
    series: {
      ...worker(ended(60)),
      ...worker(begun(60), 'b'),
    },
    looks: ['60m', '61m', '62m', '65m', '70m', '80m', '4h'].map(at => ({ at, firing: none })),
  },
]

/** All series of a worker that stops properly after `minutes`. */
function ended(minutes: number): Record<string, string> {
  const until = (value: number) => `${steady(value, minutes - 1)} stale`
  return {
    up: until(1),
    'build_info{version="1"}': until(1),
    slots_configured: until(1),
    slots_owned: `${steady(1, minutes - 2)} 0 stale`,
    'pipeline_state{state="running"}': `${steady(1, minutes - 2)} 0 stale`,
    'pipeline_state{state="stopped"}': `${steady(0, minutes - 2)} 1 stale`,
    pipeline_lag_seconds: until(1),
    checkpoint_age_seconds: until(2),
    'oplog_headroom_seconds{member="m"}': until(24 * 3600),
    'oplog_headroom_ratio{member="m"}': until(1),
  }
}

/** All series of a worker that is there from `minutes` on. */
function begun(minutes: number): Record<string, string> {
  const before = '_ '.repeat(minutes)
  const from = (value: number) => `${before}${steady(value)}`
  return {
    up: from(1),
    'build_info{version="1"}': from(1),
    slots_configured: from(1),
    slots_owned: `${before}0 ${steady(1)}`,
    'pipeline_state{state="running"}': `${before}0 ${steady(1)}`,
    'pipeline_state{state="starting"}': `${before}1 ${steady(0)}`,
    pipeline_lag_seconds: `${before}_ ${steady(1)}`,
    checkpoint_age_seconds: `${before}_ ${steady(2)}`,
    'oplog_headroom_seconds{member="m"}': `${before}_ ${steady(24 * 3600)}`,
    'oplog_headroom_ratio{member="m"}': `${before}_ ${steady(1)}`,
    'records_total{outcome="acknowledged"}': `${before}${rising(6000)}`,
  }
}

/** From `minutes` on it lives for one scrape of five: the container is started again and again. */
function crashing(minutes: number): Record<string, string> {
  const flashing = (before: number, seen: number) =>
    `${steady(before, minutes - 1)} ${`${seen} stale _ _ _ `.repeat(10).trim()}`
  return {
    up: `${steady(1, minutes - 1)} ${'1 0 0 0 0 '.repeat(10).trim()}`,
    'build_info{version="1"}': flashing(1, 1),
    slots_configured: flashing(1, 1),
    slots_owned: flashing(1, 0),
    'pipeline_state{state="running"}': flashing(1, 0),
    'pipeline_state{state="starting"}': flashing(0, 1),
    pipeline_lag_seconds: `${steady(1, minutes - 1)} stale`,
    checkpoint_age_seconds: `${steady(1, minutes - 1)} stale`,
    'oplog_headroom_seconds{member="m"}': `${steady(24 * 3600, minutes - 1)} stale`,
    'oplog_headroom_ratio{member="m"}': `${steady(1, minutes - 1)} stale`,
  }
}

export const casesOfWork: readonly Case[] = [
  ...quiet,
  {
    name: 'the only worker does not answer any more',
    about: ['Mongo2kafkaDown'],
    series: worker({ ...ended(60), up: `${steady(1, 59)} ${steady(0)}` }),
    looks: [
      { at: '64m', firing: none },
      { at: '67m', firing: ['Mongo2kafkaDown{}'] },
    ],
  },
  {
    name: 'a pipeline has failed',
    about: ['Mongo2kafkaPipelineNotRunning'],
    series: worker({
      'pipeline_state{state="running"}': turning(1, 60, steady(0)),
      'pipeline_state{state="failed"}': turning(0, 60, steady(1)),
    }),
    looks: [
      { at: '64m', firing: none },
      { at: '66m', firing: [`Mongo2kafkaPipelineNotRunning{${onWorker}}`] },
    ],
  },
  {
    name: 'a pipeline tries again and again and never runs',
    about: ['Mongo2kafkaPipelineNotRunning'],
    series: worker({
      'pipeline_state{state="running"}': turning(1, 60, steady(0)),
      'pipeline_state{state="retrying"}': turning(0, 60, '1 0 '.repeat(60).trim()),
      'pipeline_state{state="starting"}': turning(0, 60, '0 1 '.repeat(60).trim()),
    }),
    looks: [
      { at: '70m', firing: none },
      { at: '76m', firing: [`Mongo2kafkaPipelineNotRunning{${onWorker}}`] },
    ],
  },
  {
    name: 'a pipeline that fails for a moment each minute but runs in between',
    about: ['Mongo2kafkaPipelineNotRunning'],
    series: worker({
      'pipeline_state{state="running"}': '1 0 '.repeat(240).trim(),
      'pipeline_state{state="retrying"}': '0 1 '.repeat(240).trim(),
    }),
    looks: everyLook,
  },
  {
    name: 'a worker that ends soon after each start',
    about: ['Mongo2kafkaPipelineNotRunning', 'Mongo2kafkaSlotWithoutWorker'],
    series: worker(crashing(60)),
    looks: [
      { at: '62m', firing: none },
      {
        at: '80m',
        firing: [
          `Mongo2kafkaPipelineNotRunning{${onWorker}}`,
          `Mongo2kafkaFreshnessBurnFast{${pipeline}}`,
          `Mongo2kafkaFreshnessBurnSlow{${pipeline}}`,
        ],
      },
    ],
  },
  {
    name: 'one of two workers with static slots is missing',
    about: ['Mongo2kafkaSlotWithoutWorker'],
    series: {
      ...worker({ slots_configured: steady(4), slots_owned: steady(2) }),
      ...worker(
        { ...ended(60), slots_configured: `${steady(4, 59)} stale`, slots_owned: `${steady(2, 59)} stale` },
        'b',
      ),
    },
    looks: [
      { at: '64m', firing: none },
      { at: '66m', firing: [`Mongo2kafkaSlotWithoutWorker{${job}}`] },
    ],
  },
  {
    name: 'slots move from one worker to another within three minutes',
    about: ['Mongo2kafkaSlotWithoutWorker'],
    series: {
      ...worker({ slots_configured: steady(4), slots_owned: turning(4, 60, steady(2)) }),
      ...worker({ slots_configured: steady(4), slots_owned: turning(0, 63, steady(2)) }, 'b'),
    },
    looks: ['60m', '62m', '64m', '2h'].map(at => ({ at, firing: none })),
  },
  {
    name: 'a worker that is frozen now and then',
    about: ['Mongo2kafkaSlotsLost'],
    series: worker({ fenced_total: turning(0, 60, '1 1 2 2 3 3 4 4 5+0x400') }),
    looks: [
      { at: '64m', firing: none },
      { at: '70m', firing: [`Mongo2kafkaSlotsLost{${job}}`] },
      { at: '3h', firing: none },
    ],
  },
  {
    name: 'the quota of the target is used up',
    about: ['Mongo2kafkaSinkThrottled'],
    series: worker({ sink_throttled_seconds_total: turning(0, 60, rising(30)) }),
    looks: [
      { at: '70m', firing: none },
      { at: '81m', firing: [`Mongo2kafkaSinkThrottled{${pipeline}}`] },
    ],
  },
  {
    name: 'a quota slows the sink down for ten minutes, and a little for ever',
    about: ['Mongo2kafkaSinkThrottled'],
    series: worker({ sink_throttled_seconds_total: `${rising(30, 0, 10)} ${rising(6, 300)}` }),
    looks: everyLook,
  },
  {
    name: 'a changed configuration is refused, and nobody corrects it',
    about: ['Mongo2kafkaConfigRejected'],
    series: worker({ config_last_reload_successful: turning(1, 60, steady(0)) }),
    looks: [
      { at: '70m', firing: none },
      { at: '76m', firing: [`Mongo2kafkaConfigRejected{${job},instance="a"}`] },
    ],
  },
  {
    name: 'a changed configuration is refused and corrected soon',
    about: ['Mongo2kafkaConfigRejected'],
    series: worker({ config_last_reload_successful: turning(1, 60, `${steady(0, 9)} ${steady(1)}`) }),
    looks: ['65m', '75m', '80m'].map(at => ({ at, firing: none })),
  },
]
