import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { Secret } from '../../../src/secret.ts'
import type { Login } from '../../../src/sink/kafka/login/login.ts'
import { fixedSecret } from '../../../src/sink/kafka/login/password.ts'
import { plainLogin } from '../../../src/sink/kafka/login/plain.ts'
import { scramLogin } from '../../../src/sink/kafka/login/scram.ts'
import type { Tls } from '../../../src/sink/kafka/login/tls.ts'
import { never } from './fixture.ts'

export const passwordMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

export function passwordLogin(mechanism: (typeof passwordMechanisms)[number], username: string, word: string): Login {
  const password = fixedSecret(new Secret(word))
  if (mechanism === 'plain') return plainLogin(username, password)
  return scramLogin({ hash: mechanism === 'scram-sha-256' ? 'sha256' : 'sha512', username, password })
}

/** TLS that stays as it is. */
export function tlsOf(options: SecureContextOptions = {}): Tls {
  const secureContext = createSecureContext(options)
  return { current: () => ({ secureContext, rejectUnauthorized: true }), replaced: never, renewWithinMs: 0 }
}
