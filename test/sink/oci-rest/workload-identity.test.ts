import { verify } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../../../src/clock.ts'
import { Configuration, Retryable } from '../../../src/errors.ts'
import { openPrincipal, type Principal } from '../../../src/sink/oci-rest/principal.ts'
import { WorkloadIdentity } from '../../../src/sink/oci-rest/workload-identity.ts'
import { type Granted, PodSurroundings } from './federation.ts'

const data = Buffer.from('data')
/** Not what is tested: however slow the machine is. */
const limitMs = 200_000

function principalIn(
  { environment, directory }: PodSurroundings,
  clock: Clock = systemClock,
  learn: (secret: string) => void = () => {},
): Promise<Principal> {
  const openProvider = async () => new WorkloadIdentity({ environment, directory, clock, learn, limitMs })
  return openPrincipal({ type: 'workload-identity', learn }, openProvider)
}

async function signsBy(principal: Principal, { keyId, publicKey }: Granted): Promise<boolean> {
  const credentials = await principal.credentials()
  return credentials.keyId === keyId && verify('RSA-SHA256', data, publicKey, await credentials.sign(data))
}

test('a pod logs in at a cluster whose authority only its own file names, once for many questions', async () => {
  await using pod = await PodSurroundings.open()
  const learned: string[] = []
  const principal = await principalIn(pod, systemClock, secret => void learned.push(secret))
  const all = await Promise.all([principal.credentials(), principal.credentials()])
  const [granted = expect.fail('nothing was asked')] = pod.tokens.granted
  expect(all.map(({ keyId }) => keyId)).toEqual([granted.keyId, granted.keyId])
  expect(await signsBy(principal, granted)).toBe(true)
  expect(pod.tokens.granted).toHaveLength(1)
  expect(learned).toContain('the first token of the service account')
  expect(learned).toContain(granted.keyId.slice('ST$'.length))
})

test('a session is renewed before it ends, with a new key and the token that Kubernetes has put there since', async () => {
  await using pod = await PodSurroundings.open()
  let nowMs = 1_800_000_000_000
  const principal = await principalIn(pod, { ...systemClock, nowMs: () => nowMs })
  pod.tokens.expires = nowMs / 1_000 + 600
  const first = await principal.credentials()
  await pod.exchange('the second token of the service account')
  nowMs += 569_000
  expect((await principal.credentials()).keyId).toBe(first.keyId)
  nowMs += 1_000
  pod.tokens.expires = nowMs / 1_000 + 600
  const again = await principal.credentials()
  expect(again.keyId).not.toBe(first.keyId)
  expect(await signsBy(principal, pod.tokens.granted[1] ?? expect.fail('not renewed'))).toBe(true)
})

test.each([
  ['refuses', { status: 403, body: '' }, /answered 403: are its workload identities set up\?/],
  ['fails', { status: 500, body: '' }, /answered 500/],
  [
    'gives no token',
    { status: 200, body: Buffer.from('{"token":"secret-but-none"}').toString('base64') },
    /no session token/,
  ],
  ['gives no JSON', { status: 200, body: 'c2VjcmV0' }, /no session token/],
  ['does not stop', { status: 200, body: 'x'.repeat(3 << 20) }, /too long/],
])('a cluster that %s is asked again later, and nothing of its answer is told', async (_, answer, message) => {
  await using pod = await PodSurroundings.open()
  pod.answer = answer
  const principal = await principalIn(pod)
  const asking = principal.credentials()
  await expect(asking).rejects.toThrow(Retryable)
  await expect(asking).rejects.toMatchObject({ code: 'SINK_UNREACHABLE', message: expect.stringMatching(message) })
  await expect(asking).rejects.not.toThrow(/secret/)
  pod.answer = undefined
  expect((await principal.credentials()).keyId).toBe(pod.tokens.granted[0]?.keyId)
})

test('a pod without a service account is told so, for a person to mend', async () => {
  await using pod = await PodSurroundings.open()
  await rm(join(pod.directory, 'token'))
  const asking = (await principalIn(pod)).credentials()
  await expect(asking).rejects.toThrow(Configuration)
  await expect(asking).rejects.toMatchObject({
    code: 'SINK_OCI_AUTH',
    message: expect.stringMatching(/token cannot be read/),
  })
})

test('a cluster of another authority is not trusted', async () => {
  await using pod = await PodSurroundings.open()
  await using other = await PodSurroundings.open()
  const principal = await openPrincipal({ type: 'workload-identity' }, async () => {
    const { environment } = pod
    return new WorkloadIdentity({ environment, directory: other.directory, clock: systemClock, limitMs })
  })
  await expect(principal.credentials()).rejects.toMatchObject({ code: 'SINK_UNREACHABLE' })
  expect(pod.tokens.granted).toEqual([])
})

test('a cluster that does not answer is given up after a while', async () => {
  await using pod = await PodSurroundings.open()
  pod.silent = true
  const { environment, directory } = pod
  const openProvider = async () => new WorkloadIdentity({ environment, directory, clock: systemClock, limitMs: 50 })
  const principal = await openPrincipal({ type: 'workload-identity' }, openProvider)
  await expect(principal.credentials()).rejects.toMatchObject({
    code: 'SINK_UNREACHABLE',
    message: expect.stringMatching(/did not answer within 50 ms/),
  })
})
