import type { CheckpointStore, TransactionalStore } from '../checkpoint/checkpoint.ts'
import { Configuration } from '../errors.ts'
import { Position } from '../position.ts'
import type { Sink, TransactionalSink } from '../sink/sink.ts'
import { AtLeastOnce } from './at-least-once.ts'
import type { Replay } from './ending.ts'
import { ExactlyOnce, type ExactlyOnceParts } from './exactly-once.ts'
import { Follower } from './follower.ts'
import { Ledger, type WriteCheckpoint } from './ledger.ts'
import type { PipelineParts } from './parts.ts'
import type { Delivery } from './pipeline.ts'
import { createPrepare } from './prepare.ts'
import { Saver } from './saver.ts'
import { stream } from './stream.ts'
import { Tails, withTails } from './tails.ts'
import type { Verdicts } from './verdicts.ts'

/** The parts of the loop that are exchanged: the simulation puts broken ones in their place. */
export interface Machinery {
  readonly stream: typeof stream
  readonly atLeastOnce: (sink: Pick<Sink, 'send'>, saver: Pick<Saver, 'save' | 'usePartitions'>) => Delivery
  readonly exactlyOnce: (parts: ExactlyOnceParts) => Delivery
}

export const machinery: Machinery = {
  stream,
  atLeastOnce: (sink, saver) => new AtLeastOnce(sink, saver),
  exactlyOnce: parts => new ExactlyOnce(parts),
}

/**
 * One run from the durable position, in the one order that is right (decisions 5 and 9):
 * 1. The lease is confirmed, or a process that was frozen would fence its rightful successor.
 * 2. The sink is opened. That fences every predecessor and settles the transaction that it may have left open.
 * 3. Only then is the checkpoint loaded: nobody else can change it any more.
 * 4. It is written again with the next epoch, and streaming begins after it.
 * Where the checkpoints have a fence of their own, they come first, see `claimStore`.
 * Whatever ends it, the sink is disposed before this settles.
 */
export async function attempt(parts: AttemptParts, stop: AbortSignal, machine: Machinery): Promise<void> {
  const { monitor, source, clock, meter, limits, log, verdicts, replay } = parts
  const opening = replay?.isFirm ? replay.until : stop
  if (opening.aborted) return
  monitor.enter('starting')
  await parts.lease.confirm(opening)
  const claimed = await claimStore(parts, opening)
  await using sink = await parts.openSink(opening)
  using hurry = new Follower(stop)
  const signals = { stop, opening, hurry: hurry.signal }
  const { ledger, delivery, onFull } = await openDelivery(parts, { sink, claimed }, signals, machine)
  verdicts.forget(ledger.position)
  const counts = {
    partitions: (topic: string) => ledger.partitions(topic),
    usePartitions: (topic: string, count: number) => delivery.usePartitions(topic, count),
  }
  const prepare = createPrepare({
    pipeline: parts.name,
    encoder: parts.createEncoder(ledger.generation),
    sink,
    counts,
    topic: parts.topic,
    spec: parts.spec,
    onError: parts.onError,
    verdicts: verdicts.ahead(),
    meter,
    log,
    watch: monitor,
  })
  const from = ledger.isOfOtherStream ? ledger.position.byTime : ledger.position
  log.info({ position: String(from), delivery: parts.delivery }, 'reading changes')
  await machine.stream({ source, from, prepare, delivery, onFull, replay, watch: monitor, clock, limits }, stop)
}

export interface AttemptParts extends PipelineParts {
  readonly verdicts: Verdicts
  /** What the attempt before has sent and not saved. */
  readonly replay?: Replay | undefined
}

interface Signals {
  readonly stop: AbortSignal
  /** Ends opening: later than `stop`, where the attempt before must be repeated. */
  readonly opening: AbortSignal
  /** Ends waiting between saves and commits; of this attempt alone. */
  readonly hurry: AbortSignal
}

interface Opened {
  readonly ledger: Ledger
  readonly delivery: Delivery
  readonly onFull: () => void
}

/**
 * A store that compares epochs is a second fence beside the sink's, and of two starts each could take one: the loser of
 * the store would have repeated old values, and the loser of the sink, with nothing new to send, would never notice. So
 * the store's fence is taken before the sink's and confirmed after it. Then the last claim decides alone: who claimed
 * earlier and opened its sink later fails to confirm, before it has sent anything; who confirmed before has the earlier
 * sink too. And what is loaded with the claim stays true, since nobody else can save after it.
 *
 * (Rejected: to store the producer's epoch with the checkpoint and to compare that. Kafka counts anew when an id has
 * expired, and may hand out lower ids when a cluster is made anew: a pipeline would be fenced by its own past.)
 */
async function claimStore(parts: PipelineParts, signal: AbortSignal): Promise<Ledger | undefined> {
  const { store, delivery } = parts
  if (delivery === 'exactly-once' || isTransactionalStore(store)) return undefined
  return openLedger(parts, (checkpoint, waiting) => store.save(checkpoint, waiting), signal)
}

