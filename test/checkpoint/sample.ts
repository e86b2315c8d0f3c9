import { type Checkpoint, checkpointFormatVersion } from '../../src/checkpoint/checkpoint.ts'
import { Position } from '../../src/position.ts'

/** A valid checkpoint, with what a test cares about changed. */
export function sample(changes: Partial<Checkpoint> = {}): Checkpoint {
  return {
    formatVersion: checkpointFormatVersion,
    deployment: 'shop',
    pipeline: 'orders',
    slot: 0,
    epoch: 3,
    generation: 1,
    revision: 0,
    cluster: '65f0c0ffee',
    filterHash: 'a1b2',
    position: Position.ofTime((1_700_000_000n << 32n) | 7n).toJSON(),
    partitions: { 'shop.orders': 12 },
    ends: { 'shop.orders': [0, 17, 4] },
    savedAtMs: 1_700_000_000_123,
    ...changes,
  }
}
