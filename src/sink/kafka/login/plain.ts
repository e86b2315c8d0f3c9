import { type Login, loginRefused } from './login.ts'
import type { SecretSource } from './password.ts'

/** SASL PLAIN: user and password as they are, so only over TLS. Source: RFC 4616. */
export function plainLogin(username: string, password: SecretSource): Login {
  const login: Login = {
    mechanism: 'PLAIN',
    who: `user ${username}`,
    principal: username,
    async *begin() {
      const word = await password()
      if (word.includes('\0')) throw loginRefused(login, 'the password has a zero byte, which PLAIN cannot carry')
      yield Buffer.from(`\0${username}\0${word}`)
    },
  }
  return login
}
