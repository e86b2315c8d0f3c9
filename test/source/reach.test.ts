import { describe, expect, it } from 'vitest'
import { Reach } from '../../src/source/reach.ts'

const settings = { windowMs: 1_000, foreignPerSecond: 100, share: 0.3, narrowMs: 10_000, maxNarrowMs: 30_000 }

/** The times, in seconds, at which the stream is opened anew, with a batch every 100 ms. */
function changes(seconds: number, batch: (atMs: number) => readonly [events: number, wanted: number]): string[] {
  const reach = new Reach(settings, 0)
  const all: string[] = []
  for (let atMs = 100; atMs <= seconds * 1_000; atMs += 100) {
    const [events, wanted] = batch(atMs)
    // A narrow stream shows only what is wanted.
    if (reach.saw(reach.narrow ? wanted : events, wanted, atMs)) all.push(`${atMs / 1_000}${reach.narrow ? 'n' : 'w'}`)
  }
  return all
}

describe('the reach of the shared stream', () => {
  it('becomes narrow after a window with a small share, and is measured again ever more rarely', () => {
    expect(changes(100, () => [100, 10])).toEqual(['1n', '11w', '12n', '32w', '33n', '63w', '64n', '94w', '95n'])
  })

  it('stays wide where the share is large, or foreign events are few', () => {
    expect(changes(100, () => [100, 30])).toEqual([])
    expect(changes(100, () => [9, 0])).toEqual([])
    expect(changes(100, () => [0, 0])).toEqual([])
  })

  it('becomes wide when it finds the share has grown, and is soon measured again when it has shrunk', () => {
    const share = (atMs: number) => (atMs > 5_000 && atMs < 40_000 ? 50 : 10)
    expect(changes(60, atMs => [100, share(atMs)])).toEqual(['1n', '11w', '41n', '51w', '52n'])
  })

  it('looks at whole windows, not at moments', () => {
    expect(changes(50, atMs => (atMs % 1_000 < 500 ? [100, 0] : [100, 100]))).toEqual([])
  })
})