async function openDelivery(
  parts: AttemptParts,
  { sink, claimed }: { readonly sink: Sink; readonly claimed: Ledger | undefined },
  { stop, opening, hurry }: Signals,
  machine: Machinery,
): Promise<Opened> {
  const { store, clock, limits, replay } = parts
  if (parts.delivery === 'at-least-once') {
    await claimed?.write(undefined, opening)
    const ledger = claimed ?? (await openLedger(parts, writeThrough(store, sink), opening))
    const saver = new Saver({ ledger, intervalMs: parts.saveIntervalMs, hurry, clock })
    const tails = await openTails(parts, ledger, opening)
    const create = (saving: Pick<Saver, 'save' | 'usePartitions'>) => machine.atLeastOnce(sink, saving)
    const made = tails ? withTails(tails, saver, create, replay?.until ?? stop) : create(saver)
    return { ledger, delivery: made, onFull: () => saver.hurry() }
  }
  const transactional = transactionalSink(sink, parts.name)
  const { toRecords } = transactionalStore(store, parts.name)
  const commit: WriteCheckpoint = (checkpoint, signal) => transactional.commit(toRecords(checkpoint), signal)
  const ledger = await openLedger(parts, commit, opening)
  const delivery = machine.exactlyOnce({
    sink: transactional,
    ledger,
    intervalMs: parts.commitIntervalMs,
    transactionBytes: limits.inFlightBytes / 2, // The other half is encoded while the commit is under way.
    hurry,
    clock,
  })
  return { ledger, delivery, onFull: () => {} } // A transaction is committed when it is half of the window.
}

function openTails(parts: PipelineParts, ledger: Ledger, signal: AbortSignal): Promise<Tails> | undefined {
  const { tailReader: reader, deployment, name, slot, meter, clock } = parts
  if (reader === undefined) return undefined
  const source = `${deployment}/${name}/${slot}`
  const onDuplicates = (count: number) =>
    meter.count('records_total', { pipeline: name, outcome: 'already-there' }, count)
  return Tails.open(
    { reader, source, ends: ledger.ends, partitions: ledger.partitionCounts, onDuplicates, clock },
    signal,
  )
}

/**
 * At-least-once: where checkpoints are records of Kafka they go through the pipeline's own sink. So the fence that
 * keeps a predecessor's records out keeps its checkpoints out too, from our first one on: were one to follow ours, a
 * crash of ours in mid-replay would leave the replay's old values last (G2). Where the sink fences nobody, the store
 * refuses an earlier epoch by itself.
 */
function writeThrough(store: CheckpointStore, sink: Sink): WriteCheckpoint {
  if (isTransactionalStore(store) && sink.capabilities.idempotence) {
    return (checkpoint, signal) => sink.send(store.toRecords(checkpoint), signal)
  }
  return (checkpoint, signal) => store.save(checkpoint, signal)
}

function openLedger(parts: PipelineParts, write: WriteCheckpoint, signal: AbortSignal): Promise<Ledger> {
  const { store, deployment, name, slot, cluster, filterHash, revision, monitor, clock } = parts
  const options = {
    load: store.load.bind(store),
    write,
    deployment,
    pipeline: name,
    slot,
    cluster,
    filterHash,
    revision: revision(),
    start: (waiting: AbortSignal) => startOf(parts, waiting),
    onSaved: (position: Position, savedAtMs: number) => monitor.durable(position, savedAtMs),
    clock,
  }
  return Ledger.open(options, signal)
}

/**
 * Where a pipeline without a checkpoint starts: one place for all its slots, or a slot that is first taken an hour
 * after the others would miss an hour. A time in the future would only wait for itself, without a word: it means now.
 */
async function startOf({ startAt, source, store, name }: PipelineParts, signal: AbortSignal): Promise<Position> {
  const now = await source.now(signal)
  const proposed = startAt && startAt.compare(now) < 0 ? startAt : now
  if (!store.fixStart) return proposed
  return Position.parse(await store.fixStart(name, proposed.toJSON(), signal))
}

function transactionalSink(sink: Sink, pipeline: string): TransactionalSink {
  if (isTransactionalSink(sink)) return sink
  throw new Configuration('DELIVERY_UNSUPPORTED', `pipeline ${pipeline}: the target has no transactions`)
}

function isTransactionalSink(sink: Sink): sink is TransactionalSink {
  return 'commit' in sink
}

function transactionalStore(store: CheckpointStore, pipeline: string): Pick<TransactionalStore, 'toRecords'> {
  if (isTransactionalStore(store)) return { toRecords: checkpoint => store.toRecords(checkpoint) }
  const message = `pipeline ${pipeline}: the checkpoint store cannot take part in a transaction of Kafka`
  throw new Configuration('DELIVERY_UNSUPPORTED', message)
}

function isTransactionalStore(store: CheckpointStore): store is TransactionalStore {
  return 'toRecords' in store
}
