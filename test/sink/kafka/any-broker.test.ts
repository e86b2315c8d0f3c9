import { describe, expect, it } from 'vitest'
import { Configuration, Retryable } from '../../../src/errors.ts'
import { AnyBroker, parseAddress } from '../../../src/sink/kafka/any-broker.ts'
import type { BrokerAddress } from '../../../src/sink/kafka/protocol/metadata.ts'
import type { Request } from '../../../src/sink/kafka/protocol/request.ts'
import type { WireConnection } from '../../../src/sink/kafka/wire-connection.ts'
import { never } from './fixture.ts'
import { VirtualTime } from './producer/virtual-time.ts'

const gone = () => new Retryable('SINK_UNAVAILABLE', 'gone')
const question = {} as Request<string>
/** For tests in which no time passes. */
const clock = new VirtualTime(1)

/** A connection that answers with its host's name until it fails or is closed. */
class FakeConnection {
  closed = false
  readonly host: string
  constructor(host: string) {
    this.host = host
  }
  async request(): Promise<string> {
    if (this.closed) throw gone()
    return this.host
  }
  close(): void {
    this.closed = true
  }
}

/** Brokers by host: what opening a connection gives. `opened` has the hosts tried, in order. */
function brokersOf(hosts: Readonly<Record<string, () => FakeConnection | Promise<FakeConnection>>>) {
  const opened: string[] = []
  const bootstrap = Object.keys(hosts).map(host => `${host}:9092`)
  const open = async ({ host }: BrokerAddress) => {
    opened.push(host)
    return (await hosts[host]!()) as unknown as WireConnection
  }
  return { opened, bootstrap, open }
}

const dead = () => Promise.reject(gone())
const alive = (host: string) => () => new FakeConnection(host)

