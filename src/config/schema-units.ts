import { durationPattern } from './units.ts'

/** The part that all durations share. */
export const duration = {
  type: 'string',
  pattern: durationPattern,
  'x-expected': 'a duration with its unit, such as 250ms, 10s, 5m or 1h',
  'x-unit': 'duration',
} as const
