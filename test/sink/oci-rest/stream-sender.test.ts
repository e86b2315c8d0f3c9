import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Http, NoAnswer } from '../../../src/sink/oci-rest/http.ts'
import { KeyQueues, type Queued } from '../../../src/sink/oci-rest/key-queues.ts'
import { StreamSender } from '../../../src/sink/oci-rest/stream-sender.ts'
import { OciServer } from './oci-server.ts'
import { anyRun, violationsOf } from './runs.ts'

let server: OciServer

beforeAll(async () => {
  server = await OciServer.open()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const runs = { numRuns: 25, seed: 6 }

test('nothing is lost or repeated and keys stay in order, whatever fails (G1, G2)', { timeout: 300_000 }, async () => {
  expect(StreamSender).toBeTypeOf('function')
  await fc.assert(
    fc.asyncProperty(anyRun, async run => {
      expect(await violationsOf(run, server)).toEqual([])
    }),
    runs,
  )
})

/** Broken senders: the runs above must tell. */
const mutants: Readonly<Record<string, () => void>> = {
  'several messages of a key in one request': () => {
    vi.spyOn(KeyQueues.prototype, 'push').mockImplementation(function (
      this: KeyQueues<unknown>,
      message: Queued<unknown>,
    ) {
      every.set(this, [...(every.get(this) ?? []), message])
    })
    vi.spyOn(KeyQueues.prototype, 'take').mockImplementation(function (this: KeyQueues<unknown>) {
      return (every.get(this) ?? []).splice(0)
    })
    vi.spyOn(KeyQueues.prototype, 'acknowledge').mockImplementation(() => {})
    vi.spyOn(KeyQueues.prototype, 'release').mockImplementation(function (
      this: KeyQueues<unknown>,
      message: Queued<unknown>,
    ) {
      every.get(this)?.unshift(message)
    })
  },
  'a refused message goes behind the others of its key': () => {
    vi.spyOn(KeyQueues.prototype, 'release').mockImplementation(function (this: KeyQueues<unknown>, message) {
      this.push(message)
      this.acknowledge(message)
    })
  },
  'what may have arrived is sent again from here': () => {
    const exchange = Http.prototype.exchange
    vi.spyOn(Http.prototype, 'exchange').mockImplementation(async function (this: Http, ...args) {
      try {
        return await exchange.apply(this, args)
      } catch (error) {
        throw error instanceof NoAnswer ? new NoAnswer(error.message, false) : error
      }
    })
  },
}
const every = new WeakMap<object, Queued<unknown>[]>()

test.each(Object.keys(mutants))('caught: %s', { timeout: 300_000 }, async name => {
  mutants[name]!()
  try {
    const found = await fc.check(
      fc.asyncProperty(anyRun, async run => {
        expect(await violationsOf(run, server)).toEqual([])
      }),
      { ...runs, endOnFailure: true },
    )
    expect(found.failed).toBe(true)
  } finally {
    vi.restoreAllMocks()
  }
})
