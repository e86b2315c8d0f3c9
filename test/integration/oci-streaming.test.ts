import { expect, inject, test } from 'vitest'
import { KafkaProxy } from '../sink/kafka/proxy/proxy.ts'
import { strictTarget } from '../sink/kafka/proxy/strict-target.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { Setting } from './setting.ts'

const partitions = 3

test('a daemon with preset oci-streaming says its plan and loses nothing, whatever is closed', {
  timeout: 300_000,
}, async () => {
  await using proxy = await KafkaProxy.open({ brokers: inject('kafkaBrokers'), ...strictTarget })
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
  const advice = /MongoDB wrote [\d.]+ MB\/s on average over the [\d.]+ hours.* order at least \d+ in all.* name 3/
  await eventually(() => (advice.test(daemon.output) ? true : undefined), `advice: ${daemon.output}`) // Beside the start.
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
