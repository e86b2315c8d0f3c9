/**
 * Every error code with its remedy: the manual of what can go wrong, in one place. Codes are stable words; alerts,
 * runbooks and the admin API use them. A remedy says what to do, to someone who has never seen the project.
 */
export const remedies = {
  CONFIG_INVALID: 'Correct the configuration file at the named lines; `mongo2kafka validate -c FILE` checks it alone.',
  CONFIG_SUPERSEDED:
    'Another worker went on with a later `revision` of the configuration. Bring the file of this one up to date: it is loaded by itself. To go back to an older configuration, give it a higher `revision`.',
  NODE_TOO_OLD: 'Run it on Node.js 24.6 or newer.',
  SOURCE_STANDALONE:
    'Change streams need a replica set. Stop mongod, start it again with --replSet rs0, then run once in mongosh: rs.initiate()',
  SOURCE_VERSION: 'Upgrade MongoDB to 6.0 or later.',
  SOURCE_UNREACHABLE:
    'Check host names, ports, DNS and firewalls of mongodb.uri; raise startup.wait if MongoDB starts later than the daemon.',
  SOURCE_AUTH_FAILED: 'Check user, password, authSource and authMechanism of mongodb.uri.',
  SOURCE_UNAUTHORIZED:
    'Grant the user changeStream and find on what it reads: role readAnyDatabase, or read on each database of the pipelines.',
  SOURCE_NETWORK:
    'None needed: the stream is opened again at the same position. If it persists, check the network to MongoDB.',
  SOURCE_CURSOR_LOST: 'None needed: the stream is opened again at the same position.',
  SOURCE_STALLED:
    'None needed: the stream is opened again at the same position. If it persists, check the load of MongoDB.',
  SOURCE_HISTORY_LOST:
    'The oplog no longer holds the saved position: changes were lost. Enlarge the oplog, move the pipeline with `mongo2kafka checkpoint set --pipeline NAME --at now --yes -c FILE`, and copy the collection anew.',
  SOURCE_FROM_FUTURE:
    'The saved position is later than MongoDB itself: a backup was restored, or this is another cluster. Move the pipeline with `mongo2kafka checkpoint set --pipeline NAME --at TIME --yes -c FILE`; what the backup does not have stays in the topic.',
  SOURCE_OTHER_CLUSTER:
    'The checkpoint belongs to another MongoDB. Correct mongodb.uri, or give this deployment another `name`.',
  SOURCE_IMAGE_MISSING:
    'Turn pre- and post-images on: db.runCommand({collMod: COLLECTION, changeStreamPreAndPostImages: {enabled: true}}), lengthen their expiry, or use mode whenAvailable or auto.',
  SOURCE_EVENT_TOO_LARGE:
    'A change event with its images is larger than the 16 MB of a BSON document. Use fullDocumentBeforeChange: default for this pipeline, or onError.oversize: dead-letter.',
  SOURCE_PATTERN_SLOW:
    'Write the regular expression without repetitions inside repetitions, such as (a+)+ or (a|a)*, or name the collections.',
  SOURCE_REJECTED:
    'MongoDB refused the change stream for the named reason; correct the pipeline or the server accordingly.',
  EVENT_UNREADABLE: 'MongoDB sent an event that cannot be read; please report it with the position in the message.',
  EVENT_UNENCODABLE: 'Choose a key or value format that can hold this document, or correct the document.',
  SINK_UNREACHABLE:
    'Check host names, ports, DNS and firewalls of sink.brokers; raise startup.wait if Kafka starts later.',
  SINK_AUTH_FAILED:
    'Check sink.sasl: mechanism, and username and password, or whose key or token is used and what it may do; and sink.tls if the port speaks TLS.',
  SINK_UNAUTHORIZED:
    'Grant the Kafka user Write, Read, Describe and Create on the topics, IdempotentWrite on the cluster, and Write and Describe on the transactional ids NAME.* of the deployment.',
  SINK_OCI_AUTH:
    'Check sink.oci.auth: the configuration file, profile and key that it names, or the variables and rights of this instance or pod; a session token is renewed with `oci session refresh`.',
  SINK_OCI_LIMIT:
    'OCI Streaming takes keys of at most 256 bytes, and 1 MiB of key and value together; nobody can raise that. Use fewer key fields, or keep such documents out of the pipeline with a filter.',
  SINK_OCI_PACKAGE: 'Install it beside mongo2kafka: npm install oci-common@2.139.1',
  SINK_OCI_REJECTED:
    'OCI Streaming refused the request for the named reason; correct sink.oci or the stream accordingly, or report it with the opc-request-id.',
  SINK_OCI_STREAM:
    'Create the stream with this name in the pool sink.oci.streamPoolId, with enough partitions (1 MB/s each, fixed for good), or give the pipeline `partitions`, and it is created.',
  SINK_OCI_UNAUTHORIZED:
    'OCI does not tell "not there" from "not allowed": check sink.oci.streamPoolId, and that a policy allows the principal to use stream-push, stream-pull and streams in its compartment.',
  SINK_LOGIN_REFUSED:
    'None needed while a password or certificate is being exchanged: the login is tried again for ten minutes. Else check sink.sasl and sink.tls.',
  SINK_TOPIC_INVALID:
    'Topic names have 1 to 249 letters, digits, dots, underscores and hyphens: correct `topic` of the pipeline.',
  SINK_TOPIC_MISMATCH: 'The topic exists with fewer partitions than were used before. Restore it, or use a new topic.',
  SINK_RECORD_INVALID:
    'Kafka does not take this record: a compacted topic wants a key, or the brokers check what they get. Correct the topic, or keep the event out of the pipeline.',
  SINK_RECORD_TOO_LARGE:
    "Raise the topic's max.message.bytes (and the brokers' message.max.bytes) above the named size.",
  SINK_UNSUPPORTED:
    'The target cannot do what the configuration asks for: use the alternative that the message names; docs/targets.md says what each kind of target can do.',
  SINK_REJECTED: 'Kafka refused the records for the named reason; correct the topic or the broker accordingly.',
  SINK_UNAVAILABLE: 'None needed: sending is tried again from the last checkpoint. If it persists, check the brokers.',
  SINK_FENCED:
    'Another instance of this deployment has taken over; see to it that only one runs, or give it another `name`.',
  CHECKPOINT_CORRUPT:
    'The stored checkpoint cannot be read. Restore it from a copy, or, accepting that changes since the last run are lost, remove it.',
  CHECKPOINT_DISK_FULL: 'Free some space on the disk of checkpoint.path; meanwhile saving is tried again.',
  CHECKPOINT_FENCED:
    'Another instance of this deployment has taken over; see to it that only one runs, or give it another `name`.',
  CHECKPOINT_MISMATCH:
    'The stored checkpoints are of another deployment, another MongoDB, or another number of slots, which is fixed at the first start. Correct checkpoint, mongodb.uri or workers.slots, or give this deployment another `name`.',
  CHECKPOINT_NEWER: 'The checkpoint was written by a newer release: run that release or a later one.',
  CHECKPOINT_READ_ONLY:
    "Give the daemon's user the right to write in checkpoint.path, on a file system that is not read-only; meanwhile saving is tried again.",
  CHECKPOINT_REJECTED:
    'The checkpoint store refused for the named reason. In MongoDB its user needs role readWrite on checkpoint.database, and a replica set to write to; check checkpoint.uri.',
  CHECKPOINT_UNAVAILABLE: 'None needed: it is tried again. If it persists, check the checkpoint store.',
  CHECKPOINT_TOPIC:
    'Give the checkpoint topic the named settings (kafka-configs.sh --alter --entity-type topics --add-config), or remove it before the first start.',
  DEAD_LETTER_LIMIT:
    "So many refused events mean that the topic does not fit: raise its max.message.bytes, or set the pipeline's onError to skip or fail.",
  DEAD_LETTER_REFUSED:
    "The dead-letter topic takes not even the short record about an event: correct its max.message.bytes and the brokers' checks, or set the pipeline's onError to skip or fail.",
  DELIVERY_UNSUPPORTED:
    'Use delivery: at-least-once, or a Kafka with transactions (sink.client auto or platformatic) and checkpoint.store: kafka.',
  DRAIN_TIMEOUT:
    'None needed: what was not acknowledged is replayed at the next start. Raise shutdown.drain if this is frequent.',
  WORKERS_LOST:
    'None needed: the slots went to other workers, and this one joins them again. If it persists, raise workers.sessionTimeout or give the worker more CPU.',
  WORKERS_MISMATCH:
    'Workers of one `name` share one MongoDB, one workers.slots and one release: correct the configuration, or give this deployment another `name`.',
  WORKERS_ORDINAL:
    "Set workers.ordinal to this worker's number, from 0 to workers.replicas - 1, or run it as a StatefulSet, whose pods are numbered; workers.replicas is how many there are.",
  WORKERS_SESSION_TIMEOUT:
    "Set workers.sessionTimeout between the brokers' group.min.session.timeout.ms (6 s, if nobody changed it) and group.max.session.timeout.ms.",
  WORKERS_UNAUTHORIZED: 'Grant the Kafka user Read on the group mongo2kafka.NAME.workers.',
  WORKERS_UNSUPPORTED: 'Use workers.coordination: static, or a Kafka of version 2.2 or later.',
  ADMIN_UNAVAILABLE:
    'Another process listens there, or the address is not of this machine: correct admin.host and admin.port (0 takes any free port).',
  SERVICE_MISSING: 'Install what is named, or point the named variables at running services.',
  SERVICE_FAILED: 'Read the end of the log in the message; often a port, memory or disk space is lacking.',
  INTERNAL: 'This is a fault of mongo2kafka: please report it with this message and the log.',
} as const

