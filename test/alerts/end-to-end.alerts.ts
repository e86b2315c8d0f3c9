import { type Collection, type Db, MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { type AlertSettings, defaults, type RuleSettings, rulesOf } from '../../helm/alerts/rules.ts'
import { rows } from '../../helm/dashboard/dashboard.ts'
import { startBroker } from '../../src/services/broker.ts'
import { Daemon } from '../integration/daemon.ts'
import { options } from '../services/servers.ts'
import { AlertWatch } from './alert-watch.ts'
import { PrometheusServer } from './prometheus-server.ts'

interface Counter {
  readonly _id: number
  readonly n: number
}

/** Of eight scrapes: the slope of the lag is told from them, also where some come late. */
const window = '40s'
/** So short that a fault is told within a minute; what the rules are worth with the real ones is promtool's affair. */
const impatient = { for: '0s', window }
const settings: RuleSettings = {
  ...defaults,
  alerts: {
    ...defaults.alerts,
    lagHigh: faster('lagHigh', { lagSeconds: 10 }),
    stalled: faster('stalled', { lagSeconds: 10 }),
    pipelineNotRunning: faster('pipelineNotRunning', {}),
  },
}

function faster(key: string, thresholds: AlertSettings): AlertSettings {
  return { ...defaults.alerts[key], ...impatient, ...thresholds }
}

/** Changes a document all the time, until it is disposed of. */
function writing(collection: Collection<Counter>): AsyncDisposable {
  const stop = new AbortController()
  const write = async () => {
    while (!stop.signal.aborted) {
      await collection.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { upsert: true })
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  const written = write()
  return {
    [Symbol.asyncDispose]: () => {
      stop.abort()
      return written
    },
  }
}

test('a real Prometheus before a real daemon: each main alert fires while its fault lasts', async () => {
  const name = `alerts${crypto.randomUUID().slice(0, 8)}`
  await using broker = await startBroker(options())
  await using mongo = new MongoClient(inject('mongodbUri'))
  const db = mongo.db(name)
  await using daemon = await startDaemon(db, broker.brokers)
  const target = new URL(await daemon.adminUrl()).host
  await using prometheus = await PrometheusServer.start(target, rulesOf(settings), options())
  const watch = new AlertWatch(prometheus)

  await using _writing = writing(db.collection<Counter>('orders'))
  const delivered = `increase(mongo2kafka_records_total{outcome="acknowledged",pipeline="orders"}[${window}]) > 0`
  await watch.sees(delivered, 'records in two scrapes')
  await watch.ends('Mongo2kafkaStalled', 'orders') // A slow machine may have been late by itself.
  await watch.ends('Mongo2kafkaLagHigh', 'orders')

  broker.freeze()
  const stalled = await watch.fires('Mongo2kafkaStalled', 'orders')
  expect(stalled.labels).toMatchObject({ severity: 'critical', job: 'shop', instance: target })
  expect(stalled.annotations.summary).toMatch(/^Pipeline orders stands still, .*s behind MongoDB\.$/)
  expect(stalled.annotations.runbook_url).toMatch(/\/Mongo2kafkaStalled\.md$/)
  const lagHigh = await watch.fires('Mongo2kafkaLagHigh', 'orders')
  expect(lagHigh.labels).toMatchObject({ severity: 'warning', job: 'shop' })
  broker.thaw()
  await watch.ends('Mongo2kafkaStalled', 'orders')
  await watch.ends('Mongo2kafkaLagHigh', 'orders')

  await watch.ends('Mongo2kafkaPipelineNotRunning', 'strict') // It may have started anew, its broker being frozen.
  await db.collection<Counter>('strict').insertOne({ _id: 1, n: 0 })
  await db.collection<Counter>('strict').updateOne({ _id: 1 }, { $inc: { n: 1 } })
  await daemon.reaches('strict', 'failed')
  const notRunning = await watch.fires('Mongo2kafkaPipelineNotRunning', 'strict')
  expect(notRunning.labels).toMatchObject({ severity: 'critical', instance: target })
  await watch.ends('Mongo2kafkaPipelineNotRunning', 'orders')
  await watch.fires('Mongo2kafkaPipelineNotRunning', 'strict') // And goes on with it.

  expect((await prometheus.rules()).filter(({ health }) => health !== 'ok')).toEqual([])
  await seeDashboard(prometheus, watch)
})

/** A daemon whose pipeline `strict` fails at its first update, since its collection keeps no images. */
async function startDaemon(db: Db, brokers: readonly string[]): Promise<Daemon> {
  const name = db.databaseName
  await db.createCollection('orders')
  await db.createCollection('strict')
  await using starting = new AsyncDisposableStack()
  const daemon = starting.use(
    await Daemon.start(`
name: ${name}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(brokers)} }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
pipelines:
  - { name: orders, source: { collections: [${name}.orders] } }
  - { name: strict, source: { collections: [${name}.strict], fullDocument: required } }
`),
  )
  await daemon.reaches('orders', 'running', 'idle')
  await daemon.reaches('strict', 'running', 'idle')
  starting.move()
  return daemon
}

/** What a daemon without lookups, dead letters, or anything else that went wrong has nothing to say about. */
const emptyWithoutTrouble = /lookups_total|increase\(|predict_linear|sink_errors/

/** Every query of the dashboard can be read, and all that a healthy daemon has to say is shown. */
async function seeDashboard(prometheus: PrometheusServer, watch: AlertWatch): Promise<void> {
  for (const { title, queries } of rows.flatMap(({ panels }) => panels)) {
    for (const { expr } of queries) {
      const chosen = expr.replaceAll(/"\$\w+"/g, '".*"')
      if (emptyWithoutTrouble.test(expr)) await prometheus.count(chosen)
      else await watch.sees(chosen, `something to see in "${title}"`)
    }
  }
}
