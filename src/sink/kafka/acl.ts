/** Operations of Kafka's ACLs, as `kafka-acls.sh --operation` names them. */
export type AclOperation = 'Read' | 'Write' | 'Create' | 'Describe' | 'DescribeConfigs' | 'IdempotentWrite'

/** What an ACL is about, as `kafka-acls.sh` names its options. */
export type AclResource = 'topic' | 'group' | 'transactional-id' | 'cluster'

/** What an authorizer refused. */
export interface Denial {
  /** What it looked for. */
  readonly operation: AclOperation
  /** What is to be granted: the same, or what the next request needs and what Kafka takes for it as well. */
  readonly grant: AclOperation
  readonly resource: AclResource
  /** Of the topic, group or transactional id; empty for the cluster. */
  readonly name: string
}

const topicDenied = 29
const groupDenied = 30
const clusterDenied = 31
const transactionalIdDenied = 53

type Right = readonly [operation: AclOperation, resource: AclResource, grant?: AclOperation]

/**
 * Which right a request lacks, by Kafka's error code. Read and Write imply Describe: where more is needed a moment later,
 * that is what is to be granted. Source: "Operations and resources on protocols" in Kafka's documentation on security;
 * KIP-98 for transactions, KIP-679 for producer ids.
 */
const rights = {
  AddPartitionsToTxn: {
    [topicDenied]: ['Write', 'topic'],
    [transactionalIdDenied]: ['Write', 'transactional-id'],
  },
  CreateTopics: { [topicDenied]: ['Create', 'topic'], [clusterDenied]: ['Create', 'cluster'] },
  DescribeConfigs: { [topicDenied]: ['DescribeConfigs', 'topic'] },
  DescribeTransactions: { [transactionalIdDenied]: ['Describe', 'transactional-id', 'Write'] },
  EndTxn: { [transactionalIdDenied]: ['Write', 'transactional-id'] },
  Fetch: { [topicDenied]: ['Read', 'topic'] },
  FindCoordinator: {
    [groupDenied]: ['Describe', 'group', 'Read'],
    [transactionalIdDenied]: ['Describe', 'transactional-id', 'Write'],
  },
  InitProducerId: {
    [clusterDenied]: ['IdempotentWrite', 'cluster'],
    [transactionalIdDenied]: ['Write', 'transactional-id'],
  },
  JoinGroup: { [groupDenied]: ['Read', 'group'] },
  ListOffsets: { [topicDenied]: ['Describe', 'topic', 'Read'] },
  Metadata: { [topicDenied]: ['Describe', 'topic'] },
  Produce: {
    [topicDenied]: ['Write', 'topic'],
    [clusterDenied]: ['IdempotentWrite', 'cluster'],
    [transactionalIdDenied]: ['Write', 'transactional-id'],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<number, Right>>>>

/** A request by its name in the protocol. JoinGroup stands for all that a member asks of its group. */
export type DeniedApi = keyof typeof rights

/** undefined: the code does not speak of rights, or that request knows no such answer. */
export function denialOf(api: DeniedApi, code: number, name: string): Denial | undefined {
  const known: Readonly<Record<number, Right>> = rights[api]
  const right = known[code]
  if (right === undefined) return undefined
  const [operation, resource, grant = operation] = right
  return { operation, grant, resource, name: resource === 'cluster' ? '' : name }
}
