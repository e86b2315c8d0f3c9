import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../integration/daemon.ts'
import { Setting } from '../integration/setting.ts'
import { countRecords } from '../integration/topics.ts'
import { type Fuzzing, fuzz } from './schemathesis.ts'
import { Suspect } from './suspect.ts'

const token = 'a-token-of-the-fuzzed-one'
/** Of each kind, in turns: what neighbours do, and what the machine does by the hour, then meets both. */
const pairs = 4
const periodSeconds = 15
const ownerSeconds = 60
/** Of what the writer can do, so that the fuzzer finds room on the same cores. */
const share = 1 / 3
/** Of the rate that the same run had undisturbed. */
const kept = 0.9
const bulk = 100

/** Writes `perSecond` changes, as far as the machine lets it, until `stop` aborts. */
async function load(setting: Setting, namespace: string, perSecond: number, stop: AbortSignal): Promise<void> {
  const everyMs = (1_000 * bulk) / perSecond
  let dueMs = Date.now()
  while (!stop.aborted) {
    await setting.writer.write(namespace, bulk, bulk)
    dueMs = Math.max(dueMs + everyMs, Date.now() - 1_000) // What it could not do it does later, up to a second's worth.
    await sleep(Math.max(0, dueMs - Date.now()), undefined, { signal: stop }).catch(() => undefined)
  }
}

/** How many changes a second the writer can make here and now. */
async function capacity(setting: Setting, namespace: string): Promise<number> {
  const startMs = Date.now()
  for (let i = 0; i < 20; i++) await setting.writer.write(namespace, bulk, bulk)
  return (1_000 * 20 * bulk) / (Date.now() - startMs)
}

/** Share of all cores that was busy since `before`. */
function busyShare(before: CpuTimes, after: CpuTimes = cpuTimes()): number {
  return 1 - (after.idle - before.idle) / (after.all - before.all)
}

interface CpuTimes {
  readonly idle: number
  readonly all: number
}

function cpuTimes(): CpuTimes {
  const times = cpus().map(cpu => cpu.times)
  const sum = (of: (each: (typeof times)[number]) => number) => times.reduce((total, each) => total + of(each), 0)
  return { idle: sum(({ idle }) => idle), all: sum(({ user, nice, sys, idle, irq }) => user + nice + sys + idle + irq) }
}

interface Rates {
  readonly writtenPerSecond: number
  readonly arrivedPerSecond: number
  /** Of the whole machine, neighbours included. */
  readonly busyShare: number
}

function median(numbers: readonly number[]): number {
  const inOrder = numbers.toSorted((a, b) => a - b)
  const last = inOrder.length - 1
  return (inOrder[Math.floor(last / 2)]! + inOrder[Math.ceil(last / 2)]!) / 2
}

test('schemathesis finds nothing, no 5xx among it, and the stream goes on', async () => {
  const alone = cpuTimes()
  await sleep(3_000)
  const neighbours = busyShare(alone)
  await using setting = await Setting.create({ documents: 500, collections: ['c'], partitions: 2 })
  const [namespace = ''] = setting.namespaces
  // Without transactions, whose markers would be counted as records.
  const plain = `${setting.config}delivery: at-least-once\n`
  const yaml = plain.replace('admin: { port: 0 }', `admin: { port: 0, token: ${token} }`)
  await using daemon = await Suspect.start(yaml, {})
  await daemon.says('reading changes')
  const perSecond = share * (await capacity(setting, namespace))
  const stop = new AbortController()
  const writing = load(setting, namespace, perSecond, stop.signal)
  const measured = async <T>(work: () => Promise<T>): Promise<[T, Rates]> => {
    const [startMs, written, before] = [Date.now(), setting.writer.written, cpuTimes()]
    const arrived = await countRecords(setting.brokers, [namespace])
    const result = await work()
    const seconds = (Date.now() - startMs) / 1_000
    const more = (await countRecords(setting.brokers, [namespace])) - arrived
    const writtenPerSecond = (setting.writer.written - written) / seconds
    return [result, { writtenPerSecond, arrivedPerSecond: more / seconds, busyShare: busyShare(before) }]
  }
  await sleep(5_000) // To its speed.
  const url = `${await daemon.url()}/api/v1/openapi.json`
  const runs: Fuzzing[] = []
  const measures: { readonly quiet: Rates; readonly under: Rates }[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const [, quiet] = await measured(() => sleep(1_000 * periodSeconds))
    const [stranger, under] = await measured(() => fuzz(url, undefined, periodSeconds))
    runs.push(stranger)
    measures.push({ quiet, under })
  }
  // With the token it may find out how to pause the pipeline, which is not what the rate is about; and while that starts
  // again it is not ready, which /readyz rightly answers by 503: without the token it was attacked above.
  runs.push(await fuzz(url, token, ownerSeconds, ['/readyz']))
  await daemon.answer('/api/v1/pipelines/all/resume', { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  stop.abort()
  await writing
  // The fuzzer takes a core from the writer too: what was written is what could arrive.
  const keptOf = (rateOf: (rates: Rates) => number) =>
    median(measures.map(({ quiet, under }) => rateOf(under) / rateOf(quiet)))
  const ofWritten = keptOf(({ arrivedPerSecond, writtenPerSecond }) => arrivedPerSecond / writtenPerSecond)
  const ofQuiet = keptOf(({ arrivedPerSecond }) => arrivedPerSecond)
  const report = { neighbours, perSecond, measures, kept: { ofWritten, ofQuiet } }
  process.stderr.write(`${runs.map(({ output }) => output).join('\n')}\n${JSON.stringify(report, null, 1)}\n`)
  for (const { code, output } of runs) {
    expect(output).toMatch(/Operations: +\d+ selected/)
    expect(code, output.slice(-6_000)).toBe(0)
  }
  expect(ofWritten).toBeGreaterThanOrEqual(kept)
  // Of a machine that does nothing else: neighbours come and go between the two periods of a pair.
  expect(ofQuiet, `neighbours took ${neighbours} of the machine`).toBeGreaterThanOrEqual(kept)
  const all = async () =>
    (await countRecords(setting.brokers, [namespace])) >= setting.writer.written ? true : undefined
  await eventually(all, 'every change in the topic', 120_000)
  expect(daemon.output).not.toMatch(/"level":"error"/)
  expect(await fetch(`${await daemon.url()}/livez`).then(({ status }) => status)).toBe(200)
})
