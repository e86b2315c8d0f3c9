import type { TestProject } from 'vitest/node'
import { openServices } from '../src/services/open-services.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A replica set of one member, shared by all test files: use databases of your own, and do not hurt it. */
    mongodbUri: string
    /** A broker, shared likewise: use topics of your own. */
    kafkaBrokers: readonly string[]
  }
}

/** Starts what the integration tests share, once a run. Tests that kill things start their own. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const progress = (line: string) => process.stderr.write(`${line}\n`)
  const services = await openServices({ env: process.env, progress, signal: AbortSignal.timeout(900_000) })
  project.provide('mongodbUri', services.mongodbUri)
  project.provide('kafkaBrokers', services.kafkaBrokers)
  return async () => services[Symbol.asyncDispose]()
}
