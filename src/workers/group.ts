/**
 * Kafka's group membership protocol as the workers need it; the wire behind it is injected. Whoever implements it tries
 * nothing again by itself: errors are Faults, Retryable where the coordinator cannot be reached or has moved (the next
 * call finds it anew), Configuration where only a person can help; an aborted signal rejects with its reason.
 */
export interface Group extends Disposable {
  /**
   * Asks to be in the next generation and waits for it. With `memberId` empty the coordinator first names the member
   * (KIP-394): ask again with that name.
   */
  join(memberId: string, metadata: Buffer, signal: AbortSignal): Promise<JoinAnswer>
  /** The member's part of what the leader has decided; the leader itself brings it, by member id. */
  sync(member: Member, assignments: ReadonlyMap<string, Buffer>, signal: AbortSignal): Promise<SyncAnswer>
  /** May be asked while a `join` or `sync` is waiting. Answered soon or not at all. */
  heartbeat(member: Member, signal: AbortSignal): Promise<Standing>
  leave(memberId: string, signal: AbortSignal): Promise<void>
}

/** What both sides of `openGroup` agree on. */
export interface GroupTerms {
  readonly groupId: string
  readonly protocolType: string
  /** A member that offers another one is refused. */
  readonly protocolName: string
  /** A member that sends no heartbeat for so long is out. */
  readonly sessionTimeoutMs: number
  /** A member that does not join a new generation within this time is out. */
  readonly rebalanceTimeoutMs: number
  /** For the answer to one heartbeat; then the coordinator is looked for anew. */
  readonly heartbeatLimitMs: number
}

export interface Member {
  readonly memberId: string
  readonly generation: number
}

/**
 * How the coordinator sees a member. `rebalance`: a new generation is being made, and until it is there the present one
 * counts. `old`: there is a later generation. `gone`: it does not know the member (any more).
 */
export type Standing = 'member' | 'rebalance' | 'old' | 'gone'

export type JoinAnswer =
  | ({ readonly outcome: 'joined'; readonly members: readonly JoinedMember[] | undefined } & Member)
  | { readonly outcome: 'named'; readonly memberId: string }
  | { readonly outcome: Exclude<Standing, 'member'> }

/** Whom the leader of a generation shares out to; only it is told, the others get `members: undefined`. */
export interface JoinedMember {
  readonly memberId: string
  readonly metadata: Buffer
}

export type SyncAnswer =
  | { readonly outcome: 'assigned'; readonly assignment: Buffer }
  | { readonly outcome: Exclude<Standing, 'member'> }
