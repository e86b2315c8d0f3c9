import { writeFile } from 'node:fs/promises'
import { goals, isMet } from './goals.ts'
import { type Panel, plot } from './plot.ts'
import type { Circumstances, Figure, Result } from './results.ts'
import { typical, type Which } from './summary.ts'
import { circumstancesText, goalsTable, loudPct, resultTables } from './tables.ts'

export interface Files {
  /** Without extension. */
  readonly stem: string
  readonly plotFile: string
}

/** The bars of the plot, from top to bottom. */
const compared: readonly { readonly label: string; readonly which: Which }[] = [
  { label: 'mongo-kafka', which: { scenario: 'drain', connector: 'mongo-kafka' } },
  { label: 'debezium', which: { scenario: 'drain', connector: 'debezium' } },
  { label: 'mongo2kafka', which: { scenario: 'drain', connector: 'mongo2kafka', variant: 'at-least-once' } },
]

/** The whole report as Markdown, written to files too where they are given. */
export async function report(results: readonly Result[], where: Circumstances, files: Files | undefined) {
  const text = `# Measured
${circumstancesText(where, results)}
Medians over the rounds; ratios are medians of the ratios within each round. Records without lookup, JSON, 8 partitions,
documents of 500 bytes, 60 % insert, 30 % \`$set\`, 10 % delete. CPU s/M: CPU seconds per million events, from the first
event in Kafka to the last.

${resultTables(results)}
## Goals
${goalsTable(goals(results))}${warning(results)}`
  if (files) {
    await writeFile(`${files.stem}.md`, text)
    const svg = drainPlot(results)
    if (svg !== undefined) await writeFile(files.plotFile, svg)
  }
  return text
}

/** Whether every goal that was measured is met. */
export function metAll(results: readonly Result[]): boolean {
  return goals(results).every(goal => isMet(goal) !== false)
}

function warning(results: readonly Result[]): string {
  const loudest = Math.max(0, ...results.map(({ figures }) => figures.othersPct ?? 0))
  if (loudest <= loudPct) return ''
  return `\nWarning: others used up to ${Math.round(loudest)} % of this machine meanwhile. Trust CPU seconds,\nand ratios of rates only where the load on both was alike (others %).\n`
}

/** undefined unless all three were measured. */
function drainPlot(results: readonly Result[]): string | undefined {
  const panel = (title: string, figure: Figure, digits: number): Panel => ({
    title,
    digits,
    bars: compared.flatMap(({ label, which }) => {
      const value = typical(results, which, figure)
      return value === undefined ? [] : [{ label, value, ours: which.connector === 'mongo2kafka' }]
    }),
  })
  const panels = [
    panel('events per second (more is better)', 'eventsPerS', 0),
    panel('CPU seconds per million events (less is better)', 'cpuPerM', 1),
    panel('peak memory, MB (less is better)', 'peakRssMb', 0),
  ]
  if (panels.some(({ bars }) => bars.length < compared.length)) return undefined
  return plot('mongo2kafka, MongoDB’s connector and Debezium on the same backlog', panels)
}
