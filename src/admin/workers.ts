import { type BusyRatios, bottleneck, busiest, type Stage } from '../busy.ts'
import type { PipelineStatus, WorkersStatus } from '../status.ts'

/** One worker of the deployment, as people look at it. */
export interface WorkerView {
  readonly name: string
  readonly owned: readonly number[]
  /** null where only that worker itself can say. */
  readonly busy: BusyRatios | null
}

/** `/api/v1/workers`: who works on which slots, how busy, and what would help. */
export interface WorkersView {
  readonly coordination: WorkersStatus['coordination']
  readonly slots: number
  readonly name: string | null
  readonly state: WorkersStatus['state']
  readonly owned: readonly number[]
  readonly workers: readonly WorkerView[]
  /** One sentence. */
  readonly advice: string
}

const unnamed = 'this worker'

/** What `workers` and the pipelines' own figures say together. A worker is as busy as its busiest pipeline. */
export function workersView(workers: WorkersStatus, statuses: readonly PipelineStatus[]): WorkersView {
  const { coordination, slots, name, state, owned } = workers
  const own = name ?? unnamed
  const busy = busiest(statuses.map(status => status.busy))
  const others = workers.workers.filter(worker => worker.name !== own)
  return {
    coordination,
    slots,
    name: own,
    state,
    owned,
    workers: [{ name: own, owned, busy }, ...others.map(worker => ({ ...worker, busy: worker.busy ?? null }))],
    advice: advice(workers, statuses),
  }
}

/** What limits the throughput, and whose. */
interface Limit {
  readonly stage: Stage
  /** As the subject of a sentence. */
  readonly who: string
  /** How many slots the worker has that it is about. */
  readonly owned: number
  readonly throttledRatio: number
}

/** Below this share of the time a quota is felt, and does not limit. */
const throttledFrom = 0.1

/**
 * What would raise the throughput, in one sentence. What has stopped comes first. Then the stage decides that most of the
 * time of any pipeline goes to, and where nothing limits this worker, that of any other one: the CPU is shared out by
 * more workers, MongoDB and Kafka are not.
 */
export function advice(workers: WorkersStatus, statuses: readonly PipelineStatus[]): string {
  switch (workers.state) {
    case 'joining':
      return 'Not known yet: this worker is still joining the others.'
    case 'standby':
      return 'Nothing: this worker is a standby and takes over when another one leaves.'
    case 'stopped':
      return 'Nothing: this worker has stopped.'
    default:
      return broken(statuses) ?? help(workers, limitHere(workers, statuses) ?? limitElsewhere(workers))
  }
}

/** As long as an error stands in the way, nothing else helps. */
function broken(statuses: readonly PipelineStatus[]): string | undefined {
  const first = ['failed', 'retrying'].map(wanted => statuses.find(({ state }) => state === wanted)).find(Boolean)
  if (!first) return undefined
  const why = first.error ? ` with ${first.error.code}` : ''
  return `The remedy of pipeline ${first.name} first: it ${first.state === 'failed' ? 'has failed' : 'tries again and again'}${why}.`
}

function help(workers: WorkersStatus, limit: Limit | undefined): string {
  if (!limit) return 'Nothing: there are fewer changes than it could take.'
  const { stage, who, throttledRatio } = limit
  if (stage === 'encode') return moreCpu(workers, limit)
  if (stage === 'source')
    return `A faster MongoDB, or images kept by the collection instead of lookups: ${who} waits for the source, and every further worker reads the whole stream once more.`
  if (throttledRatio >= throttledFrom)
    return `A higher quota, or more partitions where each has a limit of its own: the target throttles ${who}, and more workers would share the same quota.`
  return `A faster target or more partitions: ${who} waits for acknowledgements.`
}

function limitHere({ owned }: WorkersStatus, statuses: readonly PipelineStatus[]): Limit | undefined {
  let limit: Limit | undefined
  let largest = 0
  for (const { name, limitedBy, throttledRatio } of statuses) {
    if (limitedBy === null || limitedBy.ratio <= largest) continue
    largest = limitedBy.ratio
    limit = { stage: limitedBy.stage, who: `pipeline ${name}`, owned: owned.length, throttledRatio }
  }
  return limit
}

/** By what the others have told, which is little: how busy their busiest pipelines are. */
function limitElsewhere({ name, workers }: WorkersStatus): Limit | undefined {
  for (const worker of workers) {
    const found = worker.name === name || !worker.busy ? null : bottleneck(worker.busy)
    if (found === null) continue
    return { stage: found.stage, who: `worker ${worker.name}`, owned: worker.owned.length, throttledRatio: 0 }
  }
  return undefined
}

const ways: Readonly<Record<WorkersStatus['coordination'], string>> = {
  none: 'set workers.coordination and start more of them',
  static: 'raise workers.replicas and start more of them',
  kafka: 'start more of them',
}

function moreCpu({ coordination, slots, workers }: WorkersStatus, { owned, who }: Limit): string {
  const count = Math.max(1, workers.length)
  if (owned > 1 && count < slots) {
    return `More workers: the CPU is what limits ${who}, and the ${slots} slots are shared by ${count}; ${ways[coordination]}.`
  }
  const why = slots === 1 ? 'there is 1 slot' : `its worker has ${owned} of the ${slots} slots`
  return `A faster core: the CPU is what limits ${who}, and no further worker could take a share: ${why}.`
}

/** `0-3, 7`; what a person reads of many slots. */
export function slotsText(slots: readonly number[]): string {
  const sorted = [...slots].sort((a, b) => a - b)
  const runs: [number, number][] = []
  for (const slot of sorted) {
    const last = runs.at(-1)
    if (last && slot === last[1] + 1) last[1] = slot
    else runs.push([slot, slot])
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ') || 'none'
}
