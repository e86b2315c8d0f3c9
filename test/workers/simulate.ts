import { longestDrainMs, type Mutant, sessionTimeoutMs, World } from './world.ts'

export interface Outcome {
  readonly violations: readonly string[]
  readonly faults: number
  readonly takes: number
  readonly confirms: number
  readonly lost: number
  /** From the last fault to every slot in good hands and balanced. */
  readonly recoveryMs: number
}

/** What may be left of two sessions when the last fault ends, and what the rounds after it take. */
export const recoveryLimitMs = 2 * sessionTimeoutMs + 3 * longestDrainMs + 5_000

/** Some workers, faults at random, and peace at the end. */
export async function simulate(seed: number, mutant: Mutant = {}): Promise<Outcome> {
  const world = new World(seed, 1 + (seed % 9), mutant)
  const { time } = world
  for (let i = 0; i < 2 + (seed % 3); i += 1) world.start(`worker-${i}`)
  await world.pass(time.between(0, 5_000))
  const faults = 3 + Math.floor(time.random() * 6)
  for (let fault = 0; fault < faults; fault += 1) {
    strike(world, fault)
    await world.pass(time.random() < 0.5 ? time.between(0, 300) : time.between(0, 2.5 * sessionTimeoutMs))
  }
  world.isCoordinatorUp = true
  for (const { process } of world.workers) {
    process.heal()
    process.thaw()
  }
  if (world.living.every(({ stop }) => stop.signal.aborted)) world.start('the last')
  const beganMs = time.nowMs()
  await world.pass(sessionTimeoutMs) // Who has just woken up or died may not have been missed yet.
  await world.pass(recoveryLimitMs - sessionTimeoutMs, () => world.isBalanced)
  const recoveryMs = time.nowMs() - beganMs
  if (!world.isBalanced) world.violations.push(`not recovered after ${recoveryMs} ms`)
  await world.pass(sessionTimeoutMs)
  if (!world.isBalanced) world.violations.push('restless')
  await stopAll(world)
  const { violations, takes, confirms, lost } = world
  return { violations: violations.slice(0, 5), faults, takes, confirms, lost, recoveryMs }
}

async function stopAll(world: World): Promise<void> {
  const left = world.living
  for (const { stop } of left) stop.abort()
  await world.pass(recoveryLimitMs, () => left.every(({ isEnded }) => isEnded))
  for (const { isEnded, process } of left) if (!isEnded) world.violations.push(`${process.name} does not end`)
}

/** One fault, or the end of one. */
function strike(world: World, number: number): void {
  const { time, coordinator } = world
  const pick = Math.floor(time.random() * 8)
  const worker = world.living[Math.floor(time.random() * world.living.length)]
  if (worker === undefined || pick === 0) {
    // Half of them come back under a name that was there before.
    world.start(time.random() < 0.5 ? `new-${number}` : `worker-${Math.floor(time.random() * 4)}`)
    return
  }
  const { process } = worker
  if (pick === 1) worker.stop.abort()
  else if (pick === 2) process.kill()
  else if (pick === 3) {
    if (process.isFrozen) process.thaw()
    else process.freeze()
  } else if (pick === 4) {
    if (process.isCut) process.heal()
    else process.cutOff()
  } else if (pick === 5) process.disconnect()
  else {
    // Another broker coordinates, after a while without any.
    coordinator.moves()
    for (const each of world.workers) each.process.disconnect()
    world.isCoordinatorUp = false
    time.after(time.between(0, sessionTimeoutMs / 2), () => {
      world.isCoordinatorUp = true
    })
  }
}
