import { pbkdf2Sync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { alterUserScramCredentialsV0, Connection } from '@platformatic/kafka'
import { systemClock } from '../../../src/clock.ts'
import { findKafka } from '../../../src/services/download-kafka.ts'
import { freePort } from '../../../src/services/ports.ts'
import { runToEnd, ServerProcess, whenReady } from '../../../src/services/process.ts'
import { Workspace } from '../../../src/services/workspace.ts'
import { createWire, defaultWireLimits } from '../../../src/sink/kafka/wire-platformatic.ts'
import { Authority } from '../../services/certificates.ts'
import { options } from '../../services/servers.ts'

export const user = { username: 'alice', password: 'wonder=land$1' }
/** How long a session of PLAIN lasts on the listener without TLS: the client must authenticate anew before. */
export const sessionMs = 1_500
/** Of SCRAM-SHA-512 there. kafkajs renews its sessions ten seconds before their end, and Kafka takes no renewal in the first second. */
const scramSessionMs = 11_500
const limitMs = 300_000
/** Kafka's number of SCRAM-SHA-512. */
const scramSha512 = 2
const iterations = 4_096
const heap = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

export interface SecureBroker extends AsyncDisposable {
  /** Addresses by what they want: nothing, SASL, TLS, both. */
  readonly plain: string
  readonly sasl: string
  readonly tls: string
  readonly saslTls: string
  /** TLS with a certificate of `authority`, by which the client is known: `User:CN=NAME`. */
  readonly mutualTls: string
  /** Whom it trusts, and who vouches for it. */
  readonly authority: Authority
}

/**
 * A broker with a listener of each kind, one user for PLAIN and SCRAM, and unsigned tokens for OAUTHBEARER. Its
 * authorizer lets everybody do everything with what has no ACL, and who comes without login do all. `properties`, lines
 * of its configuration, come last and win.
 */
export async function startSecureBroker(properties: readonly string[] = []): Promise<SecureBroker> {
  const { env, signal } = options()
  const java = [...heap, '-cp', `${await findKafka({ env, signal })}/*`]
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('kafka'))
  const file = (name: string) => join(workspace.dir, name)
  const run = (program: string, args: string[]) => runToEnd(program, args, { cwd: workspace.dir, limitMs, signal })
  const authority = new Authority('mongo2kafka tests')
  const { cert, key } = authority.issue({ commonName: 'broker', hosts: ['127.0.0.1', 'localhost'] })
  await writeFile(file('broker.pem'), key + cert)
  await writeFile(file('ca.pem'), authority.cert)
  const ports = {
    ...{ plain: await freePort(), sasl: await freePort(), tls: await freePort(), saslTls: await freePort() },
    mutualTls: await freePort(),
  }
  await mkdir(file('logs'))
  const text = propertiesText(ports, await freePort(), file)
  await writeFile(file('properties'), [text, ...properties, ''].join('\n'))
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
    mutualTls: `localhost:${ports.mutualTls}`,
    authority,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Makes the user, or gives it another password, for SCRAM-SHA-512; `address`: where no login is wanted. */
export async function alterScramUser(address: string, name: string, password: string): Promise<void> {
  const [host = '', port] = address.split(':')
  const connection = new Connection('test-admin')
  await connection.connect(host, Number(port))
  const salt = Buffer.from('salt of the tests')
  const salted = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
  const user = { name, mechanism: scramSha512, iterations, salt, saltedPassword: salted }
  await alterUserScramCredentialsV0.api.async(connection, [], [user])
  await connection.close()
}

/** true once it gives out producer ids, which it does last of all. */
async function answers(address: string, signal: AbortSignal): Promise<true | undefined> {
  await using wire = createWire({
    settings: { brokers: [address], clientId: 'ready' },
    limits: defaultWireLimits,
    clock: systemClock,
  })
  try {
    await wire.initProducerId(signal)
    return true
  } catch {
    return undefined // Not yet. If it never does, the end of its log says why.
  }
}

function propertiesText(
  ports: Readonly<Record<'plain' | 'sasl' | 'tls' | 'saslTls' | 'mutualTls', number>>,
  controllerPort: number,
  file: (name: string) => string,
): string {
  const { plain, sasl, tls, saslTls, mutualTls } = ports
  const clients = Object.entries({ PLAIN: plain, SASL: sasl, TLS: tls, BOTH: saslTls, MUTUAL: mutualTls })
  const hostOf = (name: string) => (name === 'TLS' || name === 'MUTUAL' ? 'localhost' : '127.0.0.1')
  const listeners = clients.map(([name, port]) => `${name}://${hostOf(name)}:${port}`)
  const jaas = ['sasl', 'both'].flatMap(listener => [
    `listener.name.${listener}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_${user.username}="${user.password}";`,
    `listener.name.${listener}.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    ...['256', '512'].map(
      bits =>
        `listener.name.${listener}.scram-sha-${bits}.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;`,
    ),
  ])
  const map = 'PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,BOTH:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT'
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
    `listeners=${listeners.join(',')},CONTROLLER://127.0.0.1:${controllerPort}`,
    `advertised.listeners=${listeners.join(',')}`,
    `listener.security.protocol.map=${map}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAIN',
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    ...jaas,
    `listener.name.sasl.plain.connections.max.reauth.ms=${sessionMs}`,
    `listener.name.sasl.scram-sha-512.connections.max.reauth.ms=${scramSessionMs}`,
    `ssl.keystore.location=${file('broker.pem')}`,
    'ssl.keystore.type=PEM',
    `ssl.truststore.location=${file('ca.pem')}`,
    'ssl.truststore.type=PEM',
    'listener.name.mutual.ssl.client.auth=required',
    'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users=User:ANONYMOUS',
    'allow.everyone.if.no.acl.found=true',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    `log.dirs=${file('logs')}`,
    'offsets.topic.replication.factor=1',
    'auto.create.topics.enable=false',
    'log.retention.ms=-1', // Records of the tests are years old: half a minute after its start it would delete them.
    '',
  ].join('\n')
}
