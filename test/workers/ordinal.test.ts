import { describe, expect, it } from 'vitest'
import { ownOrdinal, slotsByOrdinal } from '../../src/workers/ordinal.ts'

const settings = { slots: 8, ordinal: undefined, replicas: 3, hostname: 'mongo2kafka-1' }

describe('slots by ordinal', () => {
  it.each([
    ['the number that the host name ends with', {}, 1],
    ['the number before the domain', { hostname: 'mongo2kafka-0.shop.svc' }, 0],
    ['the setting first', { ordinal: 2 }, 2],
    ['any of too many', { replicas: 9, ordinal: 8 }, 8],
  ])('are those of %s', (_, change, expected) => {
    expect(ownOrdinal({ ...settings, ...change })).toBe(expected)
  })

  it('are dealt out in turn, every slot to exactly one', () => {
    expect(slotsByOrdinal(settings)).toEqual([
      [0, 3, 6],
      [1, 4, 7],
      [2, 5],
    ])
    expect(slotsByOrdinal({ slots: 2, replicas: 1 })).toEqual([[0, 1]])
    expect(slotsByOrdinal({ slots: 1, replicas: 2 })).toEqual([[0], []])
  })

  it.each([
    ['is beyond the replicas', { ordinal: 3 }, 'worker number 3 is not one of 3'],
    ['of the host is beyond them', { hostname: 'x-7' }, 'worker number 7'],
    ['is not there', { hostname: 'laptop' }, 'does not end with a number'],
    ['is below 0', { ordinal: -1 }, 'worker number -1'],
  ])('refuse a number that %s', (_, change, message) => {
    const number = () => ownOrdinal({ ...settings, ...change })
    expect(number).toThrow(expect.objectContaining({ name: 'Configuration', code: 'WORKERS_ORDINAL' }))
    expect(number).toThrow(message)
  })
})
