import type { Fault } from './fault.ts'
import { seamFaults } from './faults-at-seams.ts'
import { checkpointFaults } from './faults-of-checkpoints.ts'
import { clockFaults } from './faults-of-clocks.ts'
import {
  asleep,
  blocked,
  killed,
  killedAndInspected,
  killedOften,
  restarted,
  twoCopies,
  zombie,
} from './faults-of-daemons.ts'
import { diskFull } from './faults-of-files.ts'
import { historyFaults } from './faults-of-history.ts'
import { kafkaFaults } from './faults-of-kafka.ts'
import { mongodbFaults } from './faults-of-mongodb.ts'
import { killedOutOfReach, networkFaults } from './faults-of-networks.ts'
import { rightFaults } from './faults-of-rights.ts'
import { saveFaults } from './faults-of-saves.ts'
import { killStorm } from './faults-of-storms.ts'
import { workerFaults } from './faults-of-workers.ts'

/** Everything that is done to a deployment. */
export const catalogue: readonly Fault[] = [
  killStorm,
  killed,
  killedOften,
  killedAndInspected,
  restarted,
  blocked,
  asleep,
  twoCopies,
  zombie,
  ...workerFaults,
  ...seamFaults,
  ...mongodbFaults,
  ...kafkaFaults,
  ...checkpointFaults,
  diskFull,
  ...saveFaults,
  ...networkFaults,
  killedOutOfReach,
  ...clockFaults,
  ...rightFaults,
  ...historyFaults,
]
