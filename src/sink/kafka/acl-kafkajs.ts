import { type Admin, type AdminConfig, Kafka, type KafkaConfig, type Producer, type ProducerConfig } from 'kafkajs'
import { type DeniedApi, denialOf } from './acl.ts'
import { advised } from './acl-advice.ts'
import { faultOf, protocolCode } from './classify.ts'
import type { KafkaSettings } from './settings.ts'

/** kafkajs, whose errors do not say which topic a right is lacking for: what we ask it for names it. */
export class AdvisingKafka extends Kafka {
  readonly #settings: KafkaSettings

  constructor(config: KafkaConfig, settings: KafkaSettings) {
    super(config)
    this.#settings = settings
  }

  override admin(config?: AdminConfig): Admin {
    const admin = super.admin(config)
    return {
      ...admin,
      createTopics: options =>
        this.#ask('CreateTopics', options.topics.map(({ topic }) => topic).join(', '), admin.createTopics(options)),
      fetchTopicMetadata: options =>
        this.#ask('Metadata', options?.topics?.join(', ') ?? '', admin.fetchTopicMetadata(options)),
      describeConfigs: options =>
        this.#ask(
          'DescribeConfigs',
          options.resources.map(({ name }) => name).join(', '),
          admin.describeConfigs(options),
        ),
    }
  }

  override producer(config?: ProducerConfig): Producer {
    const producer = super.producer(config)
    return {
      ...producer,
      connect: () => this.#ask('InitProducerId', '', producer.connect()),
      send: record => this.#ask('Produce', record.topic, producer.send(record)),
      sendBatch: batch =>
        this.#ask(
          'Produce',
          (batch.topicMessages ?? []).map(({ topic }) => topic).join(', '),
          producer.sendBatch(batch),
        ),
    }
  }

  async #ask<T>(api: DeniedApi, name: string, asking: Promise<T>): Promise<T> {
    try {
      return await asking
    } catch (error) {
      const denial = denialOf(api, protocolCode(error) ?? 0, name)
      if (denial === undefined || !(error instanceof Error)) throw error
      throw advised(faultOf(Object.assign(error, { denial }), `${api} ${name}`.trim()), this.#settings)
    }
  }
}
