import { type Login, loginRefused } from './login.ts'

/** An access token that is good for a while. Throws a Fault. */
export type TokenSource = (signal: AbortSignal) => Promise<string>

/** Names and values that the broker is told beside the token (KIP-342), such as a cluster's id. */
export type Extensions = Readonly<Record<string, string>>

/** What the client says when it has heard why the broker refuses. */
const heard = Buffer.from('\u0001')

export interface OauthBearerOptions {
  /** For messages: `client cdc`. */
  readonly who: string
  readonly token: TokenSource
  readonly extensions?: Extensions
}

/** SASL OAUTHBEARER: a token that somebody else vouches for. Source: RFC 7628, KIP-255. */
export function oauthBearerLogin({ who, token, extensions = {} }: OauthBearerOptions): Login {
  let principal: string | undefined
  const login: Login = {
    mechanism: 'OAUTHBEARER',
    who,
    get principal() {
      return principal
    },
    async *begin(signal) {
      const word = await token(signal)
      principal = subjectOf(word)
      const pairs = { auth: `Bearer ${word}`, ...extensions }
      const text = Object.entries(pairs).map(([name, value]) => `${name}=${value}\u0001`)
      const refusal = yield Buffer.from(`n,,\u0001${text.join('')}\u0001`)
      if (refusal.length === 0) return
      yield heard // The broker may answer this with an error of its own, which then is what is told.
      throw loginRefused(login, `the broker refuses the token (${statusOf(refusal)})`)
    },
  }
  return login
}

/** `status` of the broker's JSON, of which nothing else is told: it is a stranger's text. */
function statusOf(refusal: Buffer): string {
  try {
    const { status } = JSON.parse(refusal.toString('utf8')) as { status?: unknown }
    return typeof status === 'string' && /^[\w .-]{1,64}$/.test(status) ? status : 'no reason given'
  } catch {
    return 'no reason given'
  }
}

/**
 * The `sub` of a JSON Web Token, which is the principal unless the brokers' `sasl.oauthbearer.sub.claim.name` names
 * another; undefined for other tokens, such as those of AWS. Nothing is verified: that is the brokers' part.
 */
function subjectOf(token: string): string | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as { sub?: unknown }
    return typeof claims.sub === 'string' && /^[\x20-\x7e]{1,256}$/.test(claims.sub) ? claims.sub : undefined
  } catch {
    return undefined
  }
}
