import { processEnvironment } from '../config/environment.ts'
import { Configuration } from '../errors.ts'
import { defaultProducerSettings } from '../sink/kafka/settings.ts'
import { openOciRestTarget } from '../sink/oci-rest/oci-rest-target.ts'
import type { Common } from './common.ts'
import type { Target } from './opened-target.ts'

/** OCI Streaming over REST, as the configuration names it, reachable. Throws Retryable or Configuration. */
export async function openOciTarget(
  { config, clock, log, meter, secrets }: Common,
  signal: AbortSignal,
): Promise<Target> {
  const { oci, producer } = config.sink
  if (oci === undefined) throw new Configuration('CONFIG_INVALID', 'sink.type oci-rest needs sink.oci')
  const learn = (secret: string) => secrets.learn(secret)
  const auth = { ...oci.auth, learn, environment: processEnvironment(), clock }
  const { region, endpoint, streamPoolId, retentionHours, requests } = oci
  const target = await openOciRestTarget(
    {
      ...{ auth, region, endpoint, streamPoolId, retentionHours, requests, clock, log, meter },
      requestTimeoutMs: producer.requestTimeoutMs,
      // The window comes first; this is the sink's own guard behind it.
      queueLimitBytes: Math.max(defaultProducerSettings.queueLimitBytes, 2 * config.limits.inFlightBytes),
    },
    signal,
  )
  const because = ['it has neither transactions nor producer ids', 'its messages have no headers']
  return {
    capabilities: target.capabilities,
    about: { title: 'OCI Streaming over REST (not yet run against the service itself)', because },
    tailReader: target.tailReader,
    open: (request, opening) => target.open(request, opening),
    // Not bound: V8 does not take a bound function as what `await using` calls.
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  }
}
