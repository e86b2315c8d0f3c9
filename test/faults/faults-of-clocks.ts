import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, someDaemon } from './fault.ts'

const hourMs = 3_600_000
const lastsMs = 6_000
/** A wait that is measured by the wall clock may end at once and be begun again. */
const recoveryLimitMs = 5_000

/** Somebody sets the machine's time, and later sets it right. No promise depends on clocks; nothing may even stop. */
export const clockFaults: readonly Fault[] = [
  { name: 'the clock steps an hour forth, and back again', aheadMs: hourMs },
  { name: 'the clock steps an hour back, and forth again', aheadMs: -hourMs },
].map(({ name, aheadMs }) => ({
  name,
  recoveryLimitMs,
  async inject(session) {
    const daemon = someDaemon(session)
    const told = await daemon.stepClock(aheadMs)
    const since = Date.now()
    await sleep(lastsMs)
    const heal = async () => {
      await daemon.stepClock(0)
    }
    return { bites: () => told, heal, recoversSinceMs: since }
  },
}))
