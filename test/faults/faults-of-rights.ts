import { setTimeout as sleep } from 'node:timers/promises'
import { type AclEntry, type Admin, Kafka, logLevel } from 'kafkajs'
import { type Fault, pick, savesInKafka } from './fault.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

/** AclResourceTypes, ResourcePatternTypes, AclOperationTypes and AclPermissionTypes, which kafkajs does not export. */
const topicResource = 2
const literal = 3
const operations = { all: 2, write: 4 }
const permissions = { deny: 2, allow: 3 }

/** Who connects without logging in. A topic without any rule is open to all (`allow.everyone.if.no.acl.found`). */
const everybody = { principal: 'User:ANONYMOUS', host: '*' }
const noticeLimitMs = 60_000
const refusedMs = 3_000
const recoveryLimitMs = 10_000
const refused = 'SINK_UNAUTHORIZED'

interface Right {
  readonly name: string
  readonly fits?: (session: Session) => boolean
  readonly topic: (session: Session) => string
}

const rights: readonly Right[] = [
  { name: 'the right to write a topic is taken away', topic: session => pick(session, session.topics) },
  {
    name: 'the right to write checkpoints is taken away',
    topic: session => session.checkpointTopic,
    fits: savesInKafka,
  },
]

/** The pipeline says which right it lacks and stops; where it is granted again, it goes on from its checkpoint. */
export const rightFaults: readonly Fault[] = rights.map(({ name, topic, fits = () => true }) => ({
  name,
  fits,
  recoveryLimitMs,
  mayEndWith: refused,
  async inject(session) {
    const rules = rulesOf(topic(session))
    const kept = session.daemons.filter(daemon => daemon.kept)
    const heard = kept.map(daemon => daemon.listenFor(refused))
    await ask(session, admin => admin.createAcls({ acl: rules }))
    const isNoticed = () => heard.some(hasHeard => hasHeard())
    await until(isNoticed, refused, noticeLimitMs).catch(() => undefined)
    const noticed = isNoticed()
    await sleep(refusedMs)
    const heal = async () => {
      await ask(session, admin => admin.deleteAcls({ filters: rules }))
      // Slots that have stopped begin again with their process.
      await Promise.all(kept.map(daemon => daemon.kill()))
    }
    return { bites: () => noticed, heal }
  },
}))

/** Nobody may write it any more; the one rule that allows keeps it readable. */
function rulesOf(resourceName: string): AclEntry[] {
  const resource = { resourceType: topicResource, resourceName, resourcePatternType: literal }
  return [
    { ...resource, ...everybody, operation: operations.all, permissionType: permissions.allow },
    { ...resource, ...everybody, operation: operations.write, permissionType: permissions.deny },
  ]
}

async function ask(session: Session, question: (admin: Admin) => Promise<unknown>): Promise<void> {
  const kafka = new Kafka({ brokers: [...session.servers.kafka.brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  try {
    await question(admin)
  } finally {
    await admin.disconnect()
  }
}
