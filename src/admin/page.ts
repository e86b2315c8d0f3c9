import { createHash } from 'node:crypto'
import type { Stage } from '../busy.ts'
import type { ConfigStatus, PipelineStatus, WorkersStatus } from '../status.ts'
import { busyText, duration, percent, time } from './wording.ts'
import { slotsText, type WorkersView, workersView } from './workers.ts'

const style = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
table { border-collapse: collapse }
th, td { text-align: left; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
td.figure { text-align: right; font-variant-numeric: tabular-nums }
.failed, .retrying { color: #b00020; font-weight: 600 }
.running, .idle { color: #156c2f }
.paused { color: #8a5a00 }
.remedy { max-width: 40rem }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #161616 } th, td { border-color: #444 } }
`

/** Content-Security-Policy of the page: no script, nothing from elsewhere, this one style. */
export const statusPageSecurity = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const columns = [
  'pipeline',
  'state',
  'lag',
  'position',
  'oplog headroom',
  'in flight',
  'records',
  'limited by',
  'error',
]

/** What the page shows beside the pipelines, where it is known. */
export interface Beside {
  readonly workers?: WorkersStatus | undefined
  readonly config?: ConfigStatus | undefined
}

/** A page that needs nothing but itself and asks again every five seconds. Every value of a pipeline is escaped. */
export function statusPage(statuses: readonly PipelineStatus[], { workers, config }: Beside = {}): string {
  const rows = statuses.map(row).join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width">
<title>mongo2kafka</title>
<style>${style}</style>
</head>
<body>
<h1>mongo2kafka</h1>
<table>
<thead><tr>${columns.map(column => `<th>${column}</th>`).join('')}</tr></thead>
<tbody>
${rows || `<tr><td colspan="${columns.length}">No pipeline yet.</td></tr>`}
</tbody>
</table>
${workers ? workersTable(workersView(workers, statuses)) : ''}
${config ? configLine(config) : ''}
<p><a href="/readyz">readyz</a> · <a href="/metrics">metrics</a> · <a href="/api/v1/pipelines">api/v1/pipelines</a> · <a href="/api/v1/workers">api/v1/workers</a></p>
</body>
</html>
`
}

function row(status: PipelineStatus): string {
  const { error } = status
  return `<tr>
<td>${escaped(status.name)}</td>
<td class="${escaped(status.state)}">${escaped(status.state)}</td>
<td class="figure">${duration(status.lagMs)}</td>
<td>${time(status.positionMs)}</td>
<td class="figure">${duration(status.oplogHeadroomMs)}</td>
<td class="figure">${status.inFlightRecords}</td>
<td class="figure">${status.records}</td>
<td>${limit(status)}</td>
<td class="remedy">${error ? `<b>${escaped(error.code)}</b> ${escaped(error.message)}<br>${escaped(error.remedy)}` : ''}</td>
</tr>`
}

/** Who works on which slots, how busy each is, and what would help. */
function workersTable(view: WorkersView): string {
  const rows = view.workers.map(worker => {
    const name = worker.name === view.name ? `${worker.name} (this one)` : worker.name
    return `<tr><td>${escaped(name)}</td><td>${escaped(slotsText(worker.owned))}</td><td>${busyText(worker.busy)}</td></tr>`
  })
  return `<h2>Workers</h2>
<p>${view.slots} ${view.slots === 1 ? 'slot' : 'slots'}, coordination ${escaped(view.coordination)}; this worker: ${escaped(view.state)}.</p>
<table>
<thead><tr><th>worker</th><th>slots</th><th>busy</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
<p>${escaped(view.advice)}</p>`
}

/** What became of the last change of the file. */
function configLine({ loadedAtMs, lastReload }: ConfigStatus): string {
  const inForce = `Configuration of ${time(loadedAtMs)}.`
  if (lastReload === null || lastReload.applied) return `<p>${inForce}</p>`
  const items = lastReload.problems.map(problem => `<li>${escaped(problem)}</li>`).join('')
  return `<p class="failed">${inForce} The change of ${time(lastReload.atMs)} is not in force:</p><ul>${items}</ul>`
}

const limits: Readonly<Record<Stage, string>> = {
  source: 'the source (MongoDB)',
  encode: 'the CPU (encode)',
  sink: 'the sink',
}

/** What limits the throughput, in a few words. */
export function limit({ limitedBy, throttledRatio, state }: PipelineStatus): string {
  if (limitedBy !== null) {
    const throttled = limitedBy.stage === 'sink' && throttledRatio > 0
    const why = throttled ? ` (throttled by the broker ${percent(throttledRatio)})` : ''
    return `${limits[limitedBy.stage]}, ${percent(limitedBy.ratio)} of the time${why}`
  }
  return state === 'running' || state === 'idle' ? 'nothing: waits for changes' : '–'
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character]!)
}
