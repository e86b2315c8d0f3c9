import { createRequire } from 'node:module'

interface KafkaJsRequest {
  encode(): Promise<{ readonly buffer: Buffer }>
}

/** The body of a request as kafkajs encodes it: an oracle. `name` is a folder of its sources, `metadata/v6`. */
export async function kafkaJsBody(name: string, fields: object): Promise<Buffer> {
  const create: (fields: object) => KafkaJsRequest = createRequire(import.meta.url)(
    `kafkajs/src/protocol/requests/${name}/request`,
  )
  return (await create(fields).encode()).buffer
}