describe('asking any broker', () => {
  it('takes the addresses in turn, and keeps the connection that answers', async () => {
    const { opened, bootstrap, open } = brokersOf({ a: dead, b: dead, c: alive('c'), d: alive('d') })
    using brokers = new AnyBroker({ bootstrap, open, clock })
    expect(await brokers.ask(question, never)).toBe('c')
    expect(await Promise.all([brokers.ask(question, never), brokers.ask(question, never)])).toEqual(['c', 'c'])
    expect(opened).toEqual(['a', 'b', 'c'])
  })

  it('opens one connection for all who ask at once', async () => {
    const { opened, bootstrap, open } = brokersOf({ a: dead, b: alive('b') })
    using brokers = new AnyBroker({ bootstrap, open, clock })
    const asked = Array.from({ length: 5 }, () => brokers.ask(question, never))
    expect(await Promise.all(asked)).toEqual(['b', 'b', 'b', 'b', 'b'])
    expect(opened).toEqual(['a', 'b'])
  })

  it('goes on when the kept connection has died, and comes round to the first address', async () => {
    const connections: FakeConnection[] = []
    const remembered = (host: string) => () => {
      const connection = new FakeConnection(host)
      connections.push(connection)
      return connection
    }
    const { bootstrap, open } = brokersOf({ a: remembered('a'), b: remembered('b') })
    using brokers = new AnyBroker({ bootstrap, open, clock })
    for (const host of ['a', 'b', 'a']) {
      expect(await brokers.ask(question, never)).toBe(host)
      connections.at(-1)?.close()
    }
  })

  it('gives up when no address answers, and begins anew the next time', async () => {
    let isBack = false
    const { opened, bootstrap, open } = brokersOf({
      a: dead,
      b: () => (isBack ? new FakeConnection('b') : dead()),
    })
    using brokers = new AnyBroker({ bootstrap, open, clock })
    await expect(brokers.ask(question, never)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    expect(opened).toEqual(['a', 'b', 'a'])
    isBack = true
    expect(await brokers.ask(question, never)).toBe('b')
  })

  it('tries no other address with a password that is wrong, and keeps nothing of the attempt', async () => {
    let isWrong = true
    const { opened, bootstrap, open } = brokersOf({
      a: () => (isWrong ? Promise.reject(new Configuration('SINK_AUTH_FAILED', 'wrong')) : new FakeConnection('a')),
    })
    using brokers = new AnyBroker({ bootstrap, open, clock })
    await expect(brokers.ask(question, never)).rejects.toMatchObject({ code: 'SINK_AUTH_FAILED' })
    expect(opened).toEqual(['a'])
    isWrong = false
    expect(await brokers.ask(question, never)).toBe('a')
  })

  it('does not repeat a question that the broker answered with an error, even one that passes by itself', async () => {
    let asked = 0
    class Refusing extends FakeConnection {
      override async request(): Promise<string> {
        asked += 1
        throw new Retryable('SINK_UNAVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS')
      }
    }
    const { bootstrap, open } = brokersOf({ a: () => new Refusing('a'), b: alive('b') })
    using brokers = new AnyBroker({ bootstrap, open, clock })
    await expect(brokers.ask(question, never)).rejects.toThrow('COORDINATOR_LOAD_IN_PROGRESS')
    expect(asked).toBe(1)
  })

  it('learns of brokers that no bootstrap address names, and stays with the connection it has', async () => {
    const first = new FakeConnection('a')
    let isFirst = true
    const a = () => {
      if (!isFirst) return dead()
      isFirst = false
      return first
    }
    const { opened, bootstrap, open } = brokersOf({ a, z: alive('z') })
    using brokers = new AnyBroker({ bootstrap: bootstrap.slice(0, 1), open, clock })
    expect(await brokers.ask(question, never)).toBe('a')
    brokers.learn(bootstrap.map(parseAddress))
    expect(await brokers.ask(question, never)).toBe('a')
    first.close()
    expect(await brokers.ask(question, never)).toBe('z')
    expect(opened).toEqual(['a', 'z'])
  })

  it('aborts for one who asks, not for the others', async () => {
    const opening = Promise.withResolvers<FakeConnection>()
    const { opened, bootstrap, open } = brokersOf({ a: () => opening.promise })
    using brokers = new AnyBroker({ bootstrap, open, clock })
    const controller = new AbortController()
    const one = brokers.ask(question, controller.signal)
    const other = brokers.ask(question, never)
    controller.abort(new Error('enough'))
    await expect(one).rejects.toThrow('enough')
    await expect(brokers.ask(question, controller.signal)).rejects.toThrow('enough')
    opening.resolve(new FakeConnection('a'))
    expect(await other).toBe('a')
    expect(opened).toEqual(['a'])
  })

  it('is over with dispose', async () => {
    const connection = new FakeConnection('a')
    const { bootstrap, open } = brokersOf({ a: () => connection })
    const brokers = new AnyBroker({ bootstrap, open, clock })
    expect(await brokers.ask(question, never)).toBe('a')
    brokers[Symbol.dispose]()
    await expect(brokers.ask(question, never)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    expect(connection.closed).toBe(true)
  })
})

/** A connection that never answers until it is closed. */
class FrozenConnection extends FakeConnection {
  readonly #closing = Promise.withResolvers<never>()
  override request(): Promise<string> {
    return this.#closing.promise
  }
  override close(): void {
    super.close()
    this.#closing.reject(gone())
  }
}

describe('asking any broker while one is frozen', () => {
  /** Asks, and lets time pass until there is an answer; it, and how long it took. */
  async function timed(brokers: AnyBroker, time: VirtualTime) {
    const startMs = time.nowMs()
    let answer: unknown
    void brokers.ask(question, never).then(
      got => (answer = got),
      error => (answer = error),
    )
    await time.run(() => answer !== undefined)
    return { answer, tookMs: time.nowMs() - startMs }
  }

  it('asks the next one as well after a moment, and goes on with that one', async () => {
    const time = new VirtualTime(1)
    const frozen = new FrozenConnection('a')
    const { opened, bootstrap, open } = brokersOf({ a: () => frozen, b: alive('b'), c: alive('c') })
    using brokers = new AnyBroker({ bootstrap, open, clock: time })
    expect(await timed(brokers, time)).toEqual({ answer: 'b', tookMs: 1_500 })
    expect(frozen.closed).toBe(true)
    expect(await timed(brokers, time)).toEqual({ answer: 'b', tookMs: 0 })
    expect(opened).toEqual(['a', 'b'])
  })

  it('also where not even a connection comes about', async () => {
    const time = new VirtualTime(1)
    const { bootstrap, open } = brokersOf({
      a: () => new Promise(() => {}),
      b: () => new Promise(() => {}),
      c: alive('c'),
    })
    using brokers = new AnyBroker({ bootstrap, open, clock: time })
    expect(await timed(brokers, time)).toEqual({ answer: 'c', tookMs: 3_000 })
  })

  it('takes the answer of the first where it was only slow', async () => {
    const time = new VirtualTime(1)
    class Slow extends FakeConnection {
      override async request(): Promise<string> {
        await time.sleep(2_000)
        return super.request()
      }
    }
    const { opened, bootstrap, open } = brokersOf({ a: () => new Slow('a'), b: () => new FrozenConnection('b') })
    using brokers = new AnyBroker({ bootstrap, open, clock: time })
    expect(await timed(brokers, time)).toEqual({ answer: 'a', tookMs: 2_000 })
    expect(opened).toEqual(['a', 'b'])
  })

  it('waits for the only one there is', async () => {
    const time = new VirtualTime(1)
    const slow = async () => {
      await time.sleep(4_000)
      return new FakeConnection('a')
    }
    const { opened, bootstrap, open } = brokersOf({ a: slow })
    using brokers = new AnyBroker({ bootstrap, open, clock: time })
    expect(await timed(brokers, time)).toEqual({ answer: 'a', tookMs: 4_000 })
    expect(opened).toEqual(['a'])
  })

  it('gives up when the limits of all have ended their connections', async () => {
    const time = new VirtualTime(1)
    const limited = (host: string) => () => {
      const connection = new FrozenConnection(host)
      time.after(5_000, () => connection.close())
      return connection
    }
    const { opened, bootstrap, open } = brokersOf({ a: limited('a'), b: limited('b') })
    using brokers = new AnyBroker({ bootstrap, open, clock: time })
    expect(await timed(brokers, time)).toMatchObject({ answer: { code: 'SINK_UNAVAILABLE' }, tookMs: 8_000 })
    expect(opened).toEqual(['a', 'b', 'a'])
  })
})

describe('an address', () => {
  it.each([
    ['kafka-1.example:9092', { host: 'kafka-1.example', port: 9_092 }],
    ['127.0.0.1:1', { host: '127.0.0.1', port: 1 }],
    ['[::1]:19092', { host: '::1', port: 19_092 }],
  ])('%s', (text, address) => {
    expect(parseAddress(text)).toEqual(address)
  })

  it.each(['kafka', 'kafka:', ':9092', 'kafka:65536', 'kafka:x', ''])('"%s" is none', text => {
    expect(() => parseAddress(text)).toThrow(Configuration)
  })
})
