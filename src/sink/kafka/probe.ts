import type { Clock } from '../../clock.ts'
import { withDeadline } from '../../deadline.ts'
import { Fault, Retryable } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Preset } from '../../preset.ts'
import { withAdmin } from './admin.ts'
import { asksCompaction, asksGrowing, type TopicAnswers } from './capabilities.ts'
import type { Probed } from './plan.ts'
import { roundTrip } from './round-trip.ts'
import type { ProducerSettings } from './settings.ts'
import { createWire, probeWire, type WireOptions, type WireSupport } from './wire-platformatic.ts'

/** For one answer to InitProducerId: a broker that has just started gives none, which says nothing. */
const identityLimitMs = 5_000

export interface ProbeOptions {
  readonly wire: WireOptions
  readonly preset: Preset
  /** For a round trip; undefined: nothing is written. */
  readonly probeTopic: string | undefined
  /** The name of a topic that is never made: whether it could be is asked. undefined: nothing about topics is asked. */
  readonly askedTopic: string | undefined
  readonly producer: ProducerSettings
  readonly clock: Clock
  readonly log: Logger
}

/** Asks the target what it can do. Throws Retryable, or Configuration where it cannot be asked. */
export async function probe(options: ProbeOptions, signal: AbortSignal): Promise<Probed> {
  const { wire, preset, probeTopic } = options
  const support = await probeWire(wire, signal)
  const refusesProducerIds = preset.idempotence && support.idempotence && (await isRefused(options, signal))
  const { settings } = wire
  const trip = probeTopic === undefined ? undefined : await roundTrip({ ...options, settings }, probeTopic, signal)
  const topics = await askAboutTopics(options, support, signal)
  return { support, refusesProducerIds, roundTrip: trip, topics }
}

/** Only what the preset leaves open. No answer stops anything: what was not learned is as the preset says. */
async function askAboutTopics(options: ProbeOptions, support: WireSupport, signal: AbortSignal): Promise<TopicAnswers> {
  const { wire, preset, probeTopic, askedTopic, log, clock } = options
  const asks = {
    compaction: preset.compaction && preset.validatesTopics && support.validatesTopics ? askedTopic : undefined,
    growing: preset.growingTopics && support.addsPartitions ? probeTopic : undefined,
  }
  if (asks.compaction === undefined && asks.growing === undefined) return { compaction: undefined, growing: undefined }
  try {
    return await withAdmin({ settings: wire.settings, log, clock }, signal, async admin => ({
      compaction: asks.compaction === undefined ? undefined : await asksCompaction(admin, asks.compaction),
      growing: asks.growing === undefined ? undefined : await asksGrowing(admin, asks.growing),
    }))
  } catch (error) {
    signal.throwIfAborted()
    log.debug({ error }, 'what topics can be was not answered')
    return { compaction: undefined, growing: undefined }
  }
}

/**
 * Whether a target that lists InitProducerId refuses it by an answer that no waiting changes. All else, a missing right
 * and a closed connection among it, is left to who asks for an identity in earnest: for a Kafka that is only starting
 * must not be taken for one without idempotence.
 */
async function isRefused({ wire: options, clock }: ProbeOptions, signal: AbortSignal): Promise<boolean> {
  await using wire = createWire(options)
  const giveUp = new AbortController()
  try {
    await withDeadline(wire.initProducerId(AbortSignal.any([signal, giveUp.signal])), {
      limitMs: identityLimitMs,
      late: () => new Retryable('SINK_UNAVAILABLE', 'Kafka gave no producer id'),
      clock,
      signal,
      onEnd: error => giveUp.abort(error),
    })
    return false
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof Fault && error.code === 'SINK_REJECTED'
  }
}