export type ErrorCode = keyof typeof remedies

/** An error that says what to do: its class by the loop, its remedy by the operator. */
export abstract class Fault extends Error {
  readonly code: ErrorCode
  readonly remedy: string

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
    this.remedy = remedies[code]
  }
}

/** Try again from the last checkpoint: the part is gone for a while. */
export class Retryable extends Fault {}

/** The source cannot continue from the position: changes are missing for good. */
export class PositionLost extends Fault {}

/** Which record a target refused: enough to find its event again, and nothing of its contents (G9). */
export interface RefusedRecord {
  readonly topic: string
  readonly partition: number
  /** Length of its key. */
  readonly keyBytes: number
  /** Its header m2k.position; undefined where it has none. */
  readonly position: Buffer | undefined
  /** SHA-256 of its key in hex, to know it again where it has no position; never shown. */
  readonly keyDigest?: string
}

/** Why an event cannot pass: it is larger than somebody takes, or anything else. */
export type PoisonReason = 'oversize' | 'poison'

const oversizeCodes: ReadonlySet<ErrorCode> = new Set([
  'SINK_RECORD_TOO_LARGE',
  'SINK_OCI_LIMIT',
  'SOURCE_EVENT_TOO_LARGE',
])

/** One event, or one record made of it, can never pass as things are. */
export class PoisonEvent extends Fault {
  /** undefined: the event itself is to blame, before there was a record. */
  readonly record: RefusedRecord | undefined

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly record?: RefusedRecord }) {
    super(code, message, options)
    this.record = options?.record
  }

  get reason(): PoisonReason {
    return oversizeCodes.has(this.code) ? 'oversize' : 'poison'
  }
}

/** Another instance has taken over: stop writing at once. */
export class Fenced extends Fault {}

/** Only a person can help: settings, rights, or the state of a server. */
export class Configuration extends Fault {}

/** The fault itself, or `error` wrapped as one that must not be retried blindly. */
export function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  const message = error instanceof Error ? error.message : String(error)
  return new Configuration('INTERNAL', message, { cause: error })
}
