import { findMongod } from './download-mongod.ts'
import { Mongod } from './mongod.ts'
import { freePort } from './ports.ts'
import type { ServiceOptions, Standalone } from './services.ts'
import { Workspace } from './workspace.ts'

/** Starts a mongod that is no replica set: what change streams refuse. */
export async function startStandalone(options: ServiceOptions): Promise<Standalone> {
  const program = await findMongod(options)
  options.progress?.('Starting MongoDB: a standalone server')
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('mongodb'))
  const mongod = new Mongod({ program, port: await freePort(), workspace, setParameters: {}, args: [] })
  stack.defer(() => mongod.kill())
  await mongod.start(options.signal)
  const owned = stack.move()
  return Object.assign(mongod, {
    uri: `mongodb://${mongod.host}/`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  })
}
