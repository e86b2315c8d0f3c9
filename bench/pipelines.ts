import { manyCollections, type Start } from './backlog.ts'
import { type Bench, surviving } from './bench.ts'
import { drain } from './drain.ts'
import { Ours, type OursSettings } from './ours.ts'

export const pipelineCount = 100
const partitions = 2

/**
 * One pipeline on a hundred collections, then a hundred pipelines on one collection each; the same backlog. Round 0 warms
 * the broker up and counts nowhere.
 */
export async function pipelines(bench: Bench, settings: OursSettings, start: Start, round: number): Promise<void> {
  const { events } = bench.options
  const job = {
    collections: manyCollections(pipelineCount),
    lookup: false,
    from: 'backlog',
    settings: 'default',
  } as const
  for (const split of ['together', 'apart'] as const) {
    const variant = split === 'together' ? 'one' : 'hundred'
    const run = { scenario: 'pipelines', variant, round, events, records: events, partitions } as const
    const ours = new Ours(settings, start.iso, split)
    await surviving(bench, async () => {
      const result = await drain(bench, ours, job, run)
      if (round > 0) await bench.results.add(result)
    })
  }
}
