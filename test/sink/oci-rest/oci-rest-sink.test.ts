import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Configuration, PoisonEvent, Retryable } from '../../../src/errors.ts'
import { packRecords } from '../../../src/record-headers.ts'
import { clientOf, HurriedClock, never, record, storedByKey } from './fixture.ts'
import { OciServer } from './oci-server.ts'

const spec = { partitions: undefined, replication: undefined, config: {} }
let server: OciServer
let streams = 0
let topic = ''

beforeAll(async () => {
  server = await OciServer.open()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})
beforeEach(() => {
  server.behaviour = {}
  server.mostAtOnce = 0
  server.requests.length = 0
  topic = `s${streams++}`
  server.create(topic, 3)
})

const puts = () => server.requests.filter(request => request.startsWith('POST') && request.endsWith('/messages')).length

/** Numbers and keys by turns: `a b c a b c …` */
const records = (count: number, keys = 3) =>
  packRecords(Array.from({ length: count }, (_, n) => record(topic, `k${n % keys}`, n)))

describe('the sink', () => {
  test('stores every record with its metadata inside, tombstones too, and resolves then', async () => {
    using client = clientOf(server)
    await using sink = client.sink()
    expect(await sink.partitions(topic, spec, never)).toBe(3)
    const tombstone = record(topic, 'gone', 7, null)
    await sink.send(packRecords([record(topic, 'one', 1, '{"a":1}'), record(topic, 'two', 2, '{}'), tombstone]), never)
    const values = server
      .stored(topic)
      .flat()
      .map(({ value }) => Buffer.from(value, 'base64').toString())
    const m2k = (n: number) => {
      const position = `00000001${n.toString(16).padStart(16, '0')}00`
      return { op: 'u', source: 'd/p/0', position, ts: 5, doc: 'exact' }
    }
    const objects = values.map(value => JSON.parse(value) as Record<string, unknown>)
    expect(objects).toHaveLength(3)
    expect(objects).toContainEqual({ m2k: m2k(1), a: 1 })
    expect(objects).toContainEqual({ m2k: m2k(2) })
    expect(objects).toContainEqual({ m2k: m2k(7) })
  })

  test('one message of a key at a time, many keys in a request, a bounded number of requests at once', async () => {
    using client = clientOf(server)
    await using sink = client.sink({ requests: 2 })
    await sink.partitions(topic, spec, never)
    const both = Promise.withResolvers<undefined>()
    server.behaviour = {
      request: () => {
        if (server.atOnce === 2) both.resolve(undefined)
        return both.promise
      },
    }
    const fill = 'x'.repeat(90_000)
    const large = Array.from({ length: 100 }, (_, n) => record(topic, `k${n}`, n, `{"x":"${fill}"}`))
    await sink.send(packRecords(large), never)
    expect(puts()).toBe(10) // Eleven of them are more than 1 MB.
    expect(server.mostAtOnce).toBe(2)
    await sink.send(records(30), never)
    expect(puts()).toBe(20) // Ten of each key.
    expect([...storedByKey(server, topic).values()].flat()).toHaveLength(130)
  })

  test('an entry that fails inside of 200 goes again before anything later of its key', async () => {
    using client = clientOf(server)
    await using sink = client.sink()
    await sink.partitions(topic, spec, never)
    let refusals = 4
    server.behaviour = {
      message: key =>
        key === 'k1' && refusals-- > 0 ? { error: '429', errorMessage: 'next request can be made in 1 ms' } : undefined,
    }
    await sink.send(records(9), never)
    expect(storedByKey(server, topic)).toEqual(
      new Map([
        ['k0', [0, 3, 6]],
        ['k1', [1, 4, 7]],
        ['k2', [2, 5, 8]],
      ]),
    )
  })

  test('the wait that the service names is waited, of an entry and of a whole request', async () => {
    const clock = new HurriedClock()
    using client = clientOf(server, clock)
    await using sink = client.sink({ requests: 1 })
    await sink.partitions(topic, spec, never)
    const words = 'Request was throttled because bytes limit exhausted, next request can be made in 453 ms'
    let fates = 1
    let isEarly = false
    let refusedMs = 0
    server.behaviour = {
      message: () => {
        if (refusedMs > 0 && clock.nowMs() < refusedMs + 453) isEarly = true
        if (fates-- <= 0) return undefined
        refusedMs = clock.nowMs()
        return { error: '429', errorMessage: words }
      },
    }
    await sink.send(records(1), never)
    expect(isEarly).toBe(false)
    expect(clock.sleptMs.filter(ms => ms >= 453 && ms < 600)).toHaveLength(1)
    let whole = 1
    server.behaviour = { request: () => (whole-- > 0 ? { kind: 'throttled', retryAfter: '7' } : undefined) }
    await sink.send(records(1), never)
    expect(clock.sleptMs.filter(ms => ms >= 7_000 && ms < 7_200)).toHaveLength(1)
  })

  test.each([
    ['a connection that breaks', { kind: 'reset', isStored: true }, 'SINK_UNAVAILABLE'],
    ['an error of the service', { kind: 'error', status: 503, isStored: false }, 'SINK_UNAVAILABLE'],
    [
      'a right that is missing',
      { kind: 'error', status: 404, code: 'NotAuthorizedOrNotFound', isStored: false },
      'SINK_OCI_UNAUTHORIZED',
    ],
  ] as const)('%s ends the sink, and nothing is sent again from here', async (_, fate, code) => {
    using client = clientOf(server)
    await using sink = client.sink({ requests: 1 })
    await sink.partitions(topic, spec, never)
    server.behaviour = { request: () => fate }
    await expect(sink.send(records(9), never)).rejects.toMatchObject({ code })
    await expect(sink.send(records(1), never)).rejects.toMatchObject({ code })
    expect(puts()).toBe(1)
  })

  test('a stream that stores nothing for long is given up, to be tried again from the checkpoint', async () => {
    using client = clientOf(server)
    await using sink = client.sink()
    await sink.partitions(topic, spec, never)
    server.behaviour = { message: () => ({ error: '429', errorMessage: 'in 5 ms' }) }
    const sending = sink.send(records(3), never)
    await expect(sending).rejects.toThrow(Retryable)
    await expect(sending).rejects.toThrow(/stored nothing of the last 20 requests/)
    expect(puts()).toBe(20)
  })

  test('a wait of more than five minutes is not sat out', async () => {
    using client = clientOf(server)
    await using sink = client.sink()
    await sink.partitions(topic, spec, never)
    server.behaviour = { message: () => ({ error: '429', errorMessage: 'next request can be made in 300001 ms' }) }
    await expect(sink.send(records(1), never)).rejects.toThrow(/names a wait of 300001 ms/)
  })

  test.each([
    ['a key of 257 bytes', 257, 10, /longer than 256/],
    ['more than 1 MiB', 256, (1 << 20) - 256, /more than 1048576/],
  ])('%s is refused before it is sent, named by its position', async (_, keyBytes, valueBytes, message) => {
    using client = clientOf(server)
    await using sink = client.sink()
    await sink.partitions(topic, spec, never)
    const value = `{"x":"${'x'.repeat(valueBytes - 8)}"}`
    const sending = sink.send(packRecords([record(topic, 'k'.repeat(keyBytes), 3, value)]), never)
    await expect(sending).rejects.toThrow(PoisonEvent)
    await expect(sending).rejects.toThrow(message)
    await expect(sending).rejects.toMatchObject({
      code: 'SINK_OCI_LIMIT',
      record: { topic, keyBytes, position: record(topic, '', 3).headers['m2k.position'] },
    })
    await expect(sending).rejects.not.toThrow(/kkk|xxx/)
    expect(puts()).toBe(0)
  })

  test('a request that is refused whole is divided, down to the message to blame', async () => {
    using client = clientOf(server)
    await using sink = client.sink({ requests: 1 })
    await sink.partitions(topic, spec, never)
    server.behaviour = {
      request: (_, count) => (count > 2 ? { kind: 'error', status: 413, isStored: false } : undefined),
    }
    await sink.send(records(8, 8), never)
    expect([...storedByKey(server, topic).values()].flat()).toHaveLength(8)
    server.behaviour = { request: () => ({ kind: 'error', status: 400, code: 'InvalidParameter', isStored: false }) }
    const sending = sink.send(records(2, 2), never)
    await expect(sending).rejects.toThrow(PoisonEvent)
    await expect(sending).rejects.toMatchObject({ code: 'SINK_OCI_REJECTED', record: { keyBytes: 2 } })
  })

  test('an error of one entry that will not pass is a poisoned event', async () => {
    using client = clientOf(server)
    await using sink = client.sink()
    await sink.partitions(topic, spec, never)
    server.behaviour = { message: key => (key === 'k1' ? { error: '400', errorMessage: 'no' } : undefined) }
    const sending = sink.send(records(3), never)
    await expect(sending).rejects.toThrow(PoisonEvent)
    await expect(sending).rejects.toMatchObject({ code: 'SINK_OCI_REJECTED' })
  })

  test('aborting sends nothing more, lets what is on the wire arrive, and only then rejects', async () => {
    using client = clientOf(server)
    await using sink = client.sink({ requests: 1 })
    await sink.partitions(topic, spec, never)
    const arrived = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<undefined>()
    server.behaviour = {
      request: () => {
        arrived.resolve()
        return answer.promise
      },
    }
    const stop = new AbortController()
    const sending = sink.send(records(9), stop.signal)
    let isRejected = false
    const rejected = expect(sending.finally(() => (isRejected = true))).rejects.toThrow('enough')
    await arrived.promise
    stop.abort(new Error('enough'))
    await new Promise(resolve => setImmediate(resolve))
    expect(isRejected).toBe(false)
    answer.resolve(undefined)
    await rejected
    expect(puts()).toBe(1)
    expect([...storedByKey(server, topic).values()].flat()).toHaveLength(3)
  })

  test('disposing cuts a request that is never answered', async () => {
    using client = clientOf(server)
    const sink = client.sink()
    await sink.partitions(topic, spec, never)
    const arrived = Promise.withResolvers<void>()
    server.behaviour = {
      request: () => {
        arrived.resolve()
        return new Promise(() => {})
      },
    }
    const rejected = expect(sink.send(records(3), never)).rejects.toThrow('the sink was closed')
    await arrived.promise
    await sink[Symbol.asyncDispose]()
    await rejected
  })

  test('a request that is not answered in time ends the sink', async () => {
    const clock = new HurriedClock()
    using client = clientOf(server, clock)
    await using sink = client.sink()
    await sink.partitions(topic, spec, never)
    server.behaviour = {
      request: () => {
        clock.passDeadlines()
        return new Promise(() => {})
      },
    }
    const sending = sink.send(records(1), never)
    await expect(sending).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    await expect(sending).rejects.toThrow(/did not answer within 20000 ms/)
  })

  test('a bound on what is queued, and on what was never asked for', async () => {
    using client = clientOf(server)
    await using sink = client.sink({ queueLimitBytes: 10 })
    await sink.partitions(topic, spec, never)
    server.behaviour = { request: () => new Promise(() => {}) }
    const first = expect(sink.send(records(9), never)).rejects.toThrow(Configuration)
    const second = expect(sink.send(records(9), never)).rejects.toThrow(/more than 10 bytes queued/)
    const closing = sink[Symbol.asyncDispose]()
    await Promise.all([first, second, closing])
    await using other = client.sink()
    await expect(other.send(records(1), never)).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  test('a login that has expired is renewed once, a refused one is for a person', async () => {
    using client = clientOf(server)
    await using sink = client.sink()
    await sink.partitions(topic, spec, never)
    const { principal } = client
    const renew = principal.refresh.bind(principal)
    server.acceptedKeyId = 'the next one'
    principal.refresh = async () => {
      server.acceptedKeyId = server.keyId
      await renew()
    }
    await sink.send(records(3), never)
    expect(principal.renewals).toBe(1)
    server.acceptedKeyId = 'another'
    principal.refresh = renew
    await expect(sink.send(records(3), never)).rejects.toMatchObject({ code: 'SINK_OCI_AUTH' })
    server.acceptedKeyId = server.keyId
  })

  test('a login that never ends is bounded, and cut by disposing', async () => {
    const clock = new HurriedClock()
    using client = clientOf(server, clock)
    await using sink = client.sink()
    await sink.partitions(topic, spec, never)
    const asked = Promise.withResolvers<void>()
    client.principal.credentials = () => {
      asked.resolve()
      return new Promise(() => {})
    }
    const late = expect(sink.send(records(1), never)).rejects.toMatchObject({ code: 'SINK_UNREACHABLE' })
    await asked.promise
    clock.passDeadlines()
    await late
    using other = clientOf(server)
    const second = other.sink()
    await second.partitions(topic, spec, never)
    other.principal.credentials = client.principal.credentials
    const cut = expect(second.send(records(1), never)).rejects.toThrow('the sink was closed')
    await second[Symbol.asyncDispose]()
    await cut
  })
})
