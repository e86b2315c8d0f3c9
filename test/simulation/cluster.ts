import type { Fault } from '../../src/errors.ts'
import { Daemon, type DaemonOptions, type Owners, type Run } from './daemon.ts'
import { Operator } from './operator.ts'
import type { Mischief, Place, Process } from './schedule.ts'
import { transactionalIdOf } from './sinks.ts'
import { retain, writeForeign } from './target.ts'

/** How long a process that is stopped is away. */
const frozenMs = 15_000

export interface ClusterOptions extends Omit<DaemonOptions, 'owners' | 'onFault'> {
  readonly daemons: 'one' | 'two' | 'workers'
}

/**
 * The daemons of one deployment and whoever starts them again: Kubernetes for processes, and where workers share the
 * slots a group coordinator that hands them over, or gives those of a worker it has not heard of to another.
 */
export class Cluster {
  starts = 0
  /** Whether every pipeline that ended did so without a fault. */
  isClean = true
  readonly #options: ClusterOptions
  readonly #owners: Owners | undefined
  readonly #daemons: Daemon[] = []
  /** What was stopped because all had arrived. */
  #stopped: readonly Run[] | undefined
  readonly #starting = new Set<number>()
  readonly #operator: Operator
  /** All was stopped once, after a backup was put in the place of what there was. */
  #hasLookedAgain = false

  constructor(options: ClusterOptions) {
    const { schedule, world, store } = options
    this.#options = options
    this.#operator = new Operator(world, store)
    schedule.onThaw = () => world.time.reach(world.time.steadyMs + frozenMs)
    this.#owners = options.daemons === 'workers' ? { owner: new Map(), lostAt: new Map() } : undefined
    schedule.onMischief = (mischief, place) => this.#play(mischief, place)
  }

