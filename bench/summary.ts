import type { Figure, Result } from './results.ts'
import { median } from './statistics.ts'

/** Which runs are meant: those of one scenario and connector, and of one variant where it says so. */
export interface Which {
  readonly scenario: Result['scenario']
  readonly connector?: string
  readonly variant?: string
}

/** The runs that count, in the order of their rounds. */
export function runsOf(results: readonly Result[], { scenario, connector, variant }: Which): Result[] {
  return results.filter(
    result =>
      result.complete &&
      result.scenario === scenario &&
      (connector === undefined || result.connector === connector) &&
      (variant === undefined || result.variant === variant),
  )
}

/** Median over the rounds; undefined where it was not measured. */
export function typical(results: readonly Result[], which: Which, figure: Figure): number | undefined {
  const values = runsOf(results, which).flatMap(({ figures }) => figures[figure] ?? [])
  return values.length > 0 ? median(values) : undefined
}

/** Worst over the rounds; undefined where it was not measured. */
export function largest(results: readonly Result[], which: Which, figure: Figure): number | undefined {
  const values = runsOf(results, which).flatMap(({ figures }) => figures[figure] ?? [])
  return values.length > 0 ? Math.max(...values) : undefined
}

/**
 * Median over the rounds of `of` one run over that of another in the same round, so that what else the machine did
 * hits both alike; undefined where there is no such round.
 */
export function ratio(
  results: readonly Result[],
  one: Which,
  other: Which,
  of: (run: Result) => number | undefined,
): number | undefined {
  const others = new Map(runsOf(results, other).map(run => [run.round, of(run)]))
  const ratios = runsOf(results, one).flatMap(run => {
    const [above, below] = [of(run), others.get(run.round)]
    return above === undefined || below === undefined || below === 0 ? [] : [above / below]
  })
  return ratios.length > 0 ? median(ratios) : undefined
}
