import { metadataV8, Reader, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { MalformedAnswer } from '../../../../src/sink/kafka/protocol/answer-reader.ts'
import { metadataApi, metadataRequest, oldMetadataApi } from '../../../../src/sink/kafka/protocol/metadata.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

const topics = ['orders', 'größe', 'x.y-z_1']

interface Topic {
  readonly errorCode: number
  readonly name: string
  readonly partitions: { readonly errorCode: number; readonly index: number; readonly leader: number }[]
}

function answerOf(topics: Topic[]): Buffer {
  const brokers = [
    { nodeId: 1, host: 'one.example', port: 9_092, rack: null },
    { nodeId: 7, host: '::1', port: 19_092, rack: 'r' },
  ]
  const numbers = (w: Writer, list: number[]) => w.appendArray(list, (w, n) => w.appendInt32(n), false, false)
  return Writer.create()
    .appendInt32(0)
    .appendArray(
      brokers,
      (w, b) => w.appendInt32(b.nodeId).appendString(b.host, false).appendInt32(b.port).appendString(b.rack, false),
      false,
      false,
    )
    .appendString('cluster', false)
    .appendInt32(1)
    .appendArray(
      topics,
      (w, { errorCode, name, partitions }) => {
        w.appendInt16(errorCode).appendString(name, false).appendBoolean(false)
        w.appendArray(
          partitions,
          (w, p) => {
            w.appendInt16(p.errorCode).appendInt32(p.index).appendInt32(p.leader).appendInt32(4)
            numbers(w, [1, 7])
            numbers(w, [1])
            numbers(w, [])
          },
          false,
          false,
        )
        w.appendInt32(0)
      },
      false,
      false,
    )
    .appendInt32(0).buffer
}

const whole: Topic = {
  errorCode: 0,
  name: 'whole',
  partitions: [
    { errorCode: 0, index: 2, leader: 7 },
    { errorCode: 0, index: 0, leader: 1 },
    { errorCode: 9, index: 1, leader: 1 }, // REPLICA_NOT_AVAILABLE, but led.
  ],
}

describe('a metadata request', () => {
  it('is byte for byte what @platformatic/kafka sends, without creating topics', () => {
    for (const some of [topics, []]) {
      const theirs = metadataV8.createRequest(some, false, false, false)
      if (theirs instanceof Promise) throw new Error('never asynchronous')
      expect(Buffer.concat(metadataRequest(some).encode())).toEqual(theirs.buffer)
    }
    expect(metadataApi).toEqual({ apiKey: metadataV8.api.key, apiVersion: metadataV8.api.version })
  })

  it('is what kafkajs sends in version 6, and two booleans more', async () => {
    const theirs = await kafkaJsBody('metadata/v6', { topics, allowAutoTopicCreation: false })
    expect(Buffer.concat(metadataRequest(topics).encode())).toEqual(Buffer.concat([theirs, Buffer.of(0, 0)]))
  })

  it('is what kafkajs sends in version 4, for brokers that are older', async () => {
    const theirs = await kafkaJsBody('metadata/v4', { topics, allowAutoTopicCreation: false })
    expect(Buffer.concat(metadataRequest(topics, 4).encode())).toEqual(theirs)
    expect(metadataRequest(topics, 4).apiVersion).toBe(oldMetadataApi.apiVersion)
  })
})

describe('the answer to a metadata request', () => {
  it('gives brokers by id and leaders by partition, in the order asked', () => {
    const leaderless = {
      errorCode: 0,
      name: 'leaderless',
      partitions: [
        { errorCode: 5, index: 0, leader: -1 },
        { errorCode: 0, index: 1, leader: 7 },
      ],
    }
    const bytes = answerOf([leaderless, { errorCode: 3, name: 'none', partitions: [] }, whole])
    const metadata = metadataRequest(['whole', 'none', 'leaderless', 'forgotten']).parse(bytes)
    expect([...metadata.brokers]).toEqual([
      [1, { host: 'one.example', port: 9_092 }],
      [7, { host: '::1', port: 19_092 }],
    ])
    expect(metadata.topics).toEqual([
      { topic: 'whole', errorCode: 0, leaders: [1, 1, 7] },
      { topic: 'none', errorCode: 3, leaders: [] },
      { topic: 'leaderless', errorCode: 0, leaders: [-1, 7] },
      { topic: 'forgotten', errorCode: -1, leaders: [] },
    ])
  })

  it('is read as @platformatic/kafka reads it', () => {
    const led = { ...whole, partitions: whole.partitions.map(partition => ({ ...partition, errorCode: 0 })) }
    const bytes = answerOf([led])
    const theirs = metadataV8.parseResponse(1, 3, 8, Reader.from(bytes))
    if (theirs instanceof Promise) throw new Error('never asynchronous')
    const ours = metadataRequest(['whole']).parse(bytes)
    expect(theirs.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])).toEqual([...ours.brokers])
    for (const { partitionIndex, leaderId } of theirs.topics[0]?.partitions ?? []) {
      expect(ours.topics[0]?.leaders[partitionIndex]).toBe(leaderId)
    }
  })

  it('of version 4 has no leader epochs, offline replicas and operations', () => {
    const putPartition = (w: Writer, index: number) => {
      w.appendInt16(0)
        .appendInt32(index)
        .appendInt32(7 + index)
        .appendInt32(1)
        .appendInt32(7)
        .appendInt32(0)
    }
    const putTopic = (w: Writer) => {
      w.appendInt16(0).appendString('t', false).appendBoolean(false).appendArray([0, 1], putPartition, false, false)
    }
    const putBroker = (w: Writer) => {
      w.appendInt32(7).appendString('h', false).appendInt32(9_092).appendString(null, false)
    }
    const bytes = Writer.create()
      .appendInt32(0)
      .appendArray([0], putBroker, false, false)
      .appendString('cluster', false)
      .appendInt32(7)
      .appendArray([0], putTopic, false, false).buffer
    expect(metadataRequest(['t'], 4).parse(bytes)).toEqual({
      brokers: new Map([[7, { host: 'h', port: 9_092 }]]),
      topics: [{ topic: 't', errorCode: 0, leaders: [7, 8] }],
    })
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => metadataRequest(['t'], 4).parse(bytes.subarray(0, length))).toThrow(MalformedAnswer)
    }
  })

  it('that is cut off anywhere, or names a partition that cannot be, is malformed', () => {
    const bytes = answerOf([whole])
    const { parse } = metadataRequest(['whole'])
    // Its last field, cluster_authorized_operations, is of no use and not read.
    for (let length = 0; length < bytes.length - 4; length += 1) {
      expect(() => parse(bytes.subarray(0, length))).toThrow(MalformedAnswer)
    }
    for (const index of [3, -1, 2 ** 31 - 1]) {
      const odd = { ...whole, partitions: [...whole.partitions.slice(1), { errorCode: 0, index, leader: 1 }] }
      expect(() => parse(answerOf([odd]))).toThrow(MalformedAnswer)
    }
  })
})