  begin(): void {
    const { world, daemons, schedule } = this.#options
    const first = this.#spawn()
    const second = daemons === 'workers' ? this.#spawn() : first
    for (let slot = 0; slot < world.slots; slot++) this.#give(slot, slot % 2 === 0 ? first : second)
    if (daemons === 'two') void schedule.step('second copy').then(() => this.#spawnWithAll())
    this.#beginForeign()
    if (world.isReadBack) void writeForeign(world, schedule)
  }

  /** Looks for what has ended and has it started again, after a while. */
  look(): void {
    for (let slot = 0; slot < this.#options.world.slots; slot++) {
      if (this.#starting.has(slot) || this.#stopped || this.#isWorkedOn(slot)) continue
      this.#starting.add(slot)
      void this.#options.schedule.step('restart').then(() => this.#restart(slot))
    }
  }

  /**
   * Nothing moves any more. Where every slot is worked on, all has been read and settled: they are stopped, and that
   * must end cleanly on each slot, or it goes on once more; so it does where it was not the last that has taken the
   * slot over, but one that has had nothing to write since: in the middle of a replay the last one may have been stopped.
   */
  rest(): 'finished' | 'goes on' {
    const { world, store } = this.#options
    const slots = Array.from({ length: world.slots }, (_, slot) => slot)
    if (!this.#stopped) {
      if (slots.some(slot => this.#timeOut(slot))) return 'goes on'
      if (!slots.every(slot => this.#isWorkedOn(slot))) return 'goes on'
      this.#stopped = this.#daemons.filter(({ process }) => process.isAlive).flatMap(({ runs }) => [...runs.values()])
      this.#stopped = this.#stopped.filter(run => !run.isOver)
      for (const run of this.#stopped) run.stop.abort()
      return 'goes on'
    }
    const stopped = this.#stopped.filter(({ process }) => process.isAlive)
    if (stopped.some(run => !run.isOver)) throw new Error('a pipeline does not end')
    // A store that compares decides by itself who was last; the sink's fence then follows it.
    const isLast = (run: Run) =>
      store === 'comparing' ? world.stored.get(run.slot)?.writer === run : run.opened === world.lastOpened.get(run.slot)
    const isClean = slots.every(slot => stopped.some(run => run.slot === slot && !run.fault && isLast(run)))
    if (isClean && !this.#mustLookAgain()) return 'finished'
    this.#stopped = undefined
    for (const daemon of this.#daemons) daemon.process.isAlive = false
    return 'goes on'
  }

  /** Whoever is behind MongoDB's back must say so, at the next start at the latest. */
  #mustLookAgain(): boolean {
    const { world } = this.#options
    const ahead = new Set([...world.takenBack, ...this.#operator.ahead()])
    if (ahead.size === 0) return false
    for (const slot of this.#hasLookedAgain ? ahead : []) {
      world.violations.push(`G8: slot ${slot} rests at a position that MongoDB no longer has, and does not say so`)
    }
    const isFirst = !this.#hasLookedAgain
    this.#hasLookedAgain = true
    return isFirst
  }

  /** A transaction that is left open runs out at last; somebody may be waiting for its end. */
  #timeOut(slot: number): boolean {
    const { kafka } = this.#options.world
    const open = kafka.open(transactionalIdOf(slot))
    if (open) kafka.timeOut(open)
    return open !== undefined
  }

  #isWorkedOn(slot: number): boolean {
    for (const { process, runs } of this.#daemons) {
      const run = runs.get(slot)
      if (!run || !process.isAlive) continue
      if (run.fault) this.isClean = false
      if (!run.isOver) return true
    }
    return false
  }

  #restart(slot: number): void {
    this.#starting.delete(slot)
    if (this.#stopped || this.#isWorkedOn(slot)) return
    this.#give(slot, this.#able() ?? this.#spawn())
  }

  #give(slot: number, daemon: Daemon): void {
    const { schedule } = this.#options
    const before = this.#owners?.owner.get(slot)
    if (before && before !== daemon.process) this.#owners?.lostAt.set(`${before.name}/${slot}`, schedule.turn)
    this.#owners?.owner.set(slot, daemon.process)
    daemon.take(slot)
  }

  /** A daemon that can take a slot. */
  #able(except?: Process): Daemon | undefined {
    const able = this.#daemons.filter(({ process, isStopping }) => {
      return process.isAlive && !process.isFrozen && !isStopping && process !== except
    })
    return able[Math.floor(this.#options.schedule.random() * able.length)]
  }

  #spawn(): Daemon {
    const { world } = this.#options
    const onFault = (slot: number, fault: Fault): void => {
      if (fault.code === 'SOURCE_FROM_FUTURE') world.takenBack.delete(slot)
      if (!this.#isWorkedOn(slot)) this.#operator.mend(slot, fault)
    }
    const daemon = new Daemon(`d${++this.starts}`, { ...this.#options, owners: this.#owners, onFault })
    this.#daemons.push(daemon)
    return daemon
  }

  #spawnWithAll(): void {
    if (this.#stopped) return
    const daemon = this.#spawn()
    for (let slot = 0; slot < this.#options.world.slots; slot++) daemon.take(slot)
  }

  #play(mischief: Mischief, { process, slot }: Place): void {
    const { schedule, world } = this.#options
    if (mischief === 'stop') this.#daemons.find(daemon => daemon.process === process)?.stop()
    if (mischief === 'clock') world.time.setByMs += schedule.random() < 0.5 ? -3_600_000 : 20_000
    if (mischief === 'crash' || mischief === 'freeze') this.#miss(process)
    if (mischief === 'move') this.#move(slot, process)
    if (mischief === 'expire') this.#expire(slot, process)
    if (mischief === 'stale-leader') void world.kafka.replaceLeaders()
    if (mischief === 'damage') this.#operator.damage(slot)
    if (mischief === 'election') world.mongo.elect()
    if (mischief === 'overwrite') world.mongo.overwrite()
    if (mischief === 'restore') this.#restoreBackup()
    if (mischief === 'retention') retain(world, schedule)
  }

  #restoreBackup(): void {
    const { world } = this.#options
    world.mongo.restore()
    for (let change = world.mongo.written + 1; change <= world.history.length; change++) world.excused.add(change)
    for (const slot of this.#operator.ahead()) world.takenBack.add(slot)
  }

  /** Its servers hear nothing of a process any more: its transactions run out, and so does its session. */
  #miss(process: Process): void {
    const { schedule, world } = this.#options
    const daemon = this.#daemons.find(each => each.process === process)
    for (const slot of daemon?.runs.keys() ?? []) {
      const transaction = world.kafka.open(transactionalIdOf(slot))
      if (transaction) void schedule.step('transaction timeout').then(() => world.kafka.timeOut(transaction))
      if (process.isAlive) void schedule.step('session timeout').then(() => this.#expire(slot, process))
    }
  }

  /** The two rounds of a hand-over: first the owner drains, then the other takes. */
  #move(slot: number, process: Process): void {
    const daemon = this.#daemons.find(each => each.process === process)
    if (this.#owners?.owner.get(slot) === process) daemon?.release(slot) // The restart gives it to anyone.
  }

  /** The slot goes to another; its owner hears of it later. */
  #expire(slot: number, process: Process): void {
    const { schedule } = this.#options
    if (!this.#owners || this.#stopped || this.#owners.owner.get(slot) !== process) return
    const old = this.#daemons.find(each => each.process === process)
    const other = this.#able(process) ?? this.#spawn()
    if (!other.has(slot)) this.#give(slot, other)
    void schedule.step('heartbeat').then(() => {
      if (this.#owners?.owner.get(slot) !== process) old?.release(slot)
    })
  }

  /** Another pipeline's transaction in the same partition of the checkpoints: it hides what is committed behind it. */
  #beginForeign(): void {
    const { schedule, world } = this.#options
    if (schedule.random() < 0.5) return
    void schedule.step('foreign transaction').then(async () => {
      const slot = Math.floor(schedule.random() * world.slots)
      const log = world.kafka.checkpoints[slot]!
      const id = 'sim.items.0'
      const epoch = world.kafka.fence(id)
      const transaction = world.kafka.add(id, epoch, log)
      const entry = { key: 'items', change: 0, slot, writer: 0, checkpoint: undefined, transaction }
      log.append(id, epoch, [entry])
      for (let i = Math.floor(schedule.random() * 60); i >= 0; i--) await schedule.step('foreign transaction goes on')
      world.kafka.commit(id, epoch)
    })
  }
}
