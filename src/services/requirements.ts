import { join } from 'node:path'
import { Configuration } from '../errors.ts'
import { cacheDir, exists } from './cache.ts'
import { probe } from './process.ts'
import type { Environment } from './services.ts'

/** Which services are to be started from downloads. */
export interface Wanted {
  readonly mongodb: boolean
  readonly kafka: boolean
}

/** Cache entries, by service: what is there need not be fetched, and its fetcher need not be installed. */
export const cacheNames = { mongodb: 'mongod-6.0.5', kafka: 'kafka-4.1.1' } as const

const oldestJava = 17

/**
 * Throws SERVICE_MISSING naming everything that this machine lacks, before anything is downloaded: to find out after
 * the first hundred megabytes, one tool at a time, is no way to treat a visitor.
 */
export async function requireAll(wanted: Wanted, env: Environment, signal: AbortSignal): Promise<void> {
  const cache = cacheDir(env)
  const missing: string[] = []
  if (wanted.mongodb) missing.push(...(await missingForMongod(await exists(join(cache, cacheNames.mongodb)), signal)))
  if (wanted.kafka) missing.push(...(await missingForKafka(await exists(join(cache, cacheNames.kafka)), signal)))
  if (missing.length === 0) return
  throw new Configuration('SERVICE_MISSING', `this machine lacks:\n${missing.map(line => `  - ${line}`).join('\n')}`)
}

async function missingForMongod(isCached: boolean, signal: AbortSignal): Promise<string[]> {
  const orUri = 'or set M2K_TEST_MONGODB_URI'
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return [`Linux on x86-64 to run the downloaded mongod: install mongod 6.0 or later, ${orUri}`]
  }
  const missing: string[] = []
  const libraries = (await probe('/sbin/ldconfig', ['-p'], signal)) ?? (await probe('ldconfig', ['-p'], signal))
  // Where the libraries cannot be listed, mongod itself will say what it lacks.
  if (libraries !== undefined && !libraries.includes('libcrypto.so.3')) {
    missing.push(`OpenSSL 3 (libssl3), which the downloaded mongod needs, ${orUri}`)
  }
  if (!isCached && (await probe('python3', ['-m', 'pip', '--version'], signal)) === undefined) {
    missing.push(`Python 3 with pip (python3-pip), to download mongod, ${orUri}`)
  }
  return missing
}

async function missingForKafka(isCached: boolean, signal: AbortSignal): Promise<string[]> {
  const orBrokers = 'or set M2K_TEST_KAFKA_BROKERS'
  const missing: string[] = []
  const java = await probe('java', ['-version'], signal)
  if (javaMajor(java ?? '') < oldestJava) missing.push(`Java ${oldestJava} or later, to run Kafka, ${orBrokers}`)
  if (!isCached && (await probe('mvn', ['-version'], signal)) === undefined) {
    missing.push(`Maven (mvn), to download Kafka, ${orBrokers}`)
  }
  return missing
}

/** The major version in what `java -version` prints; 0 where there is none. Java 8 calls itself 1.8. */
export function javaMajor(text: string): number {
  return Number(text.match(/version "(\d+)/)?.[1] ?? 0)
}
