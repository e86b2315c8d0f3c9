import { type AclEntry, Kafka, logLevel } from 'kafkajs'
import { systemClock } from '../../../src/clock.ts'

/** Numbers of Kafka's protocol (AclOperation, ResourceType, PatternType), by the words of kafka-acls.sh. */
const operations: Readonly<Record<string, number>> = {
  Read: 3,
  Write: 4,
  Create: 5,
  Describe: 8,
  DescribeConfigs: 10,
  IdempotentWrite: 12,
}
const resources: Readonly<Record<string, number>> = {
  '--topic': 2,
  '--group': 3,
  '--cluster': 4,
  '--transactional-id': 5,
}
const patterns: Readonly<Record<string, number>> = { literal: 3, prefixed: 4 }
const allow = 3
const clusterName = 'kafka-cluster'

/** The words of a command as a shell takes them, single quotes included. */
function wordsOf(command: string): string[] {
  const words = command.match(/(?:'[^']*'|\\.|[^\s'\\])+/g) ?? []
  return words.map(word =>
    word.replace(/'([^']*)'|\\(.)/g, (_all, inside?: string, after?: string) => inside ?? after ?? ''),
  )
}

/** What `kafka-acls.sh --add` would add, and to which brokers. Throws where it would not take the command. */
export function aclsOf(command: string): { readonly brokers: string; readonly acls: readonly AclEntry[] } {
  const [program, ...words] = wordsOf(command)
  if (program !== 'kafka-acls.sh') throw new Error(`not the program: ${command}`)
  const granted: number[] = []
  const pattern = { resourceType: 0, resourceName: '', resourcePatternType: patterns.literal! }
  let brokers = ''
  let principal = ''
  let adds = false
  while (words.length > 0) {
    const option = words.shift() ?? ''
    if (option === '--add') adds = true
    else if (option === '--cluster') Object.assign(pattern, { resourceType: 4, resourceName: clusterName })
    else {
      const value = words.shift() ?? ''
      if (option === '--bootstrap-server') brokers = value
      else if (option === '--allow-principal') principal = value
      else if (option === '--operation') granted.push(known(operations, value))
      else if (option === '--resource-pattern-type') pattern.resourcePatternType = known(patterns, value)
      else Object.assign(pattern, { resourceType: known(resources, option), resourceName: value })
    }
  }
  if (!adds || !principal.startsWith('User:') || pattern.resourceType === 0 || granted.length === 0) {
    throw new Error(`it says too little: ${command}`)
  }
  const acls = granted.map(operation => ({ ...pattern, principal, host: '*', operation, permissionType: allow }))
  return { brokers, acls }
}

function known(numbers: Readonly<Record<string, number>>, word: string): number {
  const number = numbers[word]
  if (number === undefined) throw new Error(`kafka-acls.sh knows no ${word}`)
  return number
}

/** Does at `address`, where a super user is let in, what the commands say, and waits until the broker's authorizer has it. */
export async function execute(address: string, commands: readonly string[]): Promise<void> {
  const admin = new Kafka({ brokers: [address], logLevel: logLevel.NOTHING }).admin()
  const acls = commands.flatMap(command => aclsOf(command).acls)
  try {
    await admin.connect()
    await admin.createAcls({ acl: acls })
    for (const { host: _host, permissionType: _permission, ...asked } of acls) {
      const filter = { ...asked, host: '*', permissionType: allow }
      while ((await admin.describeAcls(filter)).resources.length === 0) await systemClock.sleep(50)
    }
  } finally {
    await admin.disconnect()
  }
}

/** The command within a message. */
export function commandIn(message: string): string {
  const found = /kafka-acls\.sh .*/.exec(message)?.[0]
  if (found === undefined) throw new Error(`no command in: ${message}`)
  return found
}
