import { Secret } from '../secret.ts'
import type { Config } from './schema.ts'
import { isTree } from './tree.ts'

/** Whether two configurations are the same, secrets included. */
export function sameConfig(one: Config, other: Config): boolean {
  const reloadable = ({ pipelines, revision }: Config) => JSON.stringify([pipelines, revision])
  return restartNeeded(one, other).length === 0 && reloadable(one) === reloadable(other)
}

/**
 * The settings that differ, as the file names them (`sink.brokers`), but for the pipelines and the file's revision: those
 * alone can change while the daemon runs.
 */
export function restartNeeded(before: Config, after: Config): string[] {
  const fixed = ({ pipelines: _, revision: __, ...rest }: Config) => rest
  const [old, fresh] = [fixed(before), fixed(after)]
  return differing(old, fresh, '').toSorted()
}

function differing(before: unknown, after: unknown, path: string): string[] {
  if (!isTree(before) || !isTree(after) || before instanceof Secret || after instanceof Secret) {
    return valueText(before) === valueText(after) ? [] : [path]
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap(key => {
    const name = key.replace(/Ms$/, '') // Durations are named without their unit in the file.
    return differing(before[key], after[key], path === '' ? name : `${path}.${name}`)
  })
}

/** A secret as what it is, not as what it prints. */
function valueText(value: unknown): string {
  return value instanceof Secret ? `secret ${value.reveal()}` : `plain ${JSON.stringify(value)}`
}
