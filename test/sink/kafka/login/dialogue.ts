import type { Login } from '../../../../src/sink/kafka/login/login.ts'
import { never } from '../fixture.ts'

/** Leads a login against `answers`, the broker's: what was said. Rejects as the dialogue does. */
export async function lead(login: Login, answer: (said: Buffer, index: number) => Buffer): Promise<Buffer[]> {
  const dialogue = login.begin(never)
  const said: Buffer[] = []
  for (let next = await dialogue.next(); next.done !== true; ) {
    said.push(next.value)
    next = await dialogue.next(answer(next.value, said.length - 1))
  }
  return said
}
