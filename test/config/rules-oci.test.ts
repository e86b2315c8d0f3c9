import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { InvalidConfig } from '../../src/config/problem.ts'
import { ociRules } from '../../src/config/rules-oci.ts'

const pool = 'ocid1.streampool.oc1..a'

function load(sink: string, rest = 'checkpoint: { store: file, path: /tmp/x }') {
  const text = `
name: shop
mongodb: { uri: "mongodb://localhost/" }
sink: ${sink}
${rest}
pipelines: [{ name: a, source: { collections: [a.b] }, topic: t }]
`
  return loadConfig('f.yaml', { text, env: {}, overrides: [], readFile: () => '' })
}

function problems(sink: string, rest?: string): string[] {
  try {
    load(sink, rest)
    return []
  } catch (error) {
    if (error instanceof InvalidConfig) return error.problems.map(({ path, message }) => `${path}: ${message}`)
    throw error
  }
}

test('oci-rest needs a pool, and the rest has defaults', () => {
  const { sink } = load(`{ type: oci-rest, oci: { streamPoolId: ${pool} } }`)
  expect(sink.oci).toEqual({
    streamPoolId: pool,
    region: undefined,
    endpoint: undefined,
    auth: { type: 'config-file', configFile: undefined, profile: undefined },
    retentionHours: 24,
    requests: 4,
  })
  expect(load('{ brokers: [b:1] }').sink.oci).toBeUndefined()
})

test('what does not go together is named', () => {
  const oci = `streamPoolId: ${pool}`
  expect(problems('{ type: oci-rest }')).toEqual([expect.stringMatching(/^sink.oci: is missing/)])
  expect(problems(`{ brokers: [b:1], oci: { ${oci} } }`)).toEqual([expect.stringMatching(/^sink.oci: only for/)])
  expect(problems('{ type: oci-rest, oci: { streamPoolId: pool } }')).toEqual([expect.stringMatching(/an OCID/)])
  const auth = 'auth: { type: instance-principal, profile: P }'
  expect(problems(`{ type: oci-rest, oci: { ${oci}, ${auth} } }`)).toEqual([
    expect.stringMatching(/^sink.oci.auth.profile/),
  ])
  const rest = 'delivery: exactly-once\nworkers: { coordination: kafka }'
  const found = problems(`{ type: oci-rest, oci: { ${oci} } }`, rest).map(each => each.split(':')[0])
  expect(found.sort()).toEqual(['checkpoint.store', 'delivery', 'workers.coordination'])
})

test.each([
  ['http://127.0.0.1:8080', 0],
  ['http://localhost:1', 0],
  ['https://streaming.eu-frankfurt-1.oci.oraclecloud.com', 0],
  ['http://streaming.eu-frankfurt-1.oci.oraclecloud.com', 1],
  ['http://localhost.evil.com', 1],
])('plain text for this machine alone: %s', (endpoint, count) => {
  const root = { sink: { type: 'oci-rest', oci: { endpoint } } }
  expect(ociRules(root)).toHaveLength(count)
})
