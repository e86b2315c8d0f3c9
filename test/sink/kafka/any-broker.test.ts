import { describe, expect, it } from 'vitest'
import { Configuration, Retryable } from '../../../src/errors.ts'
import { AnyBroker, parseAddress } from '../../../src/sink/kafka/any-broker.ts'
import type { BrokerAddress } from '../../../src/sink/kafka/protocol/metadata.ts'
import type { Request } from '../../../src/sink/kafka/protocol/request.ts'
import type { WireConnection } from '../../../src/sink/kafka/wire-connection.ts'
import { never } from './fixture.ts'

const gone = () => new Retryable('SINK_UNAVAILABLE', 'gone')
const question = {} as Request<string>

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
    using brokers = new AnyBroker(bootstrap, open)
    expect(await brokers.ask(question, never)).toBe('c')
    expect(await Promise.all([brokers.ask(question, never), brokers.ask(question, never)])).toEqual(['c', 'c'])
    expect(opened).toEqual(['a', 'b', 'c'])
  })

  it('opens one connection for all who ask at once', async () => {
    const { opened, bootstrap, open } = brokersOf({ a: dead, b: alive('b') })
    using brokers = new AnyBroker(bootstrap, open)
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
    using brokers = new AnyBroker(bootstrap, open)
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
    using brokers = new AnyBroker(bootstrap, open)
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
    using brokers = new AnyBroker(bootstrap, open)
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
    using brokers = new AnyBroker(bootstrap, open)
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
    using brokers = new AnyBroker(bootstrap.slice(0, 1), open)
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
    using brokers = new AnyBroker(bootstrap, open)
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
    const brokers = new AnyBroker(bootstrap, open)
    expect(await brokers.ask(question, never)).toBe('a')
    brokers[Symbol.dispose]()
    await expect(brokers.ask(question, never)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    expect(connection.closed).toBe(true)
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
