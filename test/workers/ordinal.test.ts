import { describe, expect, it } from 'vitest'
import { slotsByOrdinal } from '../../src/workers/ordinal.ts'

const settings = { slots: 8, ordinal: undefined, replicas: 3, hostname: 'mongo2kafka-1' }

describe('slots by ordinal', () => {
  it.each([
    ['the number that the host name ends with', {}, { ordinal: 1, owned: [1, 4, 7] }],
    ['the number before the domain', { hostname: 'mongo2kafka-0.shop.svc' }, { ordinal: 0, owned: [0, 3, 6] }],
    ['the setting first', { ordinal: 2 }, { ordinal: 2, owned: [2, 5] }],
    ['nothing for the last of too many', { replicas: 9, ordinal: 8 }, { ordinal: 8, owned: [] }],
    ['everything to the only one', { replicas: 1, ordinal: 0, slots: 2 }, { ordinal: 0, owned: [0, 1] }],
  ])('take %s', (_, change, expected) => {
    expect(slotsByOrdinal({ ...settings, ...change })).toEqual(expected)
  })

  it('give every slot to exactly one', () => {
    const all = [0, 1, 2].flatMap(ordinal => slotsByOrdinal({ ...settings, ordinal }).owned)
    expect(all.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it.each([
    ['is beyond the replicas', { ordinal: 3 }, 'worker number 3 is not one of 3'],
    ['of the host is beyond them', { hostname: 'x-7' }, 'worker number 7'],
    ['is not there', { hostname: 'laptop' }, 'does not end with a number'],
    ['is below 0', { ordinal: -1 }, 'worker number -1'],
  ])('refuse a number that %s', (_, change, message) => {
    const share = () => slotsByOrdinal({ ...settings, ...change })
    expect(share).toThrow(expect.objectContaining({ name: 'Configuration', code: 'WORKERS_ORDINAL' }))
    expect(share).toThrow(message)
  })
})
