import { AnswerReader } from '../../../../src/sink/kafka/protocol/answer-reader.ts'
import { BodyWriter } from '../../../../src/sink/kafka/protocol/body-writer.ts'
import type { Doorkeeper } from './link.ts'

export interface TopicRules {
  /** The error for a topic with these settings; undefined: it may be. Absent: all may. */
  readonly errorOf?: (config: ReadonlyMap<string, string | null>) => number | undefined
  /** The error for whoever wants more partitions, or asks for it. Absent: the broker's answer. */
  readonly growingError?: number
}

/** The versions of these APIs that kafkajs speaks are all that is understood here. */
const apis = { createTopics: 19, createPartitions: 37 }

/** What of topics a target does not allow, asked for in earnest or with `validate_only`; the rest is the broker's. */
export function topicsKeeper({ errorOf, growingError }: TopicRules): Doorkeeper {
  return {
    meet(apiKey, _version, body) {
      if (apiKey === apis.createPartitions && growingError !== undefined) {
        return answer([onlyTopic(body)], growingError)
      }
      if (apiKey !== apis.createTopics || errorOf === undefined) return 'pass'
      const topics = readTopics(body)
      const error = topics.map(({ config }) => errorOf(config)).find(code => code !== undefined)
      return error === undefined
        ? 'pass'
        : answer(
            topics.map(({ name }) => name),
            error,
          )
    },
  }
}

/** [name num_partitions replication_factor [partition [broker]] [config value]] */
function readTopics(body: Buffer): { readonly name: string; readonly config: ReadonlyMap<string, string | null> }[] {
  const reader = new AnswerReader(body)
  return reader.array(() => {
    const name = reader.string()
    reader.skip(4 + 2)
    reader.array(() => {
      reader.skip(4)
      reader.array(() => reader.skip(4))
    })
    return { name, config: new Map(reader.array(() => [reader.string(), reader.nullableString()] as const)) }
  })
}

/** [topic …], of which our question has one. */
function onlyTopic(body: Buffer): string {
  const reader = new AnswerReader(body)
  if (reader.int32() !== 1) throw new Error('one topic is asked about')
  return reader.string()
}

/** throttle_time_ms [name error_code error_message] */
function answer(names: readonly string[], errorCode: number): Buffer {
  const body = new BodyWriter()
  body.int32(0).array(names, name => body.string(name).int16(errorCode).string(null))
  return body.bytes
}
