import type { JoinAnswer, JoinedMember, Member, Standing, SyncAnswer } from '../../src/workers/group.ts'
import type { VirtualTime } from '../sink/kafka/producer/virtual-time.ts'

interface ModelMember {
  metadata: Buffer
  callOffSession: () => void
  join: ((answer: JoinAnswer) => void) | undefined
  sync: ((answer: SyncAnswer) => void) | undefined
}

/** What a coordinator that takes over finds in the log: the last generation that was complete. */
interface Stored {
  readonly generation: number
  readonly leader: string
  readonly metadata: ReadonlyMap<string, Buffer>
  readonly assignments: ReadonlyMap<string, Buffer>
}

export interface ModelTimeouts {
  readonly sessionMs: number
  readonly rebalanceMs: number
}

/**
 * Kafka's coordinator of one group of the classic protocol (GroupCoordinator.scala), as far as the workers can tell:
 * sessions, pending members (KIP-394), generations, and the loss of everything but the last complete one.
 */
export class ModelCoordinator {
  readonly #time: VirtualTime
  readonly #timeouts: ModelTimeouts
  readonly #members = new Map<string, ModelMember>()
  readonly #pending = new Map<string, () => void>()
  #state: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty'
  #generation = 0
  #leader = ''
  #assignments: ReadonlyMap<string, Buffer> = new Map()
  #stored: Stored | undefined
  #names = 0
  #callOffPhase: () => void = () => {}
  /** How many generations were completed. */
  rounds = 0
  /** How often another broker has taken over. */
  term = 0

  constructor(time: VirtualTime, timeouts: ModelTimeouts) {
    this.#time = time
    this.#timeouts = timeouts
  }

