import { expect, test } from 'vitest'
import { parseOptions } from '../../bench/options.ts'

test('without arguments everything but the long run', () => {
  const options = parseOptions([])
  expect(options).toMatchObject({ events: 500_000, rounds: 3, ours: false, check: false })
  expect(typeof options === 'object' && options.scenarios).toEqual([
    'drain',
    'lookup',
    'latency',
    'compression',
    'pipelines',
    'source',
  ])
})

test('what it is told', () => {
  const argv = ['--ours', '--scenario', 'drain,flat', '--events', '5000', '--set', 'a=1', '--set', 'b=2', '--check']
  expect(parseOptions(argv)).toMatchObject({
    ours: true,
    check: true,
    scenarios: ['drain', 'flat'],
    events: 5_000,
    set: ['a=1', 'b=2'],
  })
})

test.each([
  [['--scenario', 'drian'], /no such scenario: drian/],
  [['--events', '1.5'], /--events takes a whole number/],
  [['--rounds', '0'], /--rounds takes a whole number/],
  [['--events', '1500'], /--events takes thousands/],
  [['--fast'], /--fast/],
])('%j is explained', (argv, message) => {
  expect(parseOptions(argv)).toMatch(message)
})

test('--help asks for the usage', () => {
  expect(parseOptions(['--help'])).toBeUndefined()
})
