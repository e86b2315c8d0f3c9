/**
 * Where CPU time and memory go while a backlog is drained: runs the built daemon (dist/) under V8's own profilers and
 * writes the largest costs as text to bench/results/profile-DATE.txt.
 *
 *     npm run build && node bench/profile.ts [--events 500000] [--set PATH=VALUE ...]
 *
 * Sampling itself costs something: compare shares, not seconds, with those of `npm run bench`.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MongoClient } from 'mongodb'
import { Workspace } from '../src/services/workspace.ts'
import { collections, writeMixed } from './backlog.ts'
import { Ours } from './ours.ts'
import { allocationCosts, byRoom, cpuCosts, table } from './profile-report.ts'
import { type Servers, startServers } from './servers.ts'
import { Topics } from './topics.ts'

const partitions = 8
const limitMs = 300_000
const rows = 30
const { values: options } = parseArgs({
  options: { events: { type: 'string', default: '500000' }, set: { type: 'string', multiple: true, default: [] } },
})
const events = Number(options.events)
const signal = new AbortController().signal

/** One drain with the profiler `kind` in the daemon; the folder then holds its profiles. */
async function profiled(ours: Ours, servers: Servers, kind: 'cpu' | 'allocations', directory: string): Promise<void> {
  await using topics = new Topics(servers.brokers)
  const topic = ours.topicOf(collections.mixed)
  await topics.recreate([topic], partitions)
  process.env.PROFILE_KIND = kind
  process.env.PROFILE_DIRECTORY = directory
  const job = { collections: [collections.mixed], lookup: false, from: 'backlog', settings: 'default' } as const
  const daemon = await ours.start(job, signal)
  const expected = { topics: [topic], partitions, count: events, limitMs, alive: daemon.alive }
  const { complete } = await topics.arrival(expected, signal)
  if (!complete) throw new Error(`not everything arrived:\n${await daemon.log()}`)
  await daemon.stop()
}

async function parsed(file: string) {
  return JSON.parse(await readFile(file, 'utf8')).profile
}

const progress = (line: string) => console.error(line)
await using servers = await startServers({ env: process.env, signal, progress })
await using workspace = await Workspace.open('profile')
await using client = new MongoClient(servers.mongoUri)
const start = await writeMixed(client, events, signal)
const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8'))
const node = ['--import', join(import.meta.dirname, 'profiler.ts')]
const settings = { workspace, mongoUri: servers.mongoUri, brokers: servers.brokers, set: options.set, version, node }
const ours = new Ours(settings, start.iso)
const directory = await mkdtemp(join(tmpdir(), 'm2k-profile-'))
await profiled(ours, servers, 'cpu', directory)
const cpu = cpuCosts(await parsed(join(directory, 'cpu.json')))
await profiled(ours, servers, 'allocations', directory)
const allocations = allocationCosts((await parsed(join(directory, 'allocations.json'))).head)
await rm(directory, { recursive: true })

const text = `Profile of a drain: ${events} events (60 % insert, 30 % $set, 10 % delete, 500 bytes), from start to stop
${ours.info}${options.set.map(setting => `, ${setting}`).join('')}

CPU by room
${table(byRoom(cpu), 'ms', rows)}

CPU by function
${table(cpu, 'ms', rows)}

Allocated on V8's heap by room (a sample; buffers' own memory is not on it)
${table(byRoom(allocations), 'MB', rows)}

Allocated by function
${table(allocations, 'MB', rows)}
`
const file = join(import.meta.dirname, `results/profile-${new Date().toISOString().slice(0, 10)}.txt`)
await writeFile(file, text)
console.log(text)
process.exit(0) // The Kafka client of the bench keeps a timer.
