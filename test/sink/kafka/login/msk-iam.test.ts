import { createHash, createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { mskIamTokens, presign } from '../../../../src/sink/kafka/login/msk-iam.ts'
import { never } from '../fixture.ts'

const clock = { ...systemClock, nowMs: () => Date.UTC(2015, 7, 30, 12, 36, 0, 123) }
const key = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }

/** Signs the address again, from its own text, by the steps of AWS's documentation. */
function signatureOf(address: string, secret: string): string {
  const url = new URL(address)
  const signed = [...url.searchParams].filter(([name]) => name !== 'X-Amz-Signature' && name !== 'User-Agent')
  const query = signed.map(pair => pair.map(encodeURIComponent).join('=')).join('&')
  expect([...signed].map(([name]) => name)).toEqual(signed.map(([name]) => name).toSorted())
  const hash = (text: string) => createHash('sha256').update(text).digest('hex')
  const request = `GET\n/\n${query}\nhost:${url.host}\n\nhost\n${hash('')}`
  const [date, region, service, end] = url.searchParams.get('X-Amz-Credential')!.split('/').slice(1)
  const scope = [date, region, service, end].join('/')
  const subject = `AWS4-HMAC-SHA256\n${url.searchParams.get('X-Amz-Date')}\n${scope}\n${hash(request)}`
  let current: Buffer = Buffer.from(`AWS4${secret}`)
  for (const step of [date, region, service, end, subject])
    current = createHmac('sha256', current).update(step!).digest()
  return current.toString('hex')
}

it('signs a connect for fifteen minutes, also with temporary keys', async () => {
  for (const sessionToken of [undefined, 'a/token+with=signs']) {
    const token = await mskIamTokens({ region: 'eu-central-1', key: async () => ({ ...key, sessionToken }), clock })(
      never,
    )
    expect(token).toMatch(/^[\w-]+$/)
    const address = Buffer.from(token, 'base64url').toString('utf8')
    const { host, searchParams } = new URL(address)
    expect(host).toBe('kafka.eu-central-1.amazonaws.com')
    expect(Object.fromEntries(searchParams)).toEqual({
      Action: 'kafka-cluster:Connect',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': 'AKIDEXAMPLE/20150830/eu-central-1/kafka-cluster/aws4_request',
      'X-Amz-Date': '20150830T123600Z',
      'X-Amz-Expires': '900',
      'X-Amz-SignedHeaders': 'host',
      'X-Amz-Signature': signatureOf(address, key.secretAccessKey),
      'User-Agent': 'mongo2kafka',
      ...(sessionToken !== undefined && { 'X-Amz-Security-Token': sessionToken }),
    })
    expect(address).not.toContain(key.secretAccessKey)
  }
})

it('percent-encodes as AWS does', () => {
  const url = presign({ key, region: 'eu-west-1', service: 'kafka-cluster', host: 'h', nowMs: clock.nowMs() })
  expect(url).toContain('https://h/?Action=kafka-cluster%3AConnect&X-Amz-Algorithm=')
  expect(url).toContain('X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Feu-west-1%2Fkafka-cluster%2Faws4_request&')
})
