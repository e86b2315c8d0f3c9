import { type Case, none, onWorker, pipeline, rising, state, steady, turning, worker } from './case.ts'

const records = 'records_total{outcome="acknowledged"}'
const never = ['10m', '40m', '2h', '8h'].map(at => ({ at, firing: none }))

export const casesOfLag: readonly Case[] = [
  {
    name: 'three minutes late for a quarter of an hour',
    about: ['Mongo2kafkaLagHigh'],
    series: worker({ pipeline_lag_seconds: turning(1, 240, steady(180)) }),
    looks: [
      { at: '248m', firing: none },
      { at: '251m', firing: [`Mongo2kafkaLagHigh{${pipeline}}`] },
    ],
  },
  {
    name: 'six minutes late for a moment',
    about: ['Mongo2kafkaLagHigh', 'Mongo2kafkaFreshnessBurnFast'],
    series: worker({ pipeline_lag_seconds: turning(1, 240, `360 200 90 ${steady(1)}`) }),
    looks: ['241m', '245m', '255m', '5h'].map(at => ({ at, firing: none })),
  },
  {
    name: 'paused by a person: the lag grows, the checkpoint grows old',
    about: ['Mongo2kafkaLagHigh', 'Mongo2kafkaStalled', 'Mongo2kafkaCheckpointOld', 'Mongo2kafkaFreshnessBurnFast'],
    series: worker({
      ...state('paused'),
      [records]: steady(7),
      pipeline_lag_seconds: rising(60),
      checkpoint_age_seconds: rising(60),
    }),
    looks: never,
  },
  {
    name: 'nothing is acknowledged, and MongoDB goes on',
    about: ['Mongo2kafkaStalled'],
    series: worker({ [records]: turning(7, 240, steady(7)), pipeline_lag_seconds: turning(1, 240, rising(60)) }),
    looks: [
      { at: '245m', firing: none },
      { at: '250m', firing: [`Mongo2kafkaStalled{${onWorker}}`] },
    ],
  },
  {
    name: 'a million changes of one second: the lag grows, and records go through',
    about: ['Mongo2kafkaStalled'],
    series: worker({ pipeline_lag_seconds: turning(1, 240, `${rising(60, 0, 9)} ${steady(1)}`) }),
    looks: ['246m', '249m', '252m'].map(at => ({ at, firing: none })),
  },
  {
    name: 'one of two workers stands still: the other one does not hide it',
    about: ['Mongo2kafkaStalled'],
    series: {
      ...worker({ [records]: steady(7), pipeline_lag_seconds: turning(1, 240, rising(60)) }),
      ...worker({}, 'b'),
    },
    looks: [{ at: '250m', firing: [`Mongo2kafkaStalled{${onWorker}}`] }],
  },
  {
    name: 'almost seven minutes late for a quarter of an hour',
    about: ['Mongo2kafkaFreshnessBurnFast', 'Mongo2kafkaFreshnessBurnSlow'],
    series: worker({ pipeline_lag_seconds: turning(1, 240, `${steady(400, 15)} ${steady(1)}`) }),
    looks: [
      { at: '246m', firing: none },
      { at: '253m', firing: [`Mongo2kafkaFreshnessBurnFast{${pipeline}}`, `Mongo2kafkaLagHigh{${pipeline}}`] },
      { at: '270m', firing: none },
    ],
  },
  {
    name: 'late two minutes of twenty, all day',
    about: ['Mongo2kafkaFreshnessBurnFast', 'Mongo2kafkaFreshnessBurnSlow'],
    series: worker({ pipeline_lag_seconds: `${'400 400 '}${'1 '.repeat(18)}`.repeat(24).trim() }),
    looks: [
      { at: '6h', firing: [`Mongo2kafkaFreshnessBurnSlow{${pipeline}}`] },
      { at: '7h', firing: [`Mongo2kafkaFreshnessBurnSlow{${pipeline}}`] },
    ],
  },
  {
    name: 'late two minutes of sixty, all day',
    about: ['Mongo2kafkaFreshnessBurnSlow'],
    series: worker({ pipeline_lag_seconds: `${'400 400 '}${'1 '.repeat(58)}`.repeat(8).trim() }),
    looks: never,
  },
  {
    name: 'a first start that takes three minutes: nobody expects it to be fresh yet',
    about: ['Mongo2kafkaFreshnessBurnFast', 'Mongo2kafkaFreshnessBurnSlow', 'Mongo2kafkaPipelineNotRunning'],
    series: worker({
      'pipeline_state{state="running"}': turning(0, 3, steady(1)),
      'pipeline_state{state="starting"}': turning(1, 3, steady(0)),
      pipeline_lag_seconds: `_ _ _ ${steady(1)}`,
    }),
    looks: ['2m', '4m', '10m', '29m', '31m', '40m', '2h'].map(at => ({ at, firing: none })),
  },
  {
    name: 'no position is saved, though records go through',
    about: ['Mongo2kafkaCheckpointOld'],
    series: worker({ checkpoint_age_seconds: turning(2, 60, rising(60)) }),
    looks: [
      { at: '78m', firing: none },
      { at: '82m', firing: [`Mongo2kafkaCheckpointOld{${pipeline}}`] },
    ],
  },
  {
    name: 'a position is saved every ten minutes only',
    about: ['Mongo2kafkaCheckpointOld'],
    series: worker({ checkpoint_age_seconds: '0 60 120 180 240 300 360 420 480 540 '.repeat(48).trim() }),
    looks: never,
  },
]
