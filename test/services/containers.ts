import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { formatProperties } from '../../src/services/broker-properties.ts'
import type { ContainerDraft, StartedContainer, Testcontainers } from '../../src/services/container-library.ts'
import { findKafka } from '../../src/services/download-kafka.ts'
import { findMongod } from '../../src/services/download-mongod.ts'
import { freePort } from '../../src/services/ports.ts'
import { logTail, runToEnd, ServerProcess } from '../../src/services/process.ts'
import { Workspace } from '../../src/services/workspace.ts'
import { options } from './servers.ts'

/** What a container was asked to be. */
export interface Asked {
  image: string
  command: string[]
  environment: Record<string, string>
  ports: { container: number; host: number; address: string }[]
}

/** Starts what was asked for. */
export type Runner = (asked: Asked) => Promise<StartedContainer>

/** A library of containers that leaves the running of them to `run`; `asked` lists them. */
export function libraryOf(run: Runner, host = 'localhost'): Testcontainers & { readonly asked: readonly Asked[] } {
  const asked: Asked[] = []
  class GenericContainer implements ContainerDraft {
    readonly #asked: Asked
    /** As the library has it: a binding without HostIp is one to all addresses. */
    readonly hostConfig: { PortBindings: Record<string, { HostIp?: string; HostPort: string }[]> } = {
      PortBindings: {},
    }

    constructor(image: string) {
      this.#asked = { image, command: [], environment: {}, ports: [] }
    }
    withCommand(command: string[]): this {
      this.#asked.command = command
      return this
    }
    withEnvironment(environment: Record<string, string>): this {
      this.#asked.environment = environment
      return this
    }
    withExposedPorts(...ports: { container: number; host: number }[]): this {
      for (const { container, host: port } of ports) {
        this.hostConfig.PortBindings[`${container}/tcp`] = [{ HostPort: String(port) }]
      }
      return this
    }
    withStartupTimeout(): this {
      return this
    }
    start(): Promise<StartedContainer> {
      const ports = Object.entries(this.hostConfig.PortBindings).flatMap(([container, bindings]) => {
        return bindings.map(({ HostIp = '0.0.0.0', HostPort }) => {
          return { container: Number.parseInt(container, 10), host: Number(HostPort), address: HostIp }
        })
      })
      const whole = { ...this.#asked, ports }
      asked.push(whole)
      return run(whole)
    }
  }
  return { asked, GenericContainer, getContainerRuntimeClient: async () => ({ info: { containerRuntime: { host } } }) }
}

/** Runs what the images run as processes of this machine: the same programs, with the same arguments. */
export const asProcess: Runner = async asked => {
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('container'))
  const server = asked.image.startsWith('mongo:') ? await mongod(asked, workspace) : await kafka(asked, workspace)
  stack.defer(() => server.end('SIGKILL'))
  for (const { host } of asked.ports) await listening(host, server, workspace)
  const owned = stack.move()
  return { stop: () => owned.disposeAsync() }
}

/** Where a container listens at all of its addresses, this machine has those at which the port is published. */
async function mongod({ command: [, ...args], ports }: Asked, workspace: Workspace): Promise<ServerProcess> {
  const dbPath = join(workspace.dir, 'data')
  await mkdir(dbPath)
  const program = await findMongod(options())
  const listening = args.flatMap(arg => (arg === '--bind_ip_all' ? ['--bind_ip', ports[0]!.address] : [arg]))
  const here = ['--dbpath', dbPath, '--nounixsocket']
  return ServerProcess.spawn({ program, args: [...listening, ...here], logFile: join(workspace.dir, 'log') }, workspace)
}

/** As the image's start script does: every KAFKA_… variable but those of the JVM is a property. */
async function kafka({ environment, ports }: Asked, workspace: Workspace): Promise<ServerProcess> {
  const { CLUSTER_ID = '', KAFKA_HEAP_OPTS: heap = '', ...variables } = environment
  const entries = Object.entries(variables).map(([name, value]) => {
    return [name.slice('KAFKA_'.length).toLowerCase().replaceAll('_', '.'), value]
  })
  const logDirs = join(workspace.dir, 'logs')
  await mkdir(logDirs)
  const file = join(workspace.dir, 'server.properties')
  // A container's own ports are all free; on this machine the controller's may be somebody else's.
  const controller = /@127\.0\.0\.1:(\d+)$/.exec(environment.KAFKA_CONTROLLER_QUORUM_VOTERS ?? '')?.[1] ?? 'none'
  const properties = formatProperties({ ...Object.fromEntries(entries), 'log.dirs': logDirs })
  await writeFile(
    file,
    properties.replaceAll(controller, String(await freePort())).replace('0.0.0.0', ports[0]!.address),
  )
  const java = [heap, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${await findKafka(options())}/*`]
  const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', file]
  const { signal } = options()
  await runToEnd('java', [...java, ...format], { cwd: workspace.dir, limitMs: 300_000, signal })
  const args = [...java, 'kafka.Kafka', file]
  return ServerProcess.spawn({ program: 'java', args, logFile: join(workspace.dir, 'log') }, workspace)
}

async function listening(port: number, server: ServerProcess, workspace: Workspace): Promise<void> {
  while (server.running) {
    if (await takesConnection(port)) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error(`ended: ${await logTail(join(workspace.dir, 'log'))}`)
}

function takesConnection(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
