import type { Clock } from '../../../clock.ts'
import { Configuration, type Fault, Retryable } from '../../../errors.ts'
import { advised } from '../acl-advice.ts'
import { AnyBroker, parseAddress } from '../any-broker.ts'
import { BrokerLines } from '../broker-lines.ts'
import { faultOf, protocolCode } from '../classify.ts'
import { apiVersionsRequest, speaks } from '../protocol/api-versions.ts'
import { BrokerError, refusedRequest } from '../protocol/broker-error.ts'
import { findCoordinatorRequest } from '../protocol/find-coordinator.ts'
import { heartbeatApi, heartbeatRequest } from '../protocol/heartbeat.ts'
import { joinGroupApi, joinGroupRequest } from '../protocol/join-group.ts'
import { leaveGroupApi, leaveGroupRequest } from '../protocol/leave-group.ts'
import type { BrokerAddress } from '../protocol/metadata.ts'
import type { Request } from '../protocol/request.ts'
import { syncGroupApi, syncGroupRequest } from '../protocol/sync-group.ts'
import type { KafkaSettings } from '../settings.ts'
import { WireConnection } from '../wire-connection.ts'

/** A broker answers a join or sync at the latest when the time for rebalancing is over; then this comes on top. */
const answerMarginMs = 5_000
/**
 * Joins are rare, and a connection that has died meanwhile without a word would swallow the next one: for as long as a
 * join may wait. Each round has a new one; its join and sync follow each other at once.
 */
const patientKeptMs = 1_000

export interface KafkaGroupTerms {
  readonly groupId: string
  readonly protocolType: string
  readonly protocolName: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** For the answer to a heartbeat or to the question for the coordinator. */
  readonly heartbeatLimitMs: number
}

export interface KafkaGroupOptions {
  readonly settings: KafkaSettings
  readonly terms: KafkaGroupTerms
  readonly clock: Clock
  /** How to connect to a broker; absent: over TCP. */
  readonly open?: typeof WireConnection.open
}

type Lines = BrokerLines<string, WireConnection>

export interface KafkaGroupMember {
  readonly memberId: string
  readonly generation: number
}

/**
 * What the coordinator thinks of a member. `rebalance`: a new generation is being made. `old`: there is a newer one.
 * `gone`: it knows no such member.
 */
export type KafkaGroupStanding = 'member' | 'rebalance' | 'old' | 'gone'

const standingByCode: Readonly<Record<number, KafkaGroupStanding>> = {
  0: 'member',
  22: 'old', // ILLEGAL_GENERATION
  25: 'gone', // UNKNOWN_MEMBER_ID
  27: 'rebalance', // REBALANCE_IN_PROGRESS
  82: 'gone', // FENCED_INSTANCE_ID
}
const memberIdRequired = 79
const groupAuthorizationFailed = 30

/**
 * One group of Kafka's classic membership protocol, for protocols of our own. Connects when first asked. Errors are
 * Faults: Retryable where the coordinator cannot be reached, is loading or has moved (the next call finds it anew);
 * Configuration WORKERS_MISMATCH, WORKERS_SESSION_TIMEOUT, WORKERS_UNAUTHORIZED, WORKERS_UNSUPPORTED or SINK_AUTH_FAILED.
 * An aborted signal rejects with its reason.
 *
 * Source: https://kafka.apache.org/protocol, KIP-394 (member ids), KIP-429 (two rounds).
 */
export class KafkaGroup implements Disposable {
  readonly #settings: KafkaSettings
  readonly #terms: KafkaGroupTerms
  readonly #anyBroker: AnyBroker
  /** For joins and syncs, which wait for other members. */
  readonly #patient: Lines
  readonly #prompt: Lines
  #isSupported = false

  constructor({ settings, terms, clock, open = WireConnection.open }: KafkaGroupOptions) {
    this.#settings = settings
    this.#terms = terms
    const connectTimeoutMs = terms.sessionTimeoutMs / 3
    const opener = (requestTimeoutMs: number) => (address: BrokerAddress, signal: AbortSignal) =>
      open({ kafka: settings, connectTimeoutMs, requestTimeoutMs }, address, signal)
    const lines = (requestTimeoutMs: number, keptMs?: number): Lines =>
      new BrokerLines({
        find: (groupId, signal) => this.#find(groupId, signal),
        open: (broker, signal) => opener(requestTimeoutMs)(parseAddress(broker), signal),
        onAbort: 'close',
        ...(keptMs !== undefined && { keptMs }),
        clock,
      })
    this.#anyBroker = new AnyBroker({ bootstrap: settings.brokers, open: opener(terms.heartbeatLimitMs), clock })
    this.#prompt = lines(terms.heartbeatLimitMs)
    this.#patient = lines(terms.rebalanceTimeoutMs + answerMarginMs, patientKeptMs)
  }

