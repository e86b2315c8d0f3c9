import type { Mechanism } from 'kafkajs'
import { Fault } from '../../../errors.ts'
import { protocolCode } from '../classify.ts'
import { BrokerError } from '../protocol/broker-error.ts'
import type { Admission } from './admission.ts'
import { refusal } from './log-in.ts'
import type { Login } from './login.ts'

const lengthBytes = 4
const authenticationFailed = 58

/**
 * `login` for kafkajs, which leads it once for each connection and again before a session ends. What kafkajs gives and
 * takes has its length before it, as on the wire before Kafka 1.0.
 */
export function kafkajsLogin(login: Login, admission: Admission | undefined, signal: AbortSignal): Mechanism {
  return {
    mechanism: login.mechanism,
    authenticationProvider: ({ saslAuthenticate }) => ({
      async authenticate() {
        const dialogue = login.begin(signal)
        try {
          for (let said = await dialogue.next(); said.done !== true; ) {
            const request = { encode: () => withLength(said.value as Buffer) }
            const answer = await saslAuthenticate({ request, response })
            said = await dialogue.next(answer ?? Buffer.alloc(0))
          }
          admission?.accepted()
        } catch (error) {
          throw loginError(login, admission, error)
        } finally {
          await dialogue.return()
        }
      },
    }),
  }
}

const response = {
  decode: (bytes: Buffer) => Buffer.from(bytes.subarray(lengthBytes)),
  parse: (bytes: Buffer) => bytes,
}

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes)
  length.writeInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** kafkajs tries again whatever does not say `retriable: false`. */
function loginError(login: Login, admission: Admission | undefined, error: unknown): unknown {
  const code = protocolCode(error)
  const message = error instanceof Error ? error.message : undefined
  const known = code === authenticationFailed ? refusal(login, new BrokerError(code, message)) : error
  if (!(known instanceof Fault)) return error
  const fault = admission?.judge(known) ?? known
  return fault.code === 'SINK_AUTH_FAILED' ? Object.assign(fault, { retriable: false }) : fault
}
