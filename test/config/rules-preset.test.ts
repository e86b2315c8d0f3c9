import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { formatProblem, InvalidConfig } from '../../src/config/problem.ts'

const rest = `mongodb: { uri: "mongodb://db/" }
pipelines: [{ name: orders, source: { collections: [shop.orders] } }]
`
const inMongo = 'checkpoint: { store: mongodb, uri: "mongodb://db/", database: other }\n'

function problems(preset: string, settings: string, sink = ''): string[] {
  const text = `name: shop\nsink: { brokers: [b:9092], preset: ${preset}${sink} }\n${settings}${rest}`
  try {
    loadConfig('f', { text, env: {}, overrides: [], readFile: () => '' })
    return []
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    return error.problems.map(formatProblem)
  }
}

test.each(['kafka', 'oci-kafka', 'msk', 'redpanda', 'confluent-cloud'])('%s takes what Apache Kafka takes', preset => {
  expect(problems(preset, 'delivery: exactly-once\n', ', producer: { compression: zstd }')).toEqual([])
})

test.each(['oci-streaming', 'event-hubs'])(
  '%s keeps no checkpoints and has no transactions, and says what does',
  preset => {
    expect(problems(preset, inMongo)).toEqual([])
    const stored = problems(preset, '')
    expect(stored).toHaveLength(1)
    expect(stored[0]).toMatch(/checkpoint\.store: .* cannot keep checkpoints.* set store: mongodb with uri/)
    expect(problems(preset, `delivery: exactly-once\n${inMongo}`).join('\n')).toMatch(
      /delivery: .* has no transactions: set delivery: at-least-once/,
    )
  },
)

test('compression, the client and the name of a preset are checked', () => {
  const lz4 = ', producer: { compression: lz4 }'
  expect(problems('event-hubs', inMongo, lz4).join()).toMatch(/does not take lz4: set none or gzip$/)
  expect(problems('oci-streaming', inMongo, lz4).join()).toMatch(/set none, or set sink\.probeTopic to find out/)
  expect(problems('oci-streaming', inMongo, `${lz4}, probeTopic: probes`)).toEqual([])
  expect(problems('oci-streaming', inMongo, ', client: platformatic').join()).toMatch(/sink\.client: .* set it to auto/)
  expect(problems('oci-stream', inMongo).join()).toMatch(/sink\.preset: .*oci-streaming/)
})

test('a topic that shall be compacted is refused where topics are not', () => {
  const compacted = 'defaults: { topicConfig: { cleanup.policy: "compact,delete" } }\n'
  expect(problems('oci-streaming', inMongo + compacted).join()).toMatch(
    /cleanup\.policy.*: OCI Streaming does not compact topics/,
  )
  for (const preset of ['kafka', 'event-hubs']) expect(problems(preset, inMongo + compacted)).toEqual([])
})
