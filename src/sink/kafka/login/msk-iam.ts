import { createHash, createHmac } from 'node:crypto'
import type { Clock } from '../../../clock.ts'
import type { TokenSource } from './oauth-bearer.ts'

/** An access key of AWS. */
export interface AwsKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** The key of now. Throws a Fault. */
export type AwsKeySource = () => Promise<AwsKey>

export interface MskIamOptions {
  readonly region: string
  readonly key: AwsKeySource
  readonly clock: Clock
}

const service = 'kafka-cluster'
/** How long MSK takes the token, which is needed only for the moment of the login. */
const lifeSeconds = 900
const emptyHash = sha256('')

/**
 * Tokens for Amazon MSK: a presigned address of the action kafka-cluster:Connect, signed here without asking anybody.
 * Source: AWS Signature Version 4 (query string), aws/aws-msk-iam-sasl-signer-js.
 */
export function mskIamTokens({ region, key, clock }: MskIamOptions): TokenSource {
  return async () => {
    const url = presign({ key: await key(), region, service, host: hostOf(region), nowMs: clock.nowMs() })
    return Buffer.from(`${url}&User-Agent=mongo2kafka`).toString('base64url')
  }
}

function hostOf(region: string): string {
  return `kafka.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
}

export interface Presigning {
  readonly key: AwsKey
  readonly region: string
  readonly service: string
  readonly host: string
  readonly nowMs: number
}

/** The signed address of `GET /?Action=kafka-cluster:Connect`. */
export function presign({ key, region, service, host, nowMs }: Presigning): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
  const query = canonicalQuery({
    Action: `${service}:Connect`,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${key.accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(lifeSeconds),
    ...(key.sessionToken !== undefined && { 'X-Amz-Security-Token': key.sessionToken }),
    'X-Amz-SignedHeaders': 'host',
  })
  const request = ['GET', '/', query, `host:${host}`, '', 'host', emptyHash].join('\n')
  const subject = ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n')
  const steps = [time.slice(0, 8), region, service, 'aws4_request']
  const signingKey = steps.reduce<Buffer>(hmac, Buffer.from(`AWS4${key.secretAccessKey}`))
  return `https://${host}/?${query}&X-Amz-Signature=${hmac(signingKey, subject).toString('hex')}`
}

/** Names in the order of their bytes, everything but letters, digits and -._~ percent-encoded. */
function canonicalQuery(parameters: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(parameters).map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
  return pairs.sort((a, b) => (a < b ? -1 : 1)).join('&')
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
