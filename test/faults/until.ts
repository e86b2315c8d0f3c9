import { setTimeout as sleep } from 'node:timers/promises'

/** Asks every 20 ms until the answer is true. The limit is a safety net and not what is tested. */
export async function until(ask: () => boolean | Promise<boolean>, what: string, limitMs: number): Promise<void> {
  const deadlineMs = Date.now() + limitMs
  while (!(await ask())) {
    if (Date.now() > deadlineMs) throw new Error(`never came: ${what}`)
    await sleep(20)
  }
}
