import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { countRecords } from '../integration/topics.ts'
import { eventually } from '../waiting.ts'
import { environmentOf, imageStage, only } from './dockerfile.ts'

const run = promisify(execFile)
/** What the image has at /opt/mongo2kafka. */
const installed = process.env.M2K_TEST_IMAGE ?? expect.fail('run it by npm run test:image')
const main = join(installed, 'dist/main.js')
const limitBytes = 150_000_000
const image = imageStage()
const [user = ''] = only(image, 'USER').split(':')

/** As in the image: its variables, its Node on the PATH and nothing of ours. */
const { NODE_OPTIONS: nodeOptions = '' } = environmentOf(image)
const environment = { NODE_OPTIONS: nodeOptions, PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: '/' }
/** Where we are root, the image's user, to whom nothing belongs; else ourselves. */
const asUser = process.getuid?.() === 0 ? ['setpriv', '--reuid', user, '--regid', user, '--clear-groups', '--'] : []

function commandOf(...argv: readonly string[]): readonly [string, readonly string[]] {
  const [program = '', ...args] = [...asUser, main, ...argv]
  return [program, args]
}

test('it is below 150 MB', async () => {
  const { stdout } = await run('du', ['--summarize', '--bytes', installed])
  const bytes = Number(stdout.split('\t')[0])
  const parts = await run('sh', ['-c', 'du -sk node_modules/* node_modules/@*/* | sort -rn | head -12'], {
    cwd: installed,
  })
  process.stderr.write(`installed: ${(bytes / 1e6).toFixed(1)} MB; the largest packages, kB:\n${parts.stdout}`)
  expect(bytes).toBeGreaterThan(10_000_000)
  expect(bytes).toBeLessThan(limitBytes)
})

test('it holds what is needed at run time, and nothing that only building and testing need', () => {
  expect(existsSync(join(installed, 'node_modules/mongodb/package.json'))).toBe(true)
  const unwanted = ['typescript', 'vitest', '@biomejs', '@types/convict', 'node', 'fast-check', 'testcontainers']
  expect(unwanted.filter(name => existsSync(join(installed, 'node_modules', name)))).toEqual([])
  expect(globSync('{src,test}', { cwd: installed })).toEqual([])
})

test('changes go from MongoDB to Kafka, without rights and without a writable file system; SIGTERM ends it with 0', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'm2k-image-'))
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rm(directory, { recursive: true }))
  const name = `image${crypto.randomUUID().slice(0, 8)}`
  const file = join(directory, 'mongo2kafka.yaml')
  const pipelines = [{ name: 'all', source: { collections: [`${name}.*`] }, partitions: 1 }]
  const sink = { brokers: inject('kafkaBrokers') }
  await writeFile(file, JSON.stringify({ name, sink, admin: { port: 0 }, pipelines }))
  await run('chmod', ['-R', 'a+rX', directory])

  // Node's permission model refuses every write, as a file system that is mounted read-only does.
  const readOnly = '--permission --allow-fs-read=* --allow-addons'
  const variables = { ...environment, M2K_MONGODB__URI: inject('mongodbUri'), M2K_LOG__LEVEL: 'debug' }
  const env = { ...variables, NODE_OPTIONS: `${nodeOptions} ${readOnly}` }
  const [program, args] = commandOf('run', '-c', file)
  const daemon = spawn(program, args, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] })
  cleanup.defer(async () => void daemon.kill('SIGKILL'))
  const closed = once(daemon, 'close')
  let output = ''
  for (const stream of [daemon.stdout, daemon.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
  const said = (pattern: RegExp) => {
    if (daemon.exitCode !== null) throw new Error(`it has ended: ${output}`)
    return pattern.exec(output)?.[1]
  }
  await eventually(
    () => said(/(reading changes)/),
    () => `a start: ${output}`,
  )

  await using client = new MongoClient(inject('mongodbUri'))
  await client
    .db(name)
    .collection('orders')
    .insertMany([{ a: 1 }, { a: 2 }, { a: 3 }])
  const topic = `${name}.orders`
  await eventually(
    async () => ((await countRecords(inject('kafkaBrokers'), [topic])) >= 3 ? true : undefined),
    'records',
  )

  const port = await eventually(() => said(/"admin":\{"host":"127.0.0.1","port":(\d+)\}/), 'the port')
  const [status, argv] = commandOf('status', '--url', `http://127.0.0.1:${port}`)
  const health = await run(status, argv, { cwd: '/', env }) // Throws where the exit code is not 0: the health check.
  expect(health.stdout).toMatch(/^all +(running|idle) /m)

  daemon.kill('SIGTERM')
  await closed
  expect([daemon.exitCode, daemon.signalCode], output).toEqual([0, null])
})

/** Node reads the limits from files below /sys/fs/cgroup: in a view of its own of them, they say what we like. */
const fakeLimit = `
set -e
mount -t tmpfs none /sys/fs/cgroup
while IFS=: read -r _ controllers path; do
  case $controllers in
    memory) root=/sys/fs/cgroup/memory hard=memory.limit_in_bytes soft=memory.soft_limit_in_bytes none=9223372036854771712 ;;
    '') root=/sys/fs/cgroup hard=memory.max soft=memory.high none=max ;;
    *) continue ;;
  esac
  for dir in "$root" "$root$path"; do
    mkdir -p "$dir"
    echo "$1" > "$dir/$hard"
    echo "$none" > "$dir/$soft"
  done
done < /proc/self/cgroup
exec "$2" --max-semi-space-size=4 -p 'v8.getHeapStatistics().heap_size_limit'
`
const mayUnshare = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/sys/fs/cgroup']).status === 0

test.skipIf(!mayUnshare)("JavaScript's heap is limited to half of the container's memory", async () => {
  const limitOf = async (memoryBytes: number) => {
    const args = ['--mount', 'sh', '-c', fakeLimit, 'sh', String(memoryBytes), process.execPath]
    return Number((await run('unshare', args, { env: environment })).stdout)
  }
  const [small, large] = [await limitOf(512 * 2 ** 20), await limitOf(2_048 * 2 ** 20)]
  // Beside the old space there is the young one, which is small and does not grow with the limit.
  expect(large - small).toBe(768 * 2 ** 20)
  expect(small).toBeGreaterThanOrEqual(256 * 2 ** 20)
})

test('the first line of the command is what the image starts', async () => {
  const [program, args] = commandOf('config', 'schema')
  const { stdout } = await run(program, args, { cwd: '/', env: environment })
  expect(JSON.parse(stdout)).toMatchObject({ title: 'mongo2kafka' })
})
