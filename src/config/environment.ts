import type { Environment } from './interpolate.ts'

/** The process's environment: the only place that reads it. */
export function processEnvironment(): Environment {
  return process.env
}
