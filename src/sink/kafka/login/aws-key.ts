import { createRequire } from 'node:module'
import type { Clock } from '../../../clock.ts'
import { Configuration } from '../../../errors.ts'
import type { AwsKey, AwsKeySource } from './msk-iam.ts'

const packageName = '@aws-sdk/credential-providers'
/** A key that ends sooner is fetched anew before it is used. */
const marginMs = 5 * 60_000

/** What the package gives: a key and when it ends. */
type Provide = () => Promise<AwsKey & { readonly expiration?: Date }>
/** The part of `@aws-sdk/credential-providers` that is used. */
interface CredentialProviders {
  fromNodeProviderChain(): Provide
}

/** Gives a package by its name. */
export type Load = (name: string) => Promise<unknown>
/** Not an import, which the compiler could not resolve where the package is not installed. */
const load: Load = async name => createRequire(import.meta.url)(name)

/**
 * The access key that the AWS SDK finds: environment, profile, web identity, container, instance. Its package is not
 * installed with us: it brings a hundred others, for one cloud. Throws Configuration SINK_AUTH_FAILED.
 */
export function sdkKey(clock: Clock, loadPackage: Load = load): AwsKeySource {
  let provide: Provide | undefined
  let kept: Awaited<ReturnType<Provide>> | undefined
  return async () => {
    const endMs = kept?.expiration?.getTime() ?? 0
    if (kept !== undefined && clock.nowMs() < endMs - marginMs) return kept
    provide ??= await providerOf(loadPackage)
    try {
      kept = await provide()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new Configuration('SINK_AUTH_FAILED', `Kafka: no access key of AWS is found: ${why}`, { cause })
    }
    return kept
  }
}

async function providerOf(loadPackage: Load): Promise<Provide> {
  let loaded: unknown
  try {
    loaded = await loadPackage(packageName)
  } catch (cause) {
    const message = `Kafka: sink.sasl.aws without accessKeyId needs a package that is not installed: npm install ${packageName}`
    throw new Configuration('SINK_AUTH_FAILED', message, { cause })
  }
  return (loaded as CredentialProviders).fromNodeProviderChain()
}
