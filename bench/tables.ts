import { type Goal, isMet } from './goals.ts'
import { type Scenario, scenarios } from './options.ts'
import type { Circumstances, Figure, Result } from './results.ts'
import { ratio, runsOf, typical, type Which } from './summary.ts'

/** Above this the wall-clock figures say more about the machine than about the connector. */
export const loudPct = 15

type Column = readonly [heading: string, figure: Figure, digits: number]

const throughput: readonly Column[] = [
  ['events/s', 'eventsPerS', 0],
  ['CPU s/M', 'cpuPerM', 1],
  ['mongod s/M', 'mongodPerM', 1],
  ['broker s/M', 'brokerPerM', 1],
  ['peak RSS MB', 'peakRssMb', 0],
]
const startColumn: Column = ['first event s', 'startS', 1]
const others: Column = ['others %', 'othersPct', 0]

const columns: Readonly<Record<Scenario, readonly Column[]>> = {
  drain: [...throughput, startColumn, others],
  lookup: [...throughput, startColumn, others],
  latency: [
    ['p50 ms', 'p50Ms', 1],
    ['p90 ms', 'p90Ms', 1],
    ['p99 ms', 'p99Ms', 1],
    ['p99.9 ms', 'p999Ms', 1],
    ['write p50 ms', 'writeP50Ms', 1],
    ['write p99 ms', 'writeP99Ms', 1],
    ['from then on p50 ms', 'afterP50Ms', 1],
    ['from then on p99 ms', 'afterP99Ms', 1],
    ['CPU s/M', 'cpuPerM', 0],
    ['peak RSS MB', 'peakRssMb', 0],
    others,
  ],
  compression: [...throughput, ['MB per million on disk', 'mbPerM', 0], others],
  pipelines: [...throughput, startColumn, others],
  source: [...throughput, others],
  flat: [
    ['CPU s/M', 'cpuPerM', 1],
    ['peak RSS MB', 'peakRssMb', 0],
    ['RSS, 2nd quarter MB', 'earlyRssMb', 0],
    ['RSS, last quarter MB', 'lateRssMb', 0],
    ['growth MB/h', 'growthMbPerHour', 1],
    others,
  ],
}

const titles: Readonly<Record<Scenario, string>> = {
  drain: 'Backlog, without lookup',
  lookup: 'Backlog, updates with the document looked up',
  latency: 'From just before the write to the consumer, 1,000 inserts a second, w: majority',
  compression: 'Backlog, compressed',
  pipelines: 'A hundred collections, with one pipeline and with a hundred',
  source: 'The reader alone: what it reaches when everything is dropped',
  flat: 'Memory under a steady load of 2,000 updates a second',
}

/** What a reference is the denominator of: the ratio column, where there is one. */
const references: Readonly<Partial<Record<Scenario, { readonly figure: Figure; readonly which: Which }>>> = {
  drain: { figure: 'eventsPerS', which: { scenario: 'drain', connector: 'mongo-kafka' } },
  lookup: { figure: 'eventsPerS', which: { scenario: 'lookup', connector: 'mongo-kafka' } },
  latency: { figure: 'p50Ms', which: { scenario: 'latency', connector: 'mongo-kafka' } },
  compression: { figure: 'cpuPerM', which: { scenario: 'compression', variant: 'none' } },
  pipelines: { figure: 'cpuPerM', which: { scenario: 'pipelines', variant: 'one' } },
}

export function number(value: number | undefined, digits: number): string {
  if (value === undefined || Number.isNaN(value)) return '–'
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** The results as Markdown: a table for each scenario with medians over the rounds, and ratios within them. */
export function resultTables(results: readonly Result[]): string {
  return scenarios
    .filter(scenario => runsOf(results, { scenario }).length > 0)
    .map(scenario => `## ${titles[scenario]}\n${table(results, scenario)}`)
    .join('\n')
}

function table(results: readonly Result[], scenario: Scenario): string {
  const shown = columns[scenario]
  const reference = references[scenario]
  const rows = new Map(
    runsOf(results, { scenario }).map(({ connector, variant }) => [`${connector} ${variant}`, { connector, variant }]),
  )
  const headings = ['', 'settings', ...shown.map(([heading]) => heading)]
  if (reference) headings.push(ratioHeading(reference.figure, reference.which))
  const lines = [...rows.values()].map(row => {
    const which: Which = { scenario, ...row }
    const cells = shown.map(([, figure, digits]) => number(typical(results, which, figure), digits))
    if (reference) {
      const { figure } = reference
      cells.push(
        number(
          ratio(results, which, reference.which, run => run.figures[figure]),
          2,
        ),
      )
    }
    return [row.connector, row.variant, ...cells]
  })
  return `${markdown(headings, lines)}\n`
}

function ratioHeading(figure: Figure, { connector, variant }: Which): string {
  const what = figure === 'eventsPerS' ? 'events/s' : figure === 'p50Ms' ? 'p50' : 'CPU'
  return `${what} / ${connector ?? variant}`
}

function markdown(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = headings.map((_, i) => (i < 2 ? '---' : '---:'))
  return [line(headings), line(rule), ...rows.map(line)].join('\n')
}

/** goal | limit | measured | met */
export function goalsTable(goals: readonly Goal[]): string {
  const rows = goals.map(goal => {
    const met = isMet(goal)
    const digits = goal.unit === 'MB' ? 0 : 2
    const limit = `${goal.atLeast ? '≥' : '≤'} ${goal.limit} ${goal.unit}`
    const measured = goal.measured === undefined ? '–' : `${number(goal.measured, digits)} ${goal.unit}`
    return [goal.text, limit, measured, met === undefined ? 'not measured' : met ? 'met' : '**not met**']
  })
  return `${markdown(['goal', 'limit', 'measured', 'met'], rows)}\n`
}

/** The machine, the versions, and how loud it was. */
export function circumstancesText(
  { at, commit, cpu, cores, memoryGb, system, node, java, mongod, kafka, arguments: args }: Circumstances,
  results: readonly Result[],
): string {
  const infos = [...new Set(results.map(({ info }) => info))]
  const loud = results.filter(({ figures }) => (figures.othersPct ?? 0) > loudPct).length
  return `${at}, commit ${commit}, \`npm run bench -- ${args.join(' ')}\`

- ${cores} cores of ${cpu}, ${memoryGb} GB, ${system}
- MongoDB ${mongod}, Kafka ${kafka}, Node ${node}, ${java}
${infos.map(info => `- ${info}`).join('\n')}
- ${loud} of ${results.length} runs with more than ${loudPct} % of the machine used by others
`
}
