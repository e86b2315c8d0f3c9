import { expect, inject, test } from 'vitest'
import { type PresetName, presets } from '../../src/preset.ts'
import { runPreset } from './preset-run.ts'

const names = Object.keys(presets) as PresetName[]

test.each(names)(
  '%s: a daemon that is killed while connections end loses nothing and keeps order, and repeats as it promised',
  {
    timeout: 1_800_000,
  },
  async preset => {
    const { title, transactions, checkpoints } = presets[preset]
    const servers = { uri: inject('mongodbUri'), brokers: inject('kafkaBrokers') }
    const report = await runPreset({ preset, ...servers, seed: 1, kills: 1 })
    expect(report.violations).toEqual([])
    expect(report.exit).toBe(0)
    expect(report.refused, 'nothing was asked that the target does not take').toBe(0)
    const delivery = transactions && checkpoints ? 'exactly-once' : 'at-least-once'
    const plan = new RegExp(`^target: ${title} by \\w+, delivery: ${delivery}, because .*; topics can.* be compacted`)
    for (const text of report.plans) expect(text).toMatch(plan)
  },
)
