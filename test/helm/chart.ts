import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'

/** Of the repository. */
export const root = new URL('../..', import.meta.url).pathname
export const chartDir = join(root, 'helm/mongo2kafka')

export function readChart(path: string): string {
  return readFileSync(join(chartDir, path), 'utf8')
}

export type Values = Readonly<Record<string, unknown>>

/** A values file of `helm/mongo2kafka/ci/`, by its name without `-values.yaml`. */
export interface ValuesFile {
  readonly name: string
  readonly path: string
  readonly values: Values
}

export function valuesFiles(): ValuesFile[] {
  return globSync('ci/*-values.yaml', { cwd: chartDir })
    .toSorted()
    .map(path => ({
      name: basename(path, '-values.yaml'),
      path: join(chartDir, path),
      values: parse(readChart(path), { merge: true }) as Values,
    }))
}

/** Maps are merged key by key and null removes a key, as Helm lays a values file over values.yaml. */
export function layered(base: unknown, over: unknown): unknown {
  if (!isMap(base) || !isMap(over)) return over
  const keys = new Set([...Object.keys(base), ...Object.keys(over)])
  const entries = [...keys].map(key => [key, key in over ? layered(base[key], over[key]) : base[key]] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== null))
}

export function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
