import { duration, time } from '../admin/wording.ts'
import type { CheckpointStore } from '../checkpoint/checkpoint.ts'
import type { Clock } from '../clock.ts'
import type { Position } from '../position.ts'
import { transactionalIdOf } from '../sink/kafka/transactional-id.ts'
import type { Mongo } from '../source/mongo.ts'
import type { PipelineStatus } from '../status.ts'
import { askAdmin } from './admin-client.ts'
import { urlOf } from './admin-options.ts'
import { checkCluster, explainFault, loadAll, openSource } from './checkpoint-access.ts'
import { changed, movedTo, type Origin, placeOf, planText, type StoredSlot } from './checkpoint-plan.ts'
import type { Common } from './common.ts'
import { exitCodes } from './io.ts'
import { openStore, openTarget } from './target.ts'

export interface SetOptions {
  readonly pipeline: string | undefined
  /** Milliseconds since the Unix epoch, or now by MongoDB's clock. */
  readonly at: number | 'now'
  readonly yes: boolean
  readonly json: boolean
  /** How long a worker that is still at it is looked for. */
  readonly watchMs: number
}

/** An idle pipeline saves its position every ten seconds or so: who is at work shows within this time. */
export const defaultWatchMs = 20_000

/** Moves pipelines to a time: shows the plan, and carries it out where `yes` is given and no worker is seen at work. */
export async function setCheckpoints(common: Common, options: SetOptions, stop: AbortSignal): Promise<number> {
  const { io, clock } = common
  try {
    await using mongo = await openSource(common, stop)
    await using store = await openStore(common, mongo.identity, stop)
    const load = () => loadAll(common, store, options.pipeline, stop)
    const stored = await load()
    checkCluster(stored, mongo.identity)
    const origin = originOf(common, mongo)
    const to = await destination(common, mongo, options.at, stop)
    if (typeof to === 'string') return refuse(common, to)
    const plan = movedTo(to, stored, origin, clock.nowMs())
    io.stdout.write(
      options.json
        ? `${JSON.stringify({ applied: options.yes, checkpoints: plan }, null, 2)}\n`
        : planText(to, stored, plan),
    )
    if (!options.yes) {
      io.stderr.write('Nothing was changed. To do it: stop or pause the pipelines, then the same with --yes\n')
      return exitCodes.done
    }
    const active =
      (await runningAt(common, stored, clock, stop)) ??
      (await seenAtWork(common, stored, load, { ms: options.watchMs, stop }))
    if (active !== undefined) return refuse(common, active)
    await fence(common, stored, stop)
    const settled = await load()
    // The fence has settled open transactions: what they brought is in here, or nobody was at it.
    await saveAll(store, movedTo(to, settled, origin, clock.nowMs()), stop)
    io.stderr.write(`Done: ${stored.length === 1 ? 'the pipeline starts' : 'they start'} at ${time(to.timeMs)}\n`)
    return exitCodes.done
  } catch (error) {
    return explainFault(error, common, stop)
  }
}

function refuse({ io }: Common, why: string): number {
  io.stderr.write(`mongo2kafka checkpoint set: ${why}\nNothing was changed.\n`)
  return exitCodes.failed
}

function originOf({ config }: Common, mongo: Mongo): Origin {
  const filterHash = (name: string) => {
    const pipeline = config.pipelines.find(each => each.name === name)
    if (!pipeline) throw new RangeError(`no pipeline ${name}`)
    return mongo.filterHash({ ...pipeline.source, pipeline: name, slot: { index: 0, count: config.workers.slots } })
  }
  return { deployment: config.name, cluster: mongo.identity, filterHash }
}

/** The position to move to, or why it cannot be had. */
async function destination(
  { config, clock }: Common,
  mongo: Mongo,
  at: number | 'now',
  stop: AbortSignal,
): Promise<Position | string> {
  const [pipeline] = config.pipelines
  if (!pipeline) throw new RangeError('a configuration without pipelines')
  const slot = { index: 0, count: config.workers.slots }
  const now = await mongo.source({ ...pipeline.source, pipeline: pipeline.name, slot }).now(stop)
  if (at === 'now') return now
  const to = placeOf(at)
  if (to.compare(now) > 0) return `${time(to.timeMs)} is in the future: for MongoDB it is ${time(now.timeMs)}`
  const window = await mongo.window(stop)
  if (!window || to.timeMs >= window.oldestMs) return to
  const reach = `${time(window.oldestMs)}, ${duration(clock.nowMs() - window.oldestMs)} ago`
  return `MongoDB no longer has the changes since ${time(to.timeMs)}: its oplog begins at ${reach}`
}

/** Whoever answers at the configured admin address and has one of the pipelines at work; undefined: nobody. */
async function runningAt(
  { config }: Common,
  stored: readonly StoredSlot[],
  clock: Clock,
  stop: AbortSignal,
): Promise<string | undefined> {
  if (config.admin.port === 0) return undefined
  const url = urlOf(config)
  const request = { method: 'GET', path: '/api/v1/pipelines' } as const
  const reply = await askAdmin({ url, token: undefined }, request, clock, stop).catch(() => undefined)
  stop.throwIfAborted()
  const body = reply?.body as { readonly pipelines?: readonly PipelineStatus[] } | undefined
  const resting: ReadonlySet<string> = new Set(['paused', 'failed', 'stopped', 'standby'])
  const names = new Set(stored.map(({ pipeline }) => pipeline))
  const busy = (Array.isArray(body?.pipelines) ? body.pipelines : []).find(
    ({ name, state }) => names.has(name) && !resting.has(state),
  )
  return busy && `pipeline ${busy.name} is ${busy.state} at ${url}: stop the daemon, or pause the pipeline`
}

/** Watches the checkpoints for long enough that a worker elsewhere would have saved; undefined: nobody has. */
async function seenAtWork(
  { io, clock }: Common,
  stored: readonly StoredSlot[],
  load: () => Promise<StoredSlot[]>,
  watch: { readonly ms: number; readonly stop: AbortSignal },
): Promise<string | undefined> {
  io.stderr.write(`Watching for ${watch.ms / 1_000} s whether a worker is still at it\n`)
  await clock.sleep(watch.ms, watch.stop)
  const active = changed(stored, await load())
  return active && `a worker is at pipeline ${active.pipeline}, slot ${active.slot}: stop it, or pause the pipeline`
}

/** Takes the transactional ids, where the target has them: a worker that is frozen can then not commit over us. */
async function fence(common: Common, stored: readonly StoredSlot[], stop: AbortSignal): Promise<void> {
  const { config } = common
  if (config.sink.type !== 'kafka') return
  await using target = await openTarget(common, stop)
  if (!target.capabilities.idempotence) return
  for (const { pipeline, slot } of stored) {
    const transactionalId = transactionalIdOf(config.name, pipeline, slot)
    await using _ = await target.open({ pipeline, transactionalId, transactions: false }, stop)
  }
}

async function saveAll(
  store: CheckpointStore,
  checkpoints: ReturnType<typeof movedTo>,
  stop: AbortSignal,
): Promise<void> {
  for (const checkpoint of checkpoints) await store.save(checkpoint, stop)
}
