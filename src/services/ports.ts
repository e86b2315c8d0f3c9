import { createServer } from 'node:net'
import { systemClock } from '../clock.ts'

// Below Linux's ephemeral range (32768 and up): there an outgoing connection could take the port of a server that
// is down for a moment, and it could not start again on it.
const firstPort = 20_000
const portCount = 12_000
const attemptLimit = 200
const given = new Set<number>()

/** A port of 127.0.0.1 that nobody listens on, and that this process has not given out before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attemptLimit; attempt++) {
    const port = firstPort + Math.floor(systemClock.random() * portCount)
    if (given.has(port)) continue
    if (await canListen(port)) {
      given.add(port)
      return port
    }
  }
  throw new RangeError(`no free port found in ${attemptLimit} attempts from ${firstPort} on`)
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
