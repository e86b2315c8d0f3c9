import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import { Configuration } from '../errors.ts'
import { findMongod } from './download-mongod.ts'
import { killAll, startAll } from './local-server.ts'
import { type Credentials, Mongod, patient } from './mongod.ts'
import { freePort } from './ports.ts'
import type { Member, ReplicaSet, ReplicaSetOptions } from './services.ts'
import { Workspace } from './workspace.ts'

const setName = 'rs0'
const defaultElectionTimeoutMs = 2_000
const defaultOplogSizeMb = 256
const defaultCheckpointIntervalS = 60
const electionWaitMs = 60_000
const pollMs = 50
/** Not a secret: the server is ours, listens on 127.0.0.1 and is gone after the test. */
const root: Credentials = { username: 'root', password: 'root' }

/** Starts a replica set of our own and waits until it has a primary. */
export async function startReplicaSet(options: ReplicaSetOptions): Promise<ReplicaSet> {
  const program = await findMongod(options)
  options.progress?.(`Starting MongoDB: a replica set of ${options.members}`)
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('mongodb'))
  const args = await replicaSetArguments(options, workspace)
  const members: Mongod[] = []
  for (let i = 0; i < options.members; i++) {
    const settings = { program, port: await freePort(), workspace, setParameters: options.setParameters ?? {}, args }
    members.push(new Mongod(settings))
  }
  stack.defer(() => killAll(members))
  await startAll(members, options.signal)
  await initiate(members, options.electionTimeoutMs ?? defaultElectionTimeoutMs)
  const primary = await findPrimary(members, options.signal)
  if (options.auth) {
    // The localhost exception lets us create the first user, and nothing else.
    await primary.admin({ createUser: root.username, pwd: root.password, roles: ['root'] })
  }
  const owned = stack.move()
  return {
    uri: uriOf(members, options.auth === true),
    members,
    primary: signal => findPrimary(members, signal),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function replicaSetArguments(options: ReplicaSetOptions, workspace: Workspace): Promise<string[]> {
  const args = [
    ...['--replSet', setName, '--oplogSize', String(options.oplogSizeMb ?? defaultOplogSizeMb)],
    // As a --setParameter it is heeded only after the first minute.
    ...['--syncdelay', String(options.checkpointIntervalS ?? defaultCheckpointIntervalS)],
  ]
  if (!options.auth) return args
  const keyFile = join(workspace.dir, 'key')
  await writeFile(keyFile, 'bW9uZ28ya2Fma2E', { mode: 0o600 })
  return [...args, '--keyFile', keyFile]
}

async function initiate(members: readonly Mongod[], electionTimeoutMillis: number): Promise<void> {
  const replSetInitiate = {
    _id: setName,
    members: members.map((member, i) => ({ _id: i, host: member.host })),
    settings: { electionTimeoutMillis, heartbeatIntervalMillis: Math.min(500, electionTimeoutMillis / 2) },
  }
  await members[0]!.admin({ replSetInitiate }, undefined, patient)
}

/** The writable member. Throws SERVICE_FAILED where there is none within a minute. */
async function findPrimary(members: readonly Mongod[], signal?: AbortSignal): Promise<Mongod> {
  const deadlineMs = systemClock.nowMs() + electionWaitMs
  while (systemClock.nowMs() < deadlineMs) {
    const answers = await Promise.all(members.map(member => member.hello()))
    const primary = members[answers.findIndex(answer => answer?.isWritablePrimary === true)]
    if (primary) return primary
    await systemClock.sleep(pollMs, signal)
  }
  const states = members.map(member => `${member.host} ${member.running ? 'runs' : 'does not run'}`).join(', ')
  throw new Configuration('SERVICE_FAILED', `no primary within ${electionWaitMs / 1000} s: ${states}`)
}

function uriOf(members: readonly Member[], auth: boolean): string {
  const user = auth ? `${root.username}:${root.password}@` : ''
  const source = auth ? '&authSource=admin' : ''
  return `mongodb://${user}${members.map(member => member.host).join(',')}/?replicaSet=${setName}${source}`
}
