import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type Kafka, type KafkaConfig, logLevel } from 'kafkajs'
import type { Clock } from '../../clock.ts'
import type { Logger } from '../../log.ts'
import { AdvisingKafka } from './acl-kafkajs.ts'
import { clientLog } from './client-log.ts'
import { mendKafkajsErrors } from './kafkajs-errors.ts'
import { mendKafkajsTimers } from './kafkajs-timers.ts'
import { kafkajsLogin } from './login/kafkajs-login.ts'
import type { Tls } from './login/tls.ts'
import type { KafkaSettings } from './settings.ts'

const keepAliveMs = 60_000
const connectionTimeoutMs = 5_000
const authenticationTimeoutMs = 10_000
/** Longer than a broker may wait for its replicas (`ackTimeoutMs`), so that the broker's own answer arrives. */
export const requestTimeoutMs = 15_000
export const ackTimeoutMs = 10_000

/**
 * kafkajs tries for ever and a signal of ours ends it (`cut`). Counted retries nest in kafkajs (connection within
 * metadata within send), so that no number gives a bound that can be stated; and ending an idempotent producer's
 * retries is the caller's decision, who must then throw the producer away.
 */
const retryForEver = { initialRetryTime: 100, maxRetryTime: 1_000, retries: Number.MAX_SAFE_INTEGER }
/** How long a dropped broker gets no new connection. */
const dropMs = 2_000
/** For questions that are asked once: the answer "not reachable" is an answer. */
const retryOnce = { initialRetryTime: 100, maxRetryTime: 500, retries: 1 }

export interface ClientOptions {
  readonly settings: KafkaSettings
  readonly log: Logger
  readonly clock: Clock
  readonly patience: 'for-ever' | 'once'
  readonly onRetry?: () => void
}

/** kafkajs's client together with the sockets of everything that is made of it. */
export interface Client {
  readonly kafka: Kafka
  /**
   * Ends every connection at once and for good: requests fail, retries end, no further byte reaches a broker.
   * kafkajs by itself goes on retrying a send after `disconnect`, and even connects again for it, so that an old
   * batch could land among those of the next producer.
   */
  cut(reason: string): void
  /**
   * Ends the connections to one broker, `host:port`, and refuses new ones for a moment. All that waits for this broker
   * fails at once and asks who leads now: a frozen broker takes connections, and then each request for itself would
   * wait for an answer until its timeout.
   */
  drop(broker: string, reason: string): void
  /** After `cut`. */
  readonly isCut: boolean
}

export function createClient(options: ClientOptions): Client {
  mendKafkajsTimers()
  mendKafkajsErrors()
  const { settings, log, clock, patience, onRetry = () => {} } = options
  const sockets = new Map<Socket, string>()
  const droppedUntilMs = new Map<string, number>()
  const write = clientLog(log, clock, onRetry)
  let cutReason: string | undefined
  const config: KafkaConfig = {
    clientId: settings.clientId,
    // No broker to connect to is the one error that kafkajs does not retry: after a cut its loops end by it.
    brokers: () => (cutReason === undefined ? [...settings.brokers] : []),
    connectionTimeout: connectionTimeoutMs,
    authenticationTimeout: authenticationTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: patience === 'for-ever' ? retryForEver : retryOnce,
    logLevel: logLevel.WARN,
    // After a cut its errors are our own doing.
    logCreator: level => entry => cutReason === undefined && write(level)(entry),
    socketFactory: ({ host, port, onConnect }) => {
      if (cutReason !== undefined) throw new Error(cutReason)
      const broker = `${host}:${port}`
      if (clock.nowMs() < (droppedUntilMs.get(broker) ?? 0)) throw new Error(`${broker} did not answer`)
      const socket = openSocket(host, port, settings.tls, onConnect)
      sockets.set(socket, broker)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  }
  const { login, admission } = settings
  const cutting = new AbortController()
  if (login !== undefined) config.sasl = kafkajsLogin(login, admission, cutting.signal)
  return {
    kafka: new AdvisingKafka(config, settings),
    cut(reason) {
      if (cutReason !== undefined) return
      cutReason = reason
      cutting.abort(new Error(reason))
      // With an error: kafkajs does not notice a plain close, and waits for answers until its request timeout.
      for (const socket of sockets.keys()) socket.destroy(new Error(reason))
    },
    drop(broker, reason) {
      droppedUntilMs.set(broker, clock.nowMs() + dropMs)
      for (const [socket, address] of sockets) if (address === broker) socket.destroy(new Error(reason))
    },
    get isCut() {
      return cutReason !== undefined
    },
  }
}

function openSocket(host: string, port: number, tls: Tls | undefined, onConnect: () => void): Socket {
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const socket = tls
    ? connectTls({ host, port, ...servername, ...tls.current() }, onConnect)
    : connectTcp({ host, port }, onConnect)
  socket.setKeepAlive(true, keepAliveMs)
  socket.setNoDelay(true)
  // kafkajs takes leave of a broken connection once for each request on it, and leaves a listener each time.
  socket.setMaxListeners(0)
  return socket
}
