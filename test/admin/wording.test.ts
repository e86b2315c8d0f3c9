import { expect, test } from 'vitest'
import { busyText, duration, time } from '../../src/admin/wording.ts'

test.each([
  [null, '–'],
  [250.4, '250 ms'],
  [4_200, '4.2 s'],
  [119_000, '119.0 s'],
  [120_000, '2 min'],
  [7_200_000, '2.0 h'],
  [172_800_000, '2.0 d'],
  [-4_200, '-4.2 s'],
])('%s ms reads as %s', (ms, text) => {
  expect(duration(ms)).toBe(text)
})

test('times are ISO 8601, with milliseconds only where there are any', () => {
  expect(time(1_700_000_000_000)).toBe('2023-11-14T22:13:20Z')
  expect(time(1_700_000_000_123)).toBe('2023-11-14T22:13:20.123Z')
  expect(time(null)).toBe('–')
})

test('how busy a worker is, in percent of each stage', () => {
  expect(busyText({ source: 0.254, encode: 0.5, sink: 0 })).toBe('source 25 %, encode 50 %, sink 0 %')
  expect(busyText(null)).toBe('–')
})
