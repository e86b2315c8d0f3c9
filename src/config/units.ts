const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizeUnitsBytes: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
}

export const durationPattern = '^\\d+(\\.\\d+)?(ms|s|m|h|d)$'
export const sizePattern = '^\\d+(\\.\\d+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)$'
export const timePattern = '^(now|\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?(Z|[+-]\\d\\d:\\d\\d))?)$'

/** Milliseconds of a duration such as `10s`, rounded to whole ones; NaN where `text` is none. */
export function durationMs(text: string): number {
  return withUnit(text, durationUnitsMs)
}

/** Bytes of a size such as `1MiB` (binary) or `1MB` (decimal), rounded to whole ones; NaN where `text` is none. */
export function sizeBytes(text: string): number {
  return withUnit(text, sizeUnitsBytes)
}

/** Milliseconds since the Unix epoch of an ISO 8601 time, `now` for itself; NaN where `text` is none of them. */
export function timeMs(text: string): number | 'now' {
  return text === 'now' ? text : Date.parse(text)
}

function withUnit(text: string, units: Readonly<Record<string, number>>): number {
  const match = /^(\d+(?:\.\d+)?)([a-zA-Z]+)$/.exec(text)
  if (!match) return Number.NaN
  const unit = Object.hasOwn(units, match[2]!) ? units[match[2]!]! : Number.NaN
  return Math.round(Number(match[1]) * unit)
}
