import type { BusyRatios } from '../busy.ts'

/** As a person says it: 250 ms, 4.2 s, 12 min, 7.5 h, 3.0 d; `–` where it is not known. */
export function duration(ms: number | null): string {
  if (ms === null) return '–'
  const size = Math.abs(ms)
  if (size < 1_000) return `${Math.round(ms)} ms`
  if (size < 120_000) return `${(ms / 1_000).toFixed(1)} s`
  if (size < 7_200_000) return `${Math.round(ms / 60_000)} min`
  if (size < 172_800_000) return `${(ms / 3_600_000).toFixed(1)} h`
  return `${(ms / 86_400_000).toFixed(1)} d`
}

export function percent(ratio: number): string {
  return `${Math.round(ratio * 100)} %`
}

/** The time of `ms` since the Unix epoch in ISO 8601, to the second where it is a whole one. */
export function time(ms: number | null): string {
  return ms === null ? '–' : new Date(ms).toISOString().replace('.000Z', 'Z')
}

/** Where a worker's time goes; `–` where only that worker itself can say. */
export function busyText(busy: BusyRatios | null): string {
  if (busy === null) return '–'
  const { source, encode, sink } = busy
  return `source ${percent(source)}, encode ${percent(encode)}, sink ${percent(sink)}`
}
