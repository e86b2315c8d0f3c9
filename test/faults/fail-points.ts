import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import type { Member } from '../../src/services/services.ts'
import type { Daemon } from './daemon.ts'
import type { Fault } from './fault.ts'
import { command } from './servers.ts'
import type { Session } from './session.ts'

const lastsMs = 5_000

/** What a server can be told to do wrong with a command. */
export interface FailPoint {
  readonly name: string
  readonly commands: readonly string[]
  readonly data: Readonly<Record<string, unknown>>
  /** So often on each member. */
  readonly times: number
  readonly limitMs: number
  readonly mayEndWith?: string
  readonly fits?: (session: Session) => boolean
  /** Only commands for this collection, `database.collection`; default: for any. */
  readonly namespaceOf?: (session: Session) => string
}

/** Met on every member: whichever the command goes to. */
export function failPointFault(point: FailPoint): Fault {
  const { name, commands, times, limitMs, mayEndWith, fits, namespaceOf } = point
  return {
    name,
    recoveryLimitMs: limitMs,
    ...(mayEndWith !== undefined && { mayEndWith }),
    ...(fits !== undefined && { fits }),
    async inject(session) {
      const { members } = session.servers.mongodb
      const before = await triggered(members)
      const stopped = mayEndWith === undefined ? [] : whoSays(session, `"code":"${mayEndWith}"`)
      const where = namespaceOf && { namespace: namespaceOf(session) }
      const data = { failCommands: commands, failInternalCommands: false, ...where, ...point.data }
      const set = (mode: unknown) =>
        Promise.all(members.map(member => command(member, { configureFailPoint: 'failCommand', mode, data })))
      await set({ times })
      await sleep(lastsMs)
      const since = Date.now()
      await set('off')
      const after = await triggered(members)
      // Where only some of its slots met the fault, the process goes on with the others, and these wait for a person.
      const heal = async () => {
        await Promise.all(stopped.map(({ daemon, hasSaid }) => (hasSaid() ? daemon.restart() : undefined)))
      }
      const harm = { bites: () => after > before, heal }
      return mayEndWith === undefined ? { ...harm, recoversSinceMs: since } : harm
    },
  }
}

/** The daemons, each with what tells whether it has said `words` since this call. */
function whoSays({ daemons }: Session, words: string): { readonly daemon: Daemon; readonly hasSaid: () => boolean }[] {
  return daemons.map(daemon => ({ daemon, hasSaid: daemon.listenFor(words) }))
}

/** How often the fail point has been met, over all members. */
async function triggered(members: readonly Member[]): Promise<number> {
  let sum = 0
  for (const { host } of members) {
    await using client = new MongoClient(`mongodb://${host}/?directConnection=true`)
    const answer = await client.db('admin').command({ getParameter: 1, 'failpoint.failCommand': 1 })
    sum += Number(answer['failpoint.failCommand']?.timesEntered ?? 0)
  }
  return sum
}