  /** `members`: undefined for all but the leader. `named`: ask again with that id. */
  async join(memberId: string, metadata: Buffer, signal: AbortSignal) {
    const request = joinGroupRequest({ ...this.#terms, memberId, metadata })
    const answer = await this.#ask(this.#patient, request, ({ errorCode }) => errorCode, signal)
    const { errorCode, generation, leaderId } = answer
    if (errorCode === memberIdRequired) return { outcome: 'named', memberId: answer.memberId } as const
    const outcome = this.#standing(errorCode)
    if (outcome !== 'member') return { outcome }
    const members = leaderId === answer.memberId ? answer.members : undefined
    return { outcome: 'joined', memberId: answer.memberId, generation, members } as const
  }

  /** `assignments`: by member id, from the leader; empty from the others. */
  async sync(member: KafkaGroupMember, assignments: ReadonlyMap<string, Buffer>, signal: AbortSignal) {
    const { groupId } = this.#terms
    const request = syncGroupRequest({ groupId, ...member, assignments })
    const { errorCode, assignment } = await this.#ask(this.#patient, request, answer => answer.errorCode, signal)
    const outcome = this.#standing(errorCode)
    return outcome === 'member' ? ({ outcome: 'assigned', assignment } as const) : { outcome }
  }

  async heartbeat({ memberId, generation }: KafkaGroupMember, signal: AbortSignal): Promise<KafkaGroupStanding> {
    const request = heartbeatRequest(this.#terms.groupId, generation, memberId)
    return this.#standing(await this.#ask(this.#prompt, request, code => code, signal))
  }

  async leave(memberId: string, signal: AbortSignal): Promise<void> {
    const request = leaveGroupRequest(this.#terms.groupId, memberId)
    this.#standing(await this.#ask(this.#prompt, request, code => code, signal))
  }

  /** Questions under way reject. */
  [Symbol.dispose](): void {
    this.#anyBroker[Symbol.dispose]()
    this.#patient[Symbol.dispose]()
    this.#prompt[Symbol.dispose]()
  }

  /** Asks the coordinator. After any failure, and an error that says it is none, it is looked for anew. */
  async #ask<T>(lines: Lines, request: Request<T>, codeOf: (answer: T) => number, signal: AbortSignal): Promise<T> {
    const { groupId } = this.#terms
    try {
      const answer = await lines.ask(groupId, connection => connection.request(request), signal)
      if (isNoCoordinator(codeOf(answer))) throw this.#fault(codeOf(answer))
      return answer
    } catch (error) {
      signal.throwIfAborted()
      this.#patient.forget(groupId)
      this.#prompt.forget(groupId)
      const code = protocolCode(error)
      // A join may wait for others as long as it likes, but not where heartbeats get no answer.
      if (code === undefined && lines === this.#prompt) this.#patient.hangUp()
      throw code === undefined ? faultOf(error, `ask the coordinator of group ${groupId}`) : this.#fault(code)
    }
  }

  /** `host:port` of the coordinator. Who waits at any other broker waits in vain, and hears of it. */
  async #find(groupId: string, signal: AbortSignal): Promise<string> {
    if (!this.#isSupported) {
      const versions = await this.#anyBroker.ask(apiVersionsRequest(), signal)
      const apis = [joinGroupApi, syncGroupApi, heartbeatApi, leaveGroupApi]
      if (!apis.every(api => speaks(versions, api))) {
        throw new Configuration(
          'WORKERS_UNSUPPORTED',
          'Kafka: the cluster does not speak the group protocol of Kafka 2.2',
        )
      }
      this.#isSupported = true
    }
    const { host, port } = await this.#anyBroker.ask(findCoordinatorRequest('group', groupId), signal)
    const broker = `${host}:${port}`
    this.#patient.leadTo(broker)
    this.#prompt.leadTo(broker)
    return broker
  }

  /** Throws the Fault of a code that is no standing. */
  #standing(code: number): KafkaGroupStanding {
    const standing = standingByCode[code]
    if (standing === undefined) throw this.#fault(code)
    return standing
  }

  #fault(code: number): Fault {
    const { groupId, sessionTimeoutMs } = this.#terms
    const cause = new BrokerError(code)
    const message = `Kafka: worker group ${groupId}: ${cause.message}`
    switch (code) {
      case 23: // INCONSISTENT_GROUP_PROTOCOL
        return new Configuration(
          'WORKERS_MISMATCH',
          `${message}: its workers have another MongoDB, slot count or release`,
          { cause },
        )
      case 26: // INVALID_SESSION_TIMEOUT
        return new Configuration('WORKERS_SESSION_TIMEOUT', `${message} to ${sessionTimeoutMs} ms`, { cause })
      case groupAuthorizationFailed: {
        const denied = { cause: refusedRequest('JoinGroup', code, groupId) }
        return advised(new Configuration('WORKERS_UNAUTHORIZED', message, denied), this.#settings)
      }
      default:
        return isNoCoordinator(code)
          ? new Retryable('SINK_UNAVAILABLE', message, { cause })
          : faultOf(cause, `worker group ${groupId}`)
    }
  }
}

/** It is loading the group, there is none at present, or it is another broker. */
function isNoCoordinator(code: number): boolean {
  return code === 14 || code === 15 || code === 16
}
