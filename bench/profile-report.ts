/** A place in the code as V8 names it. */
interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[]
  readonly samples: readonly number[]
  /** Microseconds. */
  readonly timeDeltas: readonly number[]
}

export interface AllocationNode {
  readonly callFrame: CallFrame
  readonly selfSize: number
  readonly children: readonly AllocationNode[]
}

/** What is spent where: amount by place in the code. */
export type Costs = ReadonlyMap<string, number>

/** Milliseconds by function, without waiting. */
export function cpuCosts({ nodes, samples, timeDeltas }: CpuProfile): Costs {
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]))
  const costs = new Map<string, number>()
  for (const [i, id] of samples.entries()) {
    const place = places.get(id) ?? ''
    if (place !== '(idle)') add(costs, place, (timeDeltas[i] ?? 0) / 1_000)
  }
  return costs
}

/** Megabytes (10^6) allocated by function, whether they were collected or not. */
export function allocationCosts(head: AllocationNode): Costs {
  const costs = new Map<string, number>()
  const open = [head]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    add(costs, placeOf(node.callFrame), node.selfSize / 1e6)
    open.push(...node.children)
  }
  return costs
}

/** The `count` largest as lines of a table, and what all of them are together. */
export function table(costs: Costs, unit: string, count: number): string {
  const total = [...costs.values()].reduce((sum, cost) => sum + cost, 0)
  const lines = [...costs]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([place, cost]) => `${cost.toFixed(0).padStart(8)} ${unit} ${percent(cost / total)}  ${place}`)
  return [...lines, `${total.toFixed(0).padStart(8)} ${unit} ${percent(1)}  all`].join('\n')
}

/** The same summed up by room of `src`, package, or part of Node. */
export function byRoom(costs: Costs): Costs {
  const rooms = new Map<string, number>()
  for (const [place, cost] of costs) add(rooms, roomOf(place), cost)
  return rooms
}

function roomOf(place: string): string {
  const at = / at (.*):\d+$/.exec(place)?.[1]
  if (at === undefined) return place.startsWith('(') ? place : 'Node, native code'
  if (at.startsWith('node:')) return "Node's own JavaScript"
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(at)?.[1]
  if (dependency !== undefined) return `package ${dependency}`
  return at.includes('/') ? `${at.slice(0, at.indexOf('/'))}/` : at
}

function placeOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? 'anonymous' : functionName
  if (url === '') return name
  const file = url.includes('/node_modules/')
    ? url.replace(/^.*\/node_modules\//, 'node_modules/')
    : url.replace(/^.*\/(dist|src)\//, '')
  return `${name} at ${file}:${lineNumber + 1}`
}

function add(costs: Map<string, number>, place: string, cost: number): void {
  costs.set(place, (costs.get(place) ?? 0) + cost)
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1).padStart(5)} %`
}
