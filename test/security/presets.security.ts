import { expect, inject, test } from 'vitest'
import { type PresetName, presets } from '../../src/preset.ts'
import { runPreset } from '../integration/preset-run.ts'

const names = Object.keys(presets) as PresetName[]
const kills = 8

test.each(names)(
  '%s, killed again and again: nothing lost, reordered, or repeated where it may not be',
  { timeout: 3_600_000 },
  async preset => {
    const servers = { uri: inject('mongodbUri'), brokers: inject('kafkaBrokers') }
    const { violations, duplicates, changes, exit, refused, plans } = await runPreset({
      preset,
      ...servers,
      seed: 2,
      kills,
    })
    process.stderr.write(`${preset}: ${changes} changes, ${kills} kills, ${duplicates} records again\n`)
    expect(violations).toEqual([])
    expect({ exit, refused, starts: plans.length }).toEqual({ exit: 0, refused: 0, starts: kills + 1 })
  },
)
