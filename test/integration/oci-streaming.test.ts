import { expect, inject, test } from 'vitest'
import { KafkaProxy, transactionApis } from '../sink/kafka/proxy/proxy.ts'
import { Daemon, eventually } from './daemon.ts'
import { Setting } from './setting.ts'

const apis = { produce: 0, fetch: 1, metadata: 3 }
const partitions = 3

/** As OCI Streaming is documented, and where nothing is documented, as strict as it could be. */
const behaviour = {
  refused: transactionApis,
  versions: { [apis.produce]: 5, [apis.fetch]: 4, [apis.metadata]: 5 },
  requestLimitBytes: 1 << 20,
  produce: { headers: 'refuse', codecs: [0], partitionBytesPerSecond: 1_000_000, beyond: 'error' },
} as const

test('a daemon with preset oci-streaming says its plan and loses nothing, whatever is closed', {
  timeout: 300_000,
}, async () => {
  await using proxy = await KafkaProxy.open({ brokers: inject('kafkaBrokers'), ...behaviour })
  await using setting = await Setting.create({ documents: 50, collections: ['orders'], partitions })
  const { name, uri, namespaces } = setting
  const [namespace = ''] = namespaces
  const daemon = await Daemon.start(`
name: ${name}
mongodb: { uri: "${uri}" }
sink: { preset: oci-streaming, brokers: ${JSON.stringify(proxy.brokers)} }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
checkpoint: { store: mongodb, uri: "${uri}", database: ${name}_state }
pipelines:
  - name: all
    source: { collections: [${name}.*] }
    partitions: ${partitions}
`)
  await using _ = daemon
  await eventually(() => (daemon.output.includes('reading changes') ? true : undefined), `a start: ${daemon.output}`)
  expect(daemon.output).toContain('target: OCI Streaming by kafkajs, delivery: at-least-once, because')
  expect(daemon.output).toContain('so the metadata goes into the value')
  expect(daemon.output).toMatch(
    /MongoDB wrote [\d.]+ MB\/s on average over the [\d.]+ hours.* order at least \d+ in all.* name 3/,
  )
  await setting.writer.writeWhile(
    namespace,
    async () => {
      for (let round = 0; round < 3; round++) {
        await setting.more(namespace, 30)
        proxy.drop()
      }
      await setting.more(namespace, 30)
    },
    20,
  )
  await setting.arrived(daemon)
  expect((await setting.judge(true)).violations).toEqual([])
  expect(await daemon.stop('SIGTERM'), daemon.output).toBe(0)
  expect(proxy.met.refused, 'nothing was sent that the target does not take').toBe(0)
})
