import { request } from 'node:http'
import { connect } from 'node:net'
import { type Clock, systemClock } from '../clock.ts'
import type { Environment } from './services.ts'

const usualSocket = '/var/run/docker.sock'
const answerLimitMs = 2_000

/** Where a container engine listens. */
export type EngineAddress =
  | { readonly socketPath: string }
  /** `tls`: it speaks TLS with client certificates there. */
  | { readonly host: string; readonly port: number; readonly tls: boolean }

/** Where DOCKER_HOST says that the engine is, else Docker's usual place; undefined where that is no socket and no TCP. */
export function engineAddress(env: Environment): EngineAddress | undefined {
  const given = env.DOCKER_HOST
  if (!given) return { socketPath: usualSocket }
  if (given.startsWith('unix://')) return { socketPath: given.slice('unix://'.length) }
  const [, host, port] = /^(?:tcp|https?):\/\/\[?([^/]+?)\]?(?::(\d+))?\/?$/.exec(given) ?? []
  if (host === undefined) return undefined
  const tls = given.startsWith('https:') || Boolean(env.DOCKER_TLS_VERIFY)
  return { host, port: Number(port ?? (tls ? 2376 : 2375)), tls }
}

/**
 * Whether a container engine answers, within two seconds: 200 to Docker's `GET /_ping`, which Podman has too. One that
 * speaks TLS is believed when it takes the connection; its certificates are the library's to read.
 */
export async function engineAnswers(
  env: Environment,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<boolean> {
  const address = engineAddress(env)
  if (address === undefined) return false
  const done = new AbortController()
  const patience = new AbortController()
  const waiting = clock.sleep(answerLimitMs, AbortSignal.any([done.signal, signal])).then(
    () => patience.abort(),
    () => {},
  )
  const until = AbortSignal.any([patience.signal, signal])
  try {
    return 'tls' in address && address.tls ? await connects(address, until) : await pings(address, until)
  } finally {
    done.abort()
    await waiting
    signal.throwIfAborted()
  }
}

/** Settles with false at the latest when `signal` aborts. */
function pings(address: EngineAddress, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    const asked = request({ ...address, path: '/_ping', agent: false, signal }, answer => {
      answer.on('error', () => {}) // Of its body nothing is wanted.
      answer.destroy()
      resolve(answer.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
    asked.end()
  })
}

/** Settles with false at the latest when `signal` aborts. */
function connects(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, signal })
    socket.once('connect', () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
  })
}
