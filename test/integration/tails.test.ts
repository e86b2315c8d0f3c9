import { describe, expect, inject, test } from 'vitest'
import { KafkaProxy, transactionApis } from '../sink/kafka/proxy/proxy.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { judgeHistory } from './history.ts'
import { Setting } from './setting.ts'
import { SharedLog } from './shared-log.ts'

const partitions = 5
const produce = 0
const cutPauseMs = 1_000

/** Two pipelines on two slots, into one topic, with checkpoints in MongoDB that are always some changes behind. */
function configOf({ name, uri }: Setting, brokers: readonly string[], topic: string): string {
  const pipeline = (of: string) => `
  - name: ${of}
    source: { collections: [${name}.*] }
    topic: ${topic}
    partitions: ${partitions}`
  return `
name: ${name}
mongodb: { uri: "${uri}" }
sink: { brokers: ${JSON.stringify(brokers)} }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
workers: { slots: 2 }
checkpoint: { store: mongodb, uri: "${uri}", database: ${name}_state, interval: 700ms }
pipelines:${pipeline('one')}${pipeline('two')}
`
}

async function started(config: string): Promise<Daemon> {
  const daemon = await Daemon.start(config)
  const streams = () => (daemon.output.split('reading changes').length > 4 ? true : undefined)
  await eventually(streams, () => `two pipelines on two slots: ${daemon.output}`)
  return daemon
}

describe('a target without transactions and idempotence, killed between produce and save', () => {
  test('each pipeline brings every change once, in order (decision 10)', { timeout: 600_000 }, async () => {
    await using proxy = await KafkaProxy.open({ brokers: inject('kafkaBrokers'), refused: transactionApis })
    await using setting = await Setting.create({ documents: 100, collections: ['orders'], partitions })
    const [namespace = ''] = setting.namespaces
    const topic = `${setting.name}.all`
    const config = configOf(setting, proxy.brokers, topic)
    const log = new SharedLog(setting.brokers, topic)
    const ofPipeline = (pipeline: string) =>
      log.records.filter(({ source }) => source.startsWith(`${setting.name}/${pipeline}/`))

    let leftOut = 0
    for (let round = 0; round < 5; round++) {
      await using daemon = await started(config)
      await setting.writer.writeWhile(
        namespace,
        async () => {
          const passed = proxy.passed.get(produce) ?? 0
          const enough = () => ((proxy.passed.get(produce) ?? 0) > passed + 20 + 10 * round ? true : undefined)
          await eventually(enough, 'records on their way')
          const retried = () => (/trying again/.test(daemon.output) ? true : undefined)
          if (round === 2) proxy.losing.set(produce, 1) // Taken, and the answer is lost.
          // Again while nothing was on its way when the connections were closed.
          const cut = () => retried() ?? void proxy.drop()
          if (round === 2) await eventually(retried, 'a retry')
          if (round === 3) await eventually(cut, 'a retry', undefined, cutPauseMs)
          leftOut += await alreadyThere(daemon)
          await daemon.stop(round === 1 ? 'SIGTERM' : 'SIGKILL')
        },
        20,
      )
      await log.read()
      await log.addForeign(partitions)
      if (round === 1) await log.retain(3) // Everything is saved, and yet the saved ends lie before what is left.
    }
    await using daemon = await started(config)
    const complete = async () => {
      await log.read()
      const counts = ['one', 'two'].map(pipeline => ofPipeline(pipeline).length)
      return counts.every(count => count >= setting.writer.written) ? true : undefined
    }
    await eventually(complete, `all of ${setting.writer.written} changes, twice`)
    leftOut += await alreadyThere(daemon)
    expect(await daemon.stop('SIGTERM'), daemon.output).toBe(0)
    await log.read()
    for (const pipeline of ['one', 'two']) {
      expect(judgeHistory(setting.writer.journal, ofPipeline(pipeline), false)).toEqual({
        violations: [],
        duplicates: 0,
      })
    }
    expect(new Set(log.records.map(({ source }) => source)).size).toBe(4)
    expect(leftOut, 'no crash left anything behind its checkpoint: the run proves nothing').toBeGreaterThan(0)
  })
})

/** How many records of replays were left out, by the daemon's own count. */
async function alreadyThere(daemon: Daemon): Promise<number> {
  const text = await daemon.text('/metrics')
  const counts = text.matchAll(/records_total\{[^}]*outcome="already-there"[^}]*\} (\d+)/g)
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}
