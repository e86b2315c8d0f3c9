import { Writer } from '@platformatic/kafka'
import { answering, fakeServer } from '../wire-fixture.ts'

/** What a fake broker says to one Fetch; undefined: nothing about the partition. */
export interface FakeFetch {
  readonly errorCode?: number
  readonly highWatermark?: bigint
  readonly lastStableOffset?: bigint
  readonly records?: Buffer
}

export interface FakeFetchQuestion {
  readonly version: number
  readonly offset: bigint
  readonly limitBytes: number
}

export interface FakeBrokerOptions {
  /** Highest version of Fetch; 0: it speaks none. */
  readonly fetchVersion?: number
  /** By number of the question, from 0. `at`: -1 latest, -2 earliest. */
  readonly offset?: (index: number, at: bigint) => { readonly errorCode?: number; readonly offset?: bigint }
  readonly fetch?: (index: number, question: FakeFetchQuestion) => FakeFetch | undefined
  /** By number of the question, from 0. Absent: it does not speak Produce. */
  readonly produce?: (index: number) => { readonly errorCode?: number; readonly offset?: bigint }
  /** Port of the leader that Metadata names, by number of the question; undefined: there is none. */
  readonly leader?: (index: number, own: number) => number | undefined
}

const apis = { produce: 0, fetch: 1, listOffsets: 2, metadata: 3, apiVersions: 18 }
const topic = 't'

/** A broker of topic `t`, partition 0, that says what a test wants to hear. `asked` has the API keys, in order. */
export async function fakeBroker(options: FakeBrokerOptions) {
  const asked: number[] = []
  const answers: Record<number, (index: number, version: number, body: Buffer, port: number) => Writer> = {
    [apis.apiVersions]: () => apiVersions(options.fetchVersion ?? 10, options.produce !== undefined),
    [apis.produce]: index => {
      const { errorCode = 0, offset = -1n } = options.produce?.(index) ?? {}
      return produced(errorCode, offset)
    },
    [apis.metadata]: (index, _version, _body, port) => metadata(options.leader ? options.leader(index, port) : port),
    [apis.listOffsets]: (index, _version, body) => {
      const { errorCode = 0, offset = -1n } = options.offset?.(index, body.readBigInt64BE(body.length - 8)) ?? {}
      return listOffsets(errorCode, offset)
    },
    [apis.fetch]: (index, version, body) => {
      const at = 21 + (version === 10 ? 8 : 0) + 2 + topic.length + 8 + (version === 10 ? 4 : 0)
      const question = { version, offset: body.readBigInt64BE(at), limitBytes: body.readInt32BE(12) }
      return fetched(version, options.fetch?.(index, question))
    },
  }
  const server = await fakeServer(socket => {
    answering(socket, (_index, request) => {
      const [apiKey, version] = [request.readInt16BE(0), request.readInt16BE(2)]
      const index = asked.filter(key => key === apiKey).length
      asked.push(apiKey)
      const body = request.subarray(10 + request.readInt16BE(8))
      return answers[apiKey]?.(index, version, body, server.address.port).buffer
    })
  })
  return Object.assign(server, { asked, name: `127.0.0.1:${server.address.port}` })
}

function apiVersions(fetchVersion: number, producing: boolean): Writer {
  const ranges = [
    ...(producing ? [[apis.produce, 3, 13]] : []),
    ...(fetchVersion > 0 ? [[apis.fetch, 0, fetchVersion]] : []),
    ...[apis.listOffsets, apis.metadata, apis.apiVersions].map(key => [key, 0, 8]),
  ]
  const put = (w: Writer, range: number[]) => {
    for (const value of range) w.appendInt16(value)
  }
  return Writer.create().appendInt16(0).appendArray(ranges, put, false, false)
}

/** The broker is 7, the leader may be 8. */
function metadata(leader: number | undefined): Writer {
  const brokers = leader === undefined ? [] : [leader]
  const putBroker = (w: Writer, port: number) => {
    w.appendInt32(7).appendString('127.0.0.1', false).appendInt32(port).appendString(null, false)
  }
  const putPartition = (w: Writer) => {
    w.appendInt16(0)
      .appendInt32(0)
      .appendInt32(leader === undefined ? -1 : 7)
      .appendInt32(0)
    for (let list = 0; list < 3; list += 1) w.appendInt32(0)
  }
  const putTopic = (w: Writer) => {
    w.appendInt16(0)
      .appendString(topic, false)
      .appendBoolean(false)
      .appendArray([0], putPartition, false, false)
      .appendInt32(0)
  }
  return Writer.create()
    .appendInt32(0)
    .appendArray(brokers, putBroker, false, false)
    .appendString(null, false)
    .appendInt32(7)
    .appendArray([0], putTopic, false, false)
    .appendInt32(0)
}

function ofTopic(writer: Writer, putPartition: (w: Writer) => void): Writer {
  const putTopic = (w: Writer) => {
    w.appendString(topic, false).appendArray([0], putPartition, false, false)
  }
  return writer.appendArray([0], putTopic, false, false)
}

function listOffsets(errorCode: number, offset: bigint): Writer {
  return ofTopic(Writer.create().appendInt32(0), w => {
    w.appendInt32(0).appendInt16(errorCode).appendInt64(-1n).appendInt64(offset)
  })
}

function produced(errorCode: number, offset: bigint): Writer {
  return ofTopic(Writer.create(), w => {
    w.appendInt32(0).appendInt16(errorCode).appendInt64(offset).appendInt64(-1n)
  }).appendInt32(0)
}

function fetched(version: number, answer: FakeFetch | undefined): Writer {
  const writer = Writer.create().appendInt32(0)
  if (version === 10) writer.appendInt16(0).appendInt32(0)
  if (answer === undefined) return writer.appendInt32(0)
  const { errorCode = 0, highWatermark = -1n, lastStableOffset = highWatermark, records = Buffer.alloc(0) } = answer
  return ofTopic(writer, w => {
    w.appendInt32(0).appendInt16(errorCode).appendInt64(highWatermark).appendInt64(lastStableOffset)
    if (version === 10) w.appendInt64(0n)
    w.appendInt32(0).appendInt32(records.length).append(records)
  })
}
