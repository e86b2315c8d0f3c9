import { expect, test } from 'vitest'
import { presetSchema } from '../src/config/schema-preset.ts'
import { presets } from '../src/preset.ts'

test('each preset has its name, and the schema lists them all', () => {
  expect(Object.keys(presets)).toEqual([...presetSchema.enum])
  for (const [name, preset] of Object.entries(presets)) expect(preset.name).toBe(name)
})

test('what has no idempotence has no transactions, and every target takes batches without compression', () => {
  for (const { idempotence, transactions, compressions } of Object.values(presets)) {
    expect(idempotence || !transactions).toBe(true)
    expect(compressions).toContain('none')
  }
})
