import { expect, test } from 'vitest'
import { sameDeployment } from '../../src/source/source.ts'

test.each([
  ['replicaSet:rs0/65a', 'replicaSet:rs0/65a', true],
  ['replicaSet:rs0/65a', 'replicaSet:rs0', true],
  ['replicaSet:rs0', 'replicaSet:rs0/65a', true],
  ['replicaSet:rs0/65a', 'replicaSet:rs0/65b', false],
  ['replicaSet:rs0', 'replicaSet:rs01/65a', false],
  ['replicaSet:rs0/65a', 'sharded', false],
])('whether %s and %s can be the same deployment: %s', (one, other, same) => {
  expect(sameDeployment(one, other)).toBe(same)
})
