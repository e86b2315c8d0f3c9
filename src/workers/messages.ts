import { createHash } from 'node:crypto'
import type { BusyRatios } from '../busy.ts'
import type { PauseOrders } from './pauses.ts'

/**
 * Of both messages; a part of the protocol's name, so that members which write another one are never mixed up. A release
 * that writes a later one has to offer this one as well, or it cannot be rolled out over workers that run.
 */
const formatVersion = 1

/** What a member tells the leader when it joins. */
export interface Claim {
  /** For people, and so that a worker that comes back gets what it had. Need not be unique. */
  readonly name: string
  /** Slots that it works on and would keep. */
  readonly owned: readonly number[]
  /** Slots that it still works on, but is giving back: nobody gets them in this round. */
  readonly releasing: readonly number[]
  /** The generation that gave it what it claims, -1: it claims nothing. */
  readonly generation: number
  /** It wants no slots: it is about to stop. */
  readonly leaving: boolean
  readonly busy?: BusyRatios | undefined
  /** What it has heard; empty from a member of a release that does not tell. */
  readonly pauses: PauseOrders
}

/** What the leader tells one member. */
export interface Decision {
  /** The member's slots. What it works on beside these, it gives back. */
  readonly owned: readonly number[]
  /** Everybody's, the member's own included. */
  readonly workers: readonly { readonly name: string; readonly owned: readonly number[]; readonly busy?: BusyRatios }[]
  /** What any of them has heard. */
  readonly pauses: PauseOrders
}

/**
 * The group protocol's name: who differs in format, MongoDB cluster or slot count offers another one, and the
 * coordinator refuses a group without common protocol (23, INCONSISTENT_GROUP_PROTOCOL).
 */
export function protocolName(cluster: string, slots: number): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([cluster, slots]))
    .digest('hex')
  return `${formatVersion}-${hash.slice(0, 16)}`
}

export function writeClaim(claim: Claim): Buffer {
  return Buffer.from(JSON.stringify({ version: formatVersion, ...claim }))
}

export function writeDecision(decision: Decision): Buffer {
  return Buffer.from(JSON.stringify({ version: formatVersion, ...decision }))
}

/** Throws RangeError: the bytes are no claim of this format. */
export function readClaim(bytes: Buffer): Claim {
  const fields = readFields(bytes)
  const { name, generation, leaving } = fields
  if (typeof name !== 'string' || typeof generation !== 'number' || typeof leaving !== 'boolean') {
    throw new RangeError('a field of the claim has the wrong type')
  }
  const claim = { name, generation, leaving, owned: slotsOf(fields.owned), releasing: slotsOf(fields.releasing) }
  return { ...claim, ...busyOf(fields.busy), pauses: pausesOf(fields.pauses) }
}

/** Throws RangeError: the bytes are no decision of this format. */
export function readDecision(bytes: Buffer): Decision {
  const { owned, workers, pauses } = readFields(bytes)
  if (!Array.isArray(workers)) throw new RangeError('the decision names no workers')
  return { owned: slotsOf(owned), workers: workers.map(readWorker), pauses: pausesOf(pauses) }
}

function readWorker(value: unknown): Decision['workers'][number] {
  const { name, owned, busy } = objectOf(value)
  if (typeof name !== 'string') throw new RangeError('a worker of the decision has no name')
  return { name, owned: slotsOf(owned), ...busyOf(busy) }
}

function readFields(bytes: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch (cause) {
    throw new RangeError('no JSON', { cause })
  }
  const fields = objectOf(value)
  if (fields.version !== formatVersion) throw new RangeError('another format version')
  return fields
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new RangeError('no object where one belongs')
  return { ...value }
}

function slotsOf(value: unknown): number[] {
  if (!Array.isArray(value)) throw new RangeError('slots are no list')
  return value.map(slot => {
    if (!Number.isSafeInteger(slot) || slot < 0) throw new RangeError('a slot is no number')
    return Number(slot)
  })
}

/** Absent: the writer's release does not tell. */
function pausesOf(value: unknown): PauseOrders {
  if (value === undefined) return {}
  const orders = Object.entries(objectOf(value)).map(([pipeline, order]) => {
    const { paused, number } = objectOf(order)
    if (typeof paused !== 'boolean' || !Number.isSafeInteger(number)) throw new RangeError('a pause makes no sense')
    return [pipeline, { paused, number: Number(number) }] as const
  })
  return Object.fromEntries(orders)
}

/** Only for show: what makes no sense is left out. */
function busyOf(value: unknown): { busy?: BusyRatios } {
  if (typeof value !== 'object' || value === null) return {}
  const { source, encode, sink }: Partial<Record<string, unknown>> = { ...value }
  if (typeof source !== 'number' || typeof encode !== 'number' || typeof sink !== 'number') return {}
  return { busy: { source, encode, sink } }
}
