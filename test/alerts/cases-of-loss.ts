import { type Case, gone, job, none, pipeline, rising, steady, turning, worker } from './case.ts'

const headroom = 'oplog_headroom_seconds{member="m"}'
const ratio = 'oplog_headroom_ratio{member="m"}'
const window = 'oplog_window_seconds{member="m"}'
const poison = 'dead_letters_total{reason="poison"}'
const hour = 3600
const never = ['30m', '2h', '5h', '8h'].map(at => ({ at, firing: none }))

export const casesOfLoss: readonly Case[] = [
  {
    name: 'three hours left of twenty-four',
    about: ['Mongo2kafkaOplogHeadroomLow'],
    series: worker({ [headroom]: steady(3 * hour), [ratio]: steady(0.125) }),
    looks: [
      { at: '4m', firing: none },
      { at: '6m', firing: [`Mongo2kafkaOplogHeadroomLow{${pipeline}}`] },
      { at: '8h', firing: [`Mongo2kafkaOplogHeadroomLow{${pipeline}}`] },
    ],
  },
  {
    name: 'an oplog of three hours, all of it left: caught up, but too short a night',
    about: ['Mongo2kafkaOplogHeadroomLow', 'Mongo2kafkaOplogWindowShort'],
    series: worker({ [headroom]: steady(3 * hour), [window]: steady(3 * hour) }),
    looks: [
      { at: '50m', firing: none },
      { at: '62m', firing: ['Mongo2kafkaOplogWindowShort{namespace="cdc",job="shop",member="m"}'] },
    ],
  },
  {
    name: 'the oplog is short for half an hour',
    about: ['Mongo2kafkaOplogWindowShort'],
    series: worker({ [window]: turning(24 * hour, 60, `${steady(7 * hour, 30)} ${steady(9 * hour)}`) }),
    looks: never,
  },
  {
    name: 'ten hours left, and three of them go in each',
    about: ['Mongo2kafkaOplogWindowClosing', 'Mongo2kafkaOplogHeadroomLow'],
    series: worker({
      [headroom]: `${steady(12 * hour, 119)} ${12 * hour}-180x240`,
      [ratio]: turning(1, 120, '1-0.004x240'),
    }),
    looks: [
      { at: '2h', firing: none },
      { at: '210m', firing: [`Mongo2kafkaOplogWindowClosing{${pipeline}}`] },
    ],
  },
  {
    name: 'half an hour goes in each: it takes all day',
    about: ['Mongo2kafkaOplogWindowClosing'],
    series: worker({ [headroom]: `${10 * hour}-30x240`, [ratio]: steady(0.5) }),
    looks: ['30m', '2h', '4h'].map(at => ({ at, firing: none })),
  },
  {
    name: 'a member with a shorter oplog becomes primary, and the pipeline has caught up',
    about: ['Mongo2kafkaOplogWindowClosing', 'Mongo2kafkaOplogHeadroomLow'],
    series: worker({
      [headroom]: turning(24 * hour, 60, steady(9 * hour)),
      [window]: turning(24 * hour, 60, steady(9 * hour)),
    }),
    looks: ['61m', '75m', '90m', '2h', '3h'].map(at => ({ at, firing: none })),
  },
  {
    name: 'paused over night: its time runs out all the same',
    about: ['Mongo2kafkaOplogHeadroomLow'],
    series: worker({
      'pipeline_state{state="running"}': steady(0),
      'pipeline_state{state="paused"}': steady(1),
      [headroom]: `${6 * hour}-60x300`,
      [ratio]: '0.25-0.0008x300',
    }),
    looks: [
      { at: '20m', firing: none },
      {
        at: '4h',
        firing: [`Mongo2kafkaOplogHeadroomLow{${pipeline}}`, `Mongo2kafkaOplogWindowClosing{${pipeline}}`],
      },
    ],
  },
  {
    name: 'the oplog no longer holds the position',
    about: ['Mongo2kafkaHistoryLost'],
    series: worker({ source_history_lost_total: turning(0, 60, steady(1)) }),
    looks: [
      { at: '58m', firing: none },
      { at: '62m', firing: [`Mongo2kafkaHistoryLost{${job}}`] },
      { at: '3h', firing: none },
    ],
  },
  {
    name: 'the counter of lost positions appears with its first increment',
    about: ['Mongo2kafkaHistoryLost'],
    series: worker({ source_history_lost_total: `${'_ '.repeat(60)}${steady(1)}` }),
    looks: [{ at: '62m', firing: [`Mongo2kafkaHistoryLost{${job}}`] }],
  },
  {
    name: 'the headroom is used up, and the daemon has not noticed',
    about: ['Mongo2kafkaHistoryLost', 'Mongo2kafkaOplogHeadroomLow'],
    series: worker({ [headroom]: turning(5 * hour, 60, steady(-30)), [ratio]: turning(1, 60, steady(-0.001)) }),
    looks: [
      { at: '58m', firing: none },
      { at: '61m', firing: [`Mongo2kafkaHistoryLost{${pipeline}}`] },
    ],
  },
  {
    name: 'two changes can never pass',
    about: ['Mongo2kafkaDeadLetters'],
    series: worker({ [poison]: turning(0, 60, steady(2)) }),
    looks: [
      { at: '58m', firing: none },
      { at: '62m', firing: [`Mongo2kafkaDeadLetters{${pipeline},reason="poison"}`] },
      { at: '80m', firing: none },
    ],
  },
  {
    name: 'the counter of dead letters appears with its first increment',
    about: ['Mongo2kafkaDeadLetters'],
    series: worker({ [poison]: `${'_ '.repeat(60)}${steady(2)}` }),
    looks: [
      { at: '62m', firing: [`Mongo2kafkaDeadLetters{${pipeline},reason="poison"}`] },
      { at: '80m', firing: none },
    ],
  },
  {
    name: 'dead letters of last week, and a restart that begins to count anew',
    about: ['Mongo2kafkaDeadLetters', 'Mongo2kafkaHistoryLost'],
    series: worker({ [poison]: turning(5, 120, steady(0)), source_history_lost_total: turning(1, 120, steady(0)) }),
    looks: ['110m', '121m', '130m', '3h', '8h'].map(at => ({ at, firing: none })),
  },
  {
    name: 'no oplog to be seen: behind mongos, or without the right to read it',
    about: ['Mongo2kafkaOplogHeadroomLow', 'Mongo2kafkaOplogWindowShort', 'Mongo2kafkaHistoryLost'],
    series: worker({ [headroom]: gone, [ratio]: gone, [window]: gone, pipeline_lag_seconds: rising(0, 1) }),
    looks: never,
  },
]
