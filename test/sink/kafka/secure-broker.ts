import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../../src/clock.ts'
import { findKafka } from '../../../src/services/download-kafka.ts'
import { freePort } from '../../../src/services/ports.ts'
import { runToEnd, ServerProcess, whenReady } from '../../../src/services/process.ts'
import { Workspace } from '../../../src/services/workspace.ts'
import { createWire, defaultWireLimits } from '../../../src/sink/kafka/wire-platformatic.ts'
import { options } from '../../services/servers.ts'

export const user = { username: 'alice', password: 'wonder=land$1' }
/** How long a session of SASL lasts on the listener without TLS: the client must authenticate anew before. */
export const sessionMs = 1_500
const limitMs = 120_000
const storePassword = 'changeit'
const heap = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

export interface SecureBroker extends AsyncDisposable {
  /** Addresses by what they want: nothing, SASL, TLS, both. */
  readonly plain: string
  readonly sasl: string
  readonly tls: string
  readonly saslTls: string
  /** The certificate that it shows, PEM; of 127.0.0.1 and localhost, signed by itself. */
  readonly certificate: string
}

/** A broker with a listener of each kind, and one user for PLAIN and SCRAM. */
export async function startSecureBroker(): Promise<SecureBroker> {
  const { env, signal } = options()
  const java = [...heap, '-cp', `${await findKafka({ env, signal })}/*`]
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('kafka'))
  const file = (name: string) => join(workspace.dir, name)
  const run = (program: string, args: string[]) => runToEnd(program, args, { cwd: workspace.dir, limitMs, signal })
  const store = ['-keystore', file('store.p12'), '-storepass', storePassword, '-alias', 'broker']
  const subject = ['-dname', 'CN=broker', '-ext', 'san=ip:127.0.0.1,dns:localhost', '-keyalg', 'EC', '-groupname']
  await run('keytool', ['-genkeypair', ...store, '-storetype', 'PKCS12', ...subject, 'secp256r1', '-validity', '3650'])
  await run('keytool', ['-exportcert', ...store, '-rfc', '-file', file('broker.pem')])
  const ports = { plain: await freePort(), sasl: await freePort(), tls: await freePort(), saslTls: await freePort() }
  await mkdir(file('logs'))
  await writeFile(file('properties'), propertiesText(ports, await freePort(), file))
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(mechanism => [
    '--add-scram',
    `${mechanism}=[name=${user.username},password=${user.password}]`,
  ])
  const format = ['format', '-t', 'bW9uZ28ya2Fma2EtdGVzdA', '-c', file('properties'), ...scram]
  await run('java', [...java, 'kafka.tools.StorageTool', ...format])
  const args = [...java, '-Dorg.apache.logging.log4j.level=WARN', 'kafka.Kafka', file('properties')]
  const logFile = file('kafka.log')
  const server = await ServerProcess.spawn({ program: 'java', args, logFile }, workspace)
  stack.defer(() => server.end('SIGKILL'))
  const plain = `127.0.0.1:${ports.plain}`
  await whenReady('Kafka', server, logFile, limitMs, signal, () => answers(plain, signal))
  const owned = stack.move()
  return {
    plain,
    sasl: `127.0.0.1:${ports.sasl}`,
    tls: `localhost:${ports.tls}`,
    saslTls: `127.0.0.1:${ports.saslTls}`,
    certificate: await readFile(file('broker.pem'), 'utf8'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** true once it gives out producer ids, which it does last of all. */
async function answers(address: string, signal: AbortSignal): Promise<true | undefined> {
  await using wire = createWire({ settings: { brokers: [address], clientId: 'ready' }, limits: defaultWireLimits, clock: systemClock })
  try {
    await wire.initProducerId(signal)
    return true
  } catch {
    return undefined // Not yet. If it never does, the end of its log says why.
  }
}

function propertiesText(
  ports: Readonly<Record<'plain' | 'sasl' | 'tls' | 'saslTls', number>>,
  controllerPort: number,
  file: (name: string) => string,
): string {
  const clients = Object.entries({ PLAIN: ports.plain, SASL: ports.sasl, TLS: ports.tls, BOTH: ports.saslTls })
  const listeners = clients.map(([name, port]) => `${name}://${name === 'TLS' ? 'localhost' : '127.0.0.1'}:${port}`)
  const jaas = ['sasl', 'both'].flatMap(listener => [
    `listener.name.${listener}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_${user.username}="${user.password}";`,
    ...['256', '512'].map(
      bits =>
        `listener.name.${listener}.scram-sha-${bits}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;`,
    ),
  ])
  const map = 'PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,BOTH:SASL_SSL,CONTROLLER:PLAINTEXT'
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=${listeners.join(',')},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=${listeners.join(',')}`,
    `listener.security.protocol.map=${map}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAIN',
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    ...jaas,
    `listener.name.sasl.plain.connections.max.reauth.ms=${sessionMs}`,
    `ssl.keystore.location=${file('store.p12')}`,
    `ssl.keystore.password=${storePassword}`,
    'ssl.keystore.type=PKCS12',
    `log.dirs=${file('logs')}`,
    'offsets.topic.replication.factor=1',
    'auto.create.topics.enable=false',
    '',
  ].join('\n')
}
