import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { engineAddress, engineAnswers } from '../../src/services/container-engine.ts'

const never = new AbortController().signal
/** A clock on which the engine's time is never over, so that the test does not depend on how fast the machine is. */
const patient = {
  ...systemClock,
  sleep: (_ms: number, signal?: AbortSignal) => {
    return new Promise<void>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  },
}

/** An engine on a socket of its own. */
async function engine(listener: RequestListener) {
  const directory = await mkdtemp(join(tmpdir(), 'm2k-engine-'))
  const socketPath = join(directory, 'docker.sock')
  const server: Server = createServer(listener).listen(socketPath)
  await once(server, 'listening')
  return {
    env: { DOCKER_HOST: `unix://${socketPath}` },
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await rm(directory, { recursive: true })
    },
  }
}

test.each([
  [{}, { socketPath: '/var/run/docker.sock' }],
  [{ DOCKER_HOST: '' }, { socketPath: '/var/run/docker.sock' }],
  [{ DOCKER_HOST: 'unix:///run/user/1000/podman.sock' }, { socketPath: '/run/user/1000/podman.sock' }],
  [{ DOCKER_HOST: 'tcp://build:2375' }, { host: 'build', port: 2375, tls: false }],
  [{ DOCKER_HOST: 'tcp://build' }, { host: 'build', port: 2375, tls: false }],
  [{ DOCKER_HOST: 'tcp://[::1]:1234' }, { host: '::1', port: 1234, tls: false }],
  [{ DOCKER_HOST: 'http://build:80/' }, { host: 'build', port: 80, tls: false }],
  [{ DOCKER_HOST: 'https://build' }, { host: 'build', port: 2376, tls: true }],
  [
    { DOCKER_HOST: 'tcp://build', DOCKER_TLS_VERIFY: '1' },
    { host: 'build', port: 2376, tls: true },
  ],
  [{ DOCKER_HOST: 'ssh://me@build' }, undefined],
  [{ DOCKER_HOST: 'nonsense' }, undefined],
])('%j: the engine is at %j', (env, address) => {
  expect(engineAddress(env)).toEqual(address)
})

test('an engine that answers to /_ping', async () => {
  const asked: string[] = []
  await using there = await engine((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.end('OK')
  })
  expect(await engineAnswers(there.env, never, patient)).toBe(true)
  expect(asked).toEqual(['GET /_ping'])
})

test.each([[500], [404]])('what answers %i is none', async status => {
  await using there = await engine((_, response) => response.writeHead(status).end())
  expect(await engineAnswers(there.env, never, patient)).toBe(false)
})

test('nobody there, no address', async () => {
  expect(await engineAnswers({ DOCKER_HOST: 'unix:///nowhere/docker.sock' }, never, patient)).toBe(false)
  expect(await engineAnswers({ DOCKER_HOST: 'ssh://me@build' }, never, patient)).toBe(false)
})

test('one that does not answer is not waited for', async () => {
  const asked = Promise.withResolvers<void>()
  await using there = await engine(() => asked.resolve())
  const clock = { ...systemClock, sleep: () => asked.promise }
  expect(await engineAnswers(there.env, never, clock)).toBe(false)
})

test('an abort ends the asking', async () => {
  const stop = new AbortController()
  await using there = await engine(() => stop.abort(new Error('enough')))
  await expect(engineAnswers(there.env, stop.signal, patient)).rejects.toThrow('enough')
})

test('one that speaks TLS is believed when it takes the connection', async () => {
  const server = createTcpServer(socket => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const env = { DOCKER_HOST: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, DOCKER_TLS_VERIFY: '1' }
  expect(await engineAnswers(env, never, patient)).toBe(true)
  server.close()
  await once(server, 'close')
  expect(await engineAnswers(env, never, patient)).toBe(false)
})
