import type { BusyRatios, Stage } from '../busy.ts'
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

/** What `workers` and the pipelines' own figures say together. */
export function workersView(workers: WorkersStatus, statuses: readonly PipelineStatus[]): WorkersView {
  const { coordination, slots, name, state, owned } = workers
  const own = name ?? unnamed
  const busy = busiest(statuses)
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

/** Of each stage the largest share: a worker is as busy as its busiest pipeline. */
function busiest(statuses: readonly PipelineStatus[]): BusyRatios {
  const most = (stage: Stage) => Math.max(0, ...statuses.map(({ busy }) => busy[stage]))
  return { source: most('source'), encode: most('encode'), sink: most('sink') }
}

/** Below this share a pipeline takes what there is, and nothing needs help. */
const limitedFrom = 0.5

/**
 * What would raise the throughput, in one sentence. The stage that most of the time of any pipeline goes to decides:
 * the CPU is shared out by more workers, MongoDB and Kafka are not.
 */
export function advice(workers: WorkersStatus, statuses: readonly PipelineStatus[]): string {
  if (workers.owned.length === 0) return 'Nothing: this worker is a standby and takes over when another one leaves.'
  const limited = statuses.filter(({ limitedBy }) => limitedBy !== null && limitedBy.ratio >= limitedFrom)
  const worst = limited.reduce<PipelineStatus | undefined>(
    (most, each) => (most?.limitedBy && each.limitedBy && most.limitedBy.ratio >= each.limitedBy.ratio ? most : each),
    undefined,
  )
  if (!worst?.limitedBy) return 'Nothing: there are fewer changes than it could take.'
  const { stage } = worst.limitedBy
  if (stage === 'encode') return moreCpu(workers)
  if (stage === 'source')
    return `A faster MongoDB, or images kept by the collection instead of lookups: pipeline ${worst.name} waits for the source, and every further worker reads the whole stream once more.`
  if (worst.throttledRatio > 0)
    return `A higher quota: the broker throttles pipeline ${worst.name}, and more workers would share the same quota.`
  return `A faster target or more partitions: pipeline ${worst.name} waits for acknowledgements.`
}

function moreCpu({ coordination, slots, owned, workers }: WorkersStatus): string {
  const count = Math.max(1, workers.length)
  if (owned.length > 1 && count < slots) {
    const how = coordination === 'none' ? 'set workers.coordination and start more of them' : 'start more of them'
    return `More workers: the CPU is what limits, and the ${slots} slots are shared by ${count}; ${how}.`
  }
  return `A faster core: the CPU is what limits, and with ${slots} ${slots === 1 ? 'slot' : 'slots'} no further worker could take a share.`
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
