import { PositionLost } from '../errors.ts'
import { type ClusterTime, Position } from '../position.ts'

/** How often a primary is asked: one that is being replaced may be behind for a moment, a restored backup stays so. */
export const futureLimit = 4

/**
 * A position that the primary has not reached is not of this history (decision 6): the server would wait for it in
 * silence. One tick of grace: a start at "now" is the tick after the last operation. Throws PositionLost
 * SOURCE_FROM_FUTURE.
 */
export function refuseFuture(position: Position, operationTime: ClusterTime): void {
  if (operationTime === 0n || position.clusterTime <= operationTime + 1n) return
  throw new PositionLost(
    'SOURCE_FROM_FUTURE',
    `the position ${position} is later than the primary's operation time ${Position.ofTime(operationTime)}`,
  )
}