  join(memberId: string, metadata: Buffer, reply: (answer: JoinAnswer) => void): void {
    const known = this.#members.get(memberId)
    if (memberId === '') reply({ outcome: 'named', memberId: this.#name() })
    else if (known !== undefined) this.#joinAgain(memberId, known, metadata, reply)
    else if (this.#pending.has(memberId)) {
      this.#pending.get(memberId)?.()
      this.#pending.delete(memberId)
      this.#members.set(memberId, { metadata, callOffSession: () => {}, join: reply, sync: undefined })
      this.#prepare()
    } else reply({ outcome: 'gone' })
  }

  sync(member: Member, assignments: ReadonlyMap<string, Buffer>, reply: (answer: SyncAnswer) => void): void {
    const standing = this.#standing(member)
    if (standing !== 'member') reply({ outcome: standing })
    else if (this.#state === 'completing') {
      this.#members.get(member.memberId)!.sync = reply
      if (member.memberId === this.#leader) this.#settle(assignments)
    } else reply(this.#assigned(member.memberId))
  }

  heartbeat(member: Member): Standing {
    const standing = this.#standing(member)
    if (standing === 'member' || standing === 'rebalance') this.#extend(member.memberId)
    return standing
  }

  leave(memberId: string): void {
    this.#remove(memberId)
  }

  /** Another broker takes over: who waits is not answered any more, and all sessions begin anew. */
  moves(): void {
    this.term += 1
    for (const memberId of [...this.#members.keys()]) this.#drop(memberId)
    for (const callOff of this.#pending.values()) callOff()
    this.#pending.clear()
    this.#callOffPhase()
    this.#state = 'empty'
    if (this.#stored === undefined) return
    const { generation, leader, metadata, assignments } = this.#stored
    this.#generation = generation
    this.#leader = leader
    this.#assignments = assignments
    if (metadata.size > 0) this.#state = 'stable'
    for (const [memberId, bytes] of metadata) {
      this.#members.set(memberId, { metadata: bytes, callOffSession: () => {}, join: undefined, sync: undefined })
      this.#extend(memberId)
    }
  }

  #joinAgain(memberId: string, known: ModelMember, metadata: Buffer, reply: (answer: JoinAnswer) => void): void {
    const isSame = known.metadata.equals(metadata)
    const isQuiet = this.#state === 'completing' || (this.#state === 'stable' && memberId !== this.#leader)
    if (isSame && isQuiet) reply(this.#joined(memberId))
    else {
      known.metadata = metadata
      known.join = reply
      this.#prepare()
    }
  }

  #name(): string {
    this.#names += 1
    const memberId = `member-${this.#names}`
    this.#pending.set(
      memberId,
      this.#time.after(this.#timeouts.sessionMs, () => {
        this.#pending.delete(memberId)
        this.#completeIfAll()
      }),
    )
    return memberId
  }

  #standing({ memberId, generation }: Member): Standing {
    if (!this.#members.has(memberId)) return 'gone'
    if (generation !== this.#generation) return 'old'
    return this.#state === 'preparing' ? 'rebalance' : 'member'
  }

  #prepare(): void {
    if (this.#state !== 'preparing') {
      for (const member of this.#members.values()) {
        member.sync?.({ outcome: 'rebalance' })
        member.sync = undefined
      }
      this.#state = 'preparing'
      this.#phase(() => this.#complete())
    }
    this.#completeIfAll()
  }

  /** Lets `atEnd` happen when the time for rebalancing is over; the phase before has ended. */
  #phase(atEnd: () => void): void {
    this.#callOffPhase()
    this.#callOffPhase = this.#time.after(this.#timeouts.rebalanceMs, atEnd)
  }

  #completeIfAll(): void {
    const all = [...this.#members.values()].every(({ join }) => join !== undefined)
    if (this.#state === 'preparing' && all && this.#pending.size === 0) this.#complete()
  }

  #complete(): void {
    for (const [memberId, { join }] of [...this.#members]) if (join === undefined) this.#drop(memberId)
    this.#callOffPhase()
    this.#generation += 1
    this.rounds += 1
    if (this.#members.size === 0) {
      this.#state = 'empty'
      this.#store()
      return
    }
    if (!this.#members.has(this.#leader)) this.#leader = [...this.#members.keys()][0]!
    this.#state = 'completing'
    // Those that do not ask for their part in time are out.
    this.#phase(() => {
      for (const [memberId, { sync }] of [...this.#members]) if (sync === undefined) this.#remove(memberId)
    })
    for (const [memberId, member] of this.#members) {
      const reply = member.join!
      member.join = undefined
      this.#extend(memberId)
      reply(this.#joined(memberId))
    }
  }

  #settle(assignments: ReadonlyMap<string, Buffer>): void {
    this.#callOffPhase()
    this.#assignments = assignments
    this.#state = 'stable'
    this.#store()
    for (const [memberId, member] of this.#members) {
      member.sync?.(this.#assigned(memberId))
      member.sync = undefined
      this.#extend(memberId)
    }
  }

  #store(): void {
    this.#stored = {
      generation: this.#generation,
      leader: this.#leader,
      metadata: new Map([...this.#members].map(([memberId, { metadata }]) => [memberId, metadata])),
      assignments: this.#assignments,
    }
  }

  #joined(memberId: string): JoinAnswer {
    const all: JoinedMember[] = [...this.#members].map(([id, { metadata }]) => ({ memberId: id, metadata }))
    const members = memberId === this.#leader ? all : undefined
    return { outcome: 'joined', memberId, generation: this.#generation, members }
  }

  #assigned(memberId: string): SyncAnswer {
    return { outcome: 'assigned', assignment: this.#assignments.get(memberId) ?? Buffer.alloc(0) }
  }

  /** The session begins anew. Who waits for an answer is alive. */
  #extend(memberId: string): void {
    const member = this.#members.get(memberId)!
    member.callOffSession()
    member.callOffSession = this.#time.after(this.#timeouts.sessionMs, () => {
      if (member.join === undefined && member.sync === undefined) this.#remove(memberId)
    })
  }

  #remove(memberId: string): void {
    this.#pending.get(memberId)?.()
    this.#pending.delete(memberId)
    const wasMember = this.#members.has(memberId)
    this.#drop(memberId)
    if (wasMember && (this.#state === 'stable' || this.#state === 'completing')) this.#prepare()
    else this.#completeIfAll()
  }

  #drop(memberId: string): void {
    this.#members.get(memberId)?.callOffSession()
    this.#members.delete(memberId)
  }
}
