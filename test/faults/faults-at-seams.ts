import type { Daemon } from './daemon.ts'
import { type Fault, moment, restartLimitMs } from './fault.ts'
import type { Frames, PassingRequest } from './frames.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

/** Produce and EndTxn, as Kafka numbers its requests, and OP_MSG, as MongoDB does. */
const produce = 0
const endTransaction = 26
const message = 2013

const armLimitMs = 60_000

/** A place between two steps of the daemon at which it is killed, found in what it says to Kafka and MongoDB. */
export interface Seam {
  readonly name: string
  readonly is: (request: PassingRequest, session: Session) => boolean
  /**
   * sent: the request does not reach the server. carried out: it does, and the answer does not come back.
   * answered: the daemon has the answer, and no time for anything else.
   */
  readonly when: 'sent' | 'carried out' | 'answered'
  readonly fits: (session: Session) => boolean
}

const isRecords = ({ apiKey, head }: PassingRequest, session: Session): boolean =>
  apiKey === produce && !head.includes(session.checkpointTopic)
const isCheckpoint = ({ apiKey, head }: PassingRequest, session: Session): boolean =>
  apiKey === produce
    ? head.includes(session.checkpointTopic)
    : apiKey === message && head.includes('findAndModify') && head.includes('formatVersion')
/** EndTxn. */
export const isCommit = ({ apiKey }: PassingRequest): boolean => apiKey === endTransaction
export const commits = ({ mode }: Session): boolean => mode.delivery === 'exactly-once'
const always = (): boolean => true
const savesByRequest = ({ mode }: Session): boolean => mode.store !== 'file'

const seams: readonly Seam[] = [
  { name: 'before records are sent', is: isRecords, when: 'sent', fits: always },
  { name: 'records stored, not acknowledged', is: isRecords, when: 'carried out', fits: always },
  { name: 'records acknowledged', is: isRecords, when: 'answered', fits: always },
  { name: 'before the checkpoint is sent', is: isCheckpoint, when: 'sent', fits: savesByRequest },
  { name: 'checkpoint stored, not acknowledged', is: isCheckpoint, when: 'carried out', fits: savesByRequest },
  { name: 'checkpoint acknowledged', is: isCheckpoint, when: 'answered', fits: savesByRequest },
  { name: 'before the commit is sent', is: isCommit, when: 'sent', fits: commits },
  { name: 'committed, not acknowledged', is: isCommit, when: 'carried out', fits: commits },
  { name: 'commit acknowledged', is: isCommit, when: 'answered', fits: commits },
]

/** Those that the daemons of the session come to. */
export function seamsOf(session: Session): Seam[] {
  return seams.filter(({ fits }) => fits(session))
}

/** The daemon dies at each of them, and just after it has read. */
export const seamFaults: readonly Fault[] = [killedAfterReading(), ...seams.map(killedAt)]

function killedAt(seam: Seam): Fault {
  return {
    name: `killed: ${seam.name}`,
    recoveryLimitMs: restartLimitMs,
    kills: true,
    sparesServers: true,
    fits: seam.fits,
    async inject(session) {
      await moment(session, 500)
      const victim = await killAtSeam(session, seam)
      return { bites: () => victim !== undefined, recoversSinceMs: Date.now() }
    },
  }
}

/** Kills the daemon that comes to the seam first, and gives it; undefined: none came. */
export async function killAtSeam(session: Session, seam: Seam): Promise<Daemon | undefined> {
  const trap = new Trap(seam, session)
  for (const daemon of session.daemons) {
    for (const link of daemon.links) link.watcher = frames => trap.look(frames, daemon)
  }
  await sprung(trap)
  for (const { links } of session.daemons) for (const link of links) link.watcher = undefined
  return trap.victim
}

/** It has a reply with changes, and has done nothing with it, or almost nothing. */
function killedAfterReading(): Fault {
  return {
    name: 'killed: changes read',
    recoveryLimitMs: restartLimitMs,
    kills: true,
    sparesServers: true,
    async inject(session) {
      const links = session.linksTo('mongodb')
      const trap = { isSprung: false }
      for (const link of links) {
        const daemon = session.daemons.find(({ links: own }) => own.includes(link))
        link.onDown = chunk => {
          if (trap.isSprung || !chunk.includes('operationType')) return
          trap.isSprung = true
          setTimeout(() => daemon?.killNow(), session.random() * 5)
        }
      }
      const isSprung = await sprung(trap)
      for (const link of links) link.onDown = undefined
      return { bites: () => isSprung, recoversSinceMs: Date.now() }
    },
  }
}

async function sprung(trap: { readonly isSprung: boolean }): Promise<boolean> {
  await until(() => trap.isSprung, 'the seam', armLimitMs).catch(() => undefined)
  return trap.isSprung
}

/** Waits at a seam, and kills the daemon that comes to it first. */
class Trap {
  readonly #seam: Seam
  readonly #session: Session
  #victim: Daemon | undefined
  /** The requests of each connection whose answer is waited for. */
  readonly #asked = new Map<Frames, Set<number>>()

  constructor(seam: Seam, session: Session) {
    this.#seam = seam
    this.#session = session
  }

  get isSprung(): boolean {
    return this.#victim !== undefined
  }

  get victim(): Daemon | undefined {
    return this.#victim
  }

  look(frames: Frames, daemon: Daemon): 'pass' | 'hold' {
    // It is dying; what it says now nobody hears.
    if (this.#victim !== undefined) return this.#victim === daemon ? 'hold' : 'pass'
    const { is, when } = this.#seam
    const matching = frames.begun.filter(request => is(request, this.#session))
    if (when === 'sent') return matching.length > 0 ? this.#spring('hold', daemon) : 'pass'
    const asked = this.#asked.get(frames) ?? new Set()
    this.#asked.set(frames, asked)
    for (const { correlationId } of matching) asked.add(correlationId)
    if (!frames.answers.some(id => asked.has(id))) return 'pass'
    return this.#spring(when === 'carried out' ? 'hold' : 'pass', daemon)
  }

  #spring(verdict: 'pass' | 'hold', daemon: Daemon): 'pass' | 'hold' {
    this.#victim = daemon
    if (verdict === 'hold') daemon.killNow()
    else setImmediate(() => daemon.killNow()) // The answer is on its way first.
    return verdict
  }
}
