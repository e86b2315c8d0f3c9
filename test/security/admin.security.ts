import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../integration/daemon.ts'
import { Setting } from '../integration/setting.ts'
import { countRecords } from '../integration/topics.ts'
import { fuzz } from './schemathesis.ts'
import { Suspect } from './suspect.ts'

const token = 'a-token-of-the-fuzzed-one'
const quietMs = 20_000
const fuzzedSeconds = 60
/** Of the rate that the same run had undisturbed. */
const kept = 0.9

/** Writes a thousand changes a second, as far as the machine lets it, until `stop` aborts. */
async function load(setting: Setting, namespace: string, stop: AbortSignal): Promise<void> {
  let dueMs = Date.now()
  while (!stop.aborted) {
    await setting.writer.write(namespace, 100, 100)
    dueMs = Math.max(dueMs + 100, Date.now() - 1_000) // What it could not do it does later, up to a second's worth.
    await sleep(Math.max(0, dueMs - Date.now()), undefined, { signal: stop }).catch(() => undefined)
  }
}

interface Rates {
  readonly writtenPerSecond: number
  readonly arrivedPerSecond: number
}

test('schemathesis finds nothing, no 5xx among it, and the stream goes on', async () => {
  await using setting = await Setting.create({ documents: 500, collections: ['c'], partitions: 2 })
  const [namespace = ''] = setting.namespaces
  // Without transactions, whose markers would be counted as records.
  const plain = `${setting.config}delivery: at-least-once\n`
  const yaml = plain.replace('admin: { port: 0 }', `admin: { port: 0, token: ${token} }`)
  await using daemon = await Suspect.start(yaml, {})
  await daemon.says('reading changes')
  const stop = new AbortController()
  const writing = load(setting, namespace, stop.signal)
  const measured = async <T>(work: () => Promise<T>): Promise<[T, Rates]> => {
    const [startMs, written, arrived] = [
      Date.now(),
      setting.writer.written,
      await countRecords(setting.brokers, [namespace]),
    ]
    const result = await work()
    const seconds = (Date.now() - startMs) / 1_000
    const more = (await countRecords(setting.brokers, [namespace])) - arrived
    return [
      result,
      { writtenPerSecond: (setting.writer.written - written) / seconds, arrivedPerSecond: more / seconds },
    ]
  }
  await sleep(5_000) // To its speed.
  const [, quiet] = await measured(() => sleep(quietMs))
  const url = `${await daemon.url()}/api/v1/openapi.json`
  const [stranger, under] = await measured(() => fuzz(url, undefined, fuzzedSeconds))
  // With the token it may find out how to pause the pipeline, which is not what the rate is about.
  const owner = await fuzz(url, token, fuzzedSeconds)
  await daemon.answer('/api/v1/pipelines/all/resume', { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  stop.abort()
  await writing
  process.stderr.write(`${stranger.output}\n${owner.output}\n${JSON.stringify({ quiet, under })}\n`)
  for (const { code, output } of [stranger, owner]) {
    expect(output).toMatch(/Operations: +\d\d selected/)
    expect(code, output.slice(-6_000)).toBe(0)
  }
  // The fuzzer takes a core from the writer too: what was written is what could arrive.
  const rateOf = ({ arrivedPerSecond, writtenPerSecond }: Rates) => arrivedPerSecond / writtenPerSecond
  expect(rateOf(under)).toBeGreaterThanOrEqual(kept * rateOf(quiet))
  const all = async () =>
    (await countRecords(setting.brokers, [namespace])) >= setting.writer.written ? true : undefined
  await eventually(all, 'every change in the topic', 120_000)
  expect(daemon.output).not.toMatch(/"level":"error"/)
  expect(await fetch(`${await daemon.url()}/livez`).then(({ status }) => status)).toBe(200)
})
