import type { Clock } from '../../clock.ts'
import { Configuration } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Meter } from '../../meter.ts'
import type { Capabilities, Sink, SinkRequest } from '../sink.ts'
import { Api, bounded } from './api.ts'
import { Http } from './http.ts'
import { OciRestSink, ociRestCapabilities } from './oci-rest-sink.ts'
import { openPrincipal, type Principal, type PrincipalSettings } from './principal.ts'
import { Streams } from './streams.ts'
import { Tails } from './tails.ts'

/** Connections to one host, of all pipelines together. */
const connections = 32

export interface OciRestOptions {
  readonly auth: PrincipalSettings
  /** undefined: the region of the principal. */
  readonly region: string | undefined
  /** Of the administration; undefined: that of the region. */
  readonly endpoint: string | undefined
  readonly streamPoolId: string
  readonly retentionHours: number
  /** At once, for each stream of each pipeline. */
  readonly requests: number
  readonly requestTimeoutMs: number
  readonly queueLimitBytes: number
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/** OCI Streaming over REST as the pipelines' target. Disposing it disposes every sink that is still open. */
export interface OciRestTarget extends AsyncDisposable {
  readonly capabilities: Capabilities
  readonly tailReader: Tails
  open(request: SinkRequest, signal: AbortSignal): Promise<Sink>
}

/**
 * Logs in and looks at the stream pool. Throws Retryable SINK_UNREACHABLE or SINK_UNAVAILABLE; Configuration
 * SINK_OCI_AUTH, SINK_OCI_PACKAGE, SINK_OCI_UNAUTHORIZED, or CONFIG_INVALID where nobody knows the region.
 */
export async function openOciRestTarget(options: OciRestOptions, signal: AbortSignal): Promise<OciRestTarget> {
  const { auth, streamPoolId, retentionHours, requestTimeoutMs, clock, log } = options
  const principal = await bounded(openPrincipal(auth), clock, signal)
  const endpoint = endpointOf(options, principal)
  const http = new Http({ clock, limitMs: requestTimeoutMs, connections })
  const api = new Api({ http, principal, clock })
  const streams = new Streams({ api, endpoint, streamPoolId, retentionHours, clock, log })
  try {
    await streams.check(signal)
  } catch (error) {
    http[Symbol.dispose]()
    throw error
  }
  const sinks = new Set<Sink>()
  return {
    capabilities: ociRestCapabilities,
    tailReader: new Tails({ api, streams, clock, log }),
    async open({ pipeline, transactions }) {
      if (transactions) throw new Configuration('DELIVERY_UNSUPPORTED', 'OCI Streaming has no transactions')
      const { meter, requests, queueLimitBytes } = options
      const sink = new OciRestSink({ pipeline, api, streams, requests, queueLimitBytes, clock, meter })
      const close = sink[Symbol.asyncDispose].bind(sink)
      sink[Symbol.asyncDispose] = async () => {
        sinks.delete(sink)
        await close()
      }
      sinks.add(sink)
      return sink
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...sinks].map(sink => sink[Symbol.asyncDispose]()))
      http[Symbol.dispose]()
    },
  }
}

/** By the template of Oracle's own client. Realms other than the commercial one have another domain: set the endpoint. */
function endpointOf({ endpoint, region }: OciRestOptions, principal: Principal): string {
  if (endpoint !== undefined) return endpoint
  const known = region ?? principal.region
  if (known === undefined) {
    throw new Configuration('CONFIG_INVALID', 'sink.oci.region is missing, and the principal does not know it either')
  }
  return `https://streaming.${known}.oci.oraclecloud.com`
}
