import { createServer } from 'node:net'
import { systemClock } from '../clock.ts'

// Below Linux's ephemeral range (32768 and up): there an outgoing connection could take the port of a server that
// is down for a moment, and it could not start again on it.
const firstPort = 20_000
const portCount = 12_000
const attemptLimit = 200
/** Where a port is kept for the process that was given it: an address of this machine that nothing else uses. */
const keepAddress = '127.0.0.2'
const given = new Set<number>()

/**
 * A port of 127.0.0.1 that nobody listens on, and that this process has not given out before. Until this process ends
 * nobody else is given it by this function, also while its server has not started yet, or is down.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attemptLimit; attempt++) {
    const port = firstPort + Math.floor(systemClock.random() * portCount)
    if (given.has(port) || !(await keep(port))) continue
    given.add(port)
    if (await canListen(port)) return port
  }
  throw new RangeError(`no free port found in ${attemptLimit} attempts from ${firstPort} on`)
}

/** false where another process keeps it. Where there is no second loopback address (macOS), nothing is kept. */
function keep(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const keeper = createServer(socket => socket.destroy()).unref()
    keeper.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRNOTAVAIL'))
    keeper.listen({ port, host: keepAddress, exclusive: true }, () => resolve(true))
  })
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
