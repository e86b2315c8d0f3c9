import { storeCollection, storeDatabaseOf } from './deployment.ts'
import { type FailPoint, failPointFault } from './fail-points.ts'
import type { Fault } from './fault.ts'

/** How a save is carried out: a compare-and-set. */
const save = ['findAndModify']

/** What the MongoDB of the checkpoints does wrong when a position is saved; the one that is read is well. */
const failPoints: readonly Omit<FailPoint, 'commands' | 'fits' | 'namespaceOf'>[] = [
  {
    name: 'saves of checkpoints are not answered for a while',
    data: { blockConnection: true, blockTimeMS: 4_000 },
    times: 2,
    limitMs: 10_000,
  },
  {
    // 10107, NotWritablePrimary: an election, or a member that was made read-only.
    name: 'the store of the checkpoints is read-only',
    data: { errorCode: 10107 },
    times: 20,
    limitMs: 10_000,
  },
  {
    // 64, WriteConcernTimeout: the primary has the checkpoint, the majority perhaps not.
    name: 'the majority does not confirm a checkpoint',
    data: { writeConcernError: { code: 64, errmsg: 'waiting for replication timed out' } },
    times: 5,
    limitMs: 10_000,
  },
  {
    name: 'connections end as a checkpoint is saved',
    data: { closeConnection: true },
    times: 5,
    limitMs: 10_000,
  },
]

export const saveFaults: readonly Fault[] = failPoints.map(point =>
  failPointFault({
    ...point,
    commands: save,
    fits: ({ mode }) => mode.store === 'mongodb',
    namespaceOf: ({ name }) => `${storeDatabaseOf(name)}.${storeCollection}`,
  }),
)
