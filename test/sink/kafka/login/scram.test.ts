import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Secret } from '../../../../src/secret.ts'
import { fixedSecret } from '../../../../src/sink/kafka/login/password.ts'
import { type ScramHash, scramLogin } from '../../../../src/sink/kafka/login/scram.ts'
import { lead } from './dialogue.ts'

const password = fixedSecret(new Secret('pencil'))
const refused = { name: 'Configuration', code: 'SINK_AUTH_FAILED' }
const none = Buffer.alloc(0)

it('is the example of RFC 7677', async () => {
  const nonce = () => 'rOprNGfwEbeRWgbNEkqO'
  const login = scramLogin({ hash: 'sha256', username: 'user', password, nonce })
  const answers = [
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  ]
  const said = await lead(login, (_, index) => Buffer.from(answers[index]!))
  expect(said.map(String)).toEqual([
    'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  ])
})

/** A server that checks the proof by RFC 5802, section 3, and answers with its own signature or `e=`. */
function server(hash: ScramHash, username: string, word: string) {
  const salt = Buffer.from('0123456789abcdef')
  const salted = pbkdf2Sync(word, salt, 4_096, hash === 'sha256' ? 32 : 64, hash)
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  let first = ''
  let challenge = ''
  return (said: Buffer, index: number): Buffer => {
    if (index === 0) {
      first = said.toString('utf8').slice(3)
      const [, name, nonce] = /^n=([^,]*),r=(.*)$/.exec(first)!
      expect(name!.replaceAll('=2C', ',').replaceAll('=3D', '=')).toBe(username)
      challenge = `r=${nonce}more,s=${salt.toString('base64')},i=4096`
      return Buffer.from(challenge)
    }
    const [, bare, proof] = /^(.*),p=([^,]*)$/.exec(said.toString('utf8'))!
    const message = `${first},${challenge},${bare}`
    const stored = createHash(hash).update(hmac(salted, 'Client Key')).digest()
    const key = Buffer.from(hmac(stored, message).map((byte, i) => byte ^ Buffer.from(proof!, 'base64')[i]!))
    if (!createHash(hash).update(key).digest().equals(stored)) return Buffer.from('e=invalid-proof')
    return Buffer.from(`v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`)
  }
}

it('logs in with any name and password, and with no other password', async () => {
  const texts = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(text => text.isWellFormed())
  const hashes = fc.constantFrom<ScramHash>('sha256', 'sha512')
  await fc.assert(
    fc.asyncProperty(hashes, texts, texts, texts, async (hash, username, word, other) => {
      const login = scramLogin({ hash, username, password: fixedSecret(new Secret(word)) })
      expect(await lead(login, server(hash, username, word))).toHaveLength(2)
      fc.pre(other !== word)
      await expect(lead(login, server(hash, username, other))).rejects.toMatchObject(refused)
    }),
    { numRuns: 20 },
  )
})

it.each([
  ['another nonce', 'r=strange,s=AAAA,i=4096'],
  ['only our own nonce', 'r=own,s=AAAA,i=4096'],
  ['no salt', 'r=own1,i=4096'],
  ['too few iterations', 'r=own1,s=AAAA,i=4095'],
  ['iterations for hours', 'r=own1,s=AAAA,i=2000000000'],
  ['iterations that are no number', 'r=own1,s=AAAA,i=many'],
  ['an extension', 'm=x,r=own1,s=AAAA,i=4096'],
  ['nothing', ''],
])('refuses a challenge with %s', async (_, challenge) => {
  const login = scramLogin({ hash: 'sha256', username: 'u', password, nonce: () => 'own' })
  const error: unknown = await lead(login, () => Buffer.from(challenge)).catch((error: unknown) => error)
  expect(error).toMatchObject(refused)
  expect(String(error)).not.toContain('pencil')
})

it('refuses a server that does not know the password', async () => {
  const login = scramLogin({ hash: 'sha256', username: 'u', password, nonce: () => 'own' })
  const answers = [Buffer.from('r=own1,s=AAAA,i=4096'), Buffer.from('v=AAAA')]
  await expect(lead(login, (_, index) => answers[index] ?? none)).rejects.toMatchObject(refused)
})
