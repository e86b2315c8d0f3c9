import { Configuration, type Fault } from '../../errors.ts'
import type { AclOperation, AclResource, Denial } from './acl.ts'
import { denialIn } from './classify.ts'
import type { KafkaSettings } from './settings.ts'

/** What an ACL is given for. */
interface Pattern {
  readonly resource: AclResource
  readonly name: string
  /** As a prefix of names, not as one name. */
  readonly isPrefix: boolean
}

/** Beyond it a list of addresses is cut: one of them is enough. */
const addressLimit = 3

/**
 * As whom the brokers know us, as `kafka-acls.sh --allow-principal` takes it. undefined: they take it from something that
 * we cannot read. With rules of their own (`ssl.principal.mapping.rules`, `principal.builder.class`) they may call us
 * otherwise.
 */
export function principalOf({ login, tls }: Pick<KafkaSettings, 'login' | 'tls'>): string | undefined {
  if (login !== undefined) return login.principal === undefined ? undefined : `User:${login.principal}`
  if (tls?.hasCertificate) return tls.subject === undefined ? undefined : `User:${tls.subject}`
  return 'User:ANONYMOUS'
}

/**
 * The same fault, or where it is for want of a right one that names who lacks which right for what, and the command that
 * grants it. What is not about rights, and what says it already, passes through.
 */
export function advised<T>(fault: T, settings: KafkaSettings): T | Fault {
  if (
    !(fault instanceof Configuration) ||
    (fault.code !== 'SINK_UNAUTHORIZED' && fault.code !== 'WORKERS_UNAUTHORIZED')
  )
    return fault
  const denial = denialIn(fault)
  if (denial === undefined || fault.cause instanceof Configuration) return fault
  return new Configuration(fault.code, `${fault.message}: ${adviceOn(denial, settings)}`, { cause: fault })
}

/** The same for what a promise rejects with. */
export async function advising<T>(work: Promise<T>, settings: KafkaSettings): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw advised(error, settings)
  }
}

/** `User:cdc lacks Write on topic orders. On Apache Kafka grant it with: kafka-acls.sh …` */
function adviceOn(denial: Denial, settings: KafkaSettings): string {
  const { operation, grant } = denial
  const pattern = patternOf(denial)
  const principal = principalOf(settings)
  const what = `${operation} on ${textOf(denial)}`
  if (principal === undefined) {
    const who = settings.login?.who ?? 'the subject of the client certificate'
    return `${who} lacks ${what}: grant ${grant} on ${textOf(pattern)} where its rights are kept`
  }
  return `${principal} lacks ${what}. On Apache Kafka grant it with: ${command(settings, principal, grant, pattern)}`
}

/** Transactional ids are many and all ours, so those of the deployment are granted at once: they begin with `NAME.`. */
function patternOf({ resource, name }: Denial): Pattern {
  const dot = name.indexOf('.')
  if (resource !== 'transactional-id' || dot < 0) return { resource, name, isPrefix: false }
  return { resource, name: name.slice(0, dot + 1), isPrefix: true }
}

function textOf({ resource, name, isPrefix = false }: Omit<Pattern, 'isPrefix'> & Partial<Pattern>): string {
  if (resource === 'cluster') return 'the cluster'
  const kind = resource === 'transactional-id' ? 'transactional id' : resource
  return isPrefix ? `${kind}s that begin with ${name}` : `${kind} ${name}`
}

function command(
  { brokers }: KafkaSettings,
  principal: string,
  grant: AclOperation,
  { resource, name, isPrefix }: Pattern,
): string {
  const words = ['kafka-acls.sh', '--bootstrap-server', brokers.slice(0, addressLimit).join(',')]
  words.push('--add', '--allow-principal', principal, '--operation', grant, `--${resource}`)
  if (resource !== 'cluster') words.push(name, ...(isPrefix ? ['--resource-pattern-type', 'prefixed'] : []))
  return words.map(quoted).join(' ')
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w.,:/@=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
