import fc from 'fast-check'
import { expect, test } from 'vitest'
import { durationMs, durationPattern, sizeBytes, sizePattern, timeMs } from '../../src/config/units.ts'

test.each([
  ['250ms', 250],
  ['10s', 10_000],
  ['1.5m', 90_000],
  ['1h', 3_600_000],
  ['1d', 86_400_000],
  ['0s', 0],
])('%s lasts %d ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms)
})

test.each([
  ['1B', 1],
  ['1kB', 1000],
  ['512KiB', 524_288],
  ['1MiB', 1_048_576],
  ['1MB', 1_000_000],
  ['0.5GiB', 536_870_912],
])('%s has %d bytes', (text, bytes) => {
  expect(sizeBytes(text)).toBe(bytes)
})

test('a text has a value exactly where the pattern of the schema matches', () => {
  const unit = fc.constantFrom('ms', 's', 'm', 'h', 'd', 'B', 'KiB', 'MB', 'constructor', 'S', '')
  const texts = fc.oneof(
    fc.string(),
    fc.tuple(fc.integer({ min: -9, max: 9 }), unit).map(parts => parts.join('')),
  )
  fc.assert(
    fc.property(texts, text => {
      expect(Number.isNaN(durationMs(text))).toBe(!new RegExp(durationPattern).test(text))
      expect(Number.isNaN(sizeBytes(text))).toBe(!new RegExp(sizePattern).test(text))
    }),
  )
})

test('longer units are multiples of shorter ones', () => {
  fc.assert(
    fc.property(fc.nat(10_000), count => {
      expect(durationMs(`${count}s`)).toBe(durationMs(`${count * 1000}ms`))
      expect(durationMs(`${count}h`)).toBe(durationMs(`${count * 60}m`))
      expect(sizeBytes(`${count}MiB`)).toBe(sizeBytes(`${count * 1024}KiB`))
    }),
  )
})

test('times are now or milliseconds', () => {
  expect(timeMs('now')).toBe('now')
  expect(timeMs('1970-01-01T00:00:01Z')).toBe(1000)
  expect(timeMs('2026-13-01')).toBeNaN()
})
