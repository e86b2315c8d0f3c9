import { setTimeout as sleep } from 'node:timers/promises'

/** Asks every 50 ms until the answer is true. The limit is a safety net and not what is tested. */
export async function until(ask: () => boolean | Promise<boolean>, what: string, limitMs = 120_000): Promise<void> {
  const deadlineMs = Date.now() + limitMs
  while (!(await ask())) {
    if (Date.now() > deadlineMs) throw new Error(`never came: ${what}`)
    await sleep(50)
  }
}

/** Settles when all have; with the first error of the list, if there is any. */
export async function settle(promises: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(promises)
  await Promise.all(promises)
}
