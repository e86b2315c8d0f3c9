/** A query and how its series are called, with Grafana's `{{label}}`. */
export interface Query {
  readonly expr: string
  readonly legend: string
}

/** What one panel shows. */
export interface Panel {
  readonly title: string
  /** What to make of it, for someone who sees it for the first time. */
  readonly description: string
  readonly kind: 'timeseries' | 'stat' | 'state-timeline'
  /** One of Grafana's units, such as `s`, `percentunit`, `bytes`. */
  readonly unit: string
  readonly queries: readonly Query[]
  /** Of the 24 columns of a dashboard. */
  readonly columns: number
  /** From which value on it is yellow and red; the other way round where the first is larger. */
  readonly limits?: readonly [yellow: number, red: number]
  /** Series are shares of one whole. */
  readonly stacked?: boolean
  /** Top of the axis, where there is a natural one. */
  readonly max?: number
  /** What numbers mean, for states. */
  readonly texts?: Readonly<Record<number, { readonly text: string; readonly color: string }>>
}

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

const rowRows = 1
const dashboardColumns = 24
const heights = { stat: 4, timeseries: 8, 'state-timeline': 8 } as const

/** The rows with their panels as Grafana's dashboard JSON has them: placed from left to right, from top to bottom. */
export function panelsOf(rows: readonly Row[]): object[] {
  const panels: object[] = []
  let y = 0
  for (const row of rows) {
    panels.push({ id: panels.length + 1, type: 'row', title: row.title, collapsed: false, gridPos: at(0, y, 24, 1) })
    y += rowRows
    let x = 0
    let lineRows = 0
    for (const panel of row.panels) {
      if (x + panel.columns > dashboardColumns) {
        ;[x, y, lineRows] = [0, y + lineRows, 0]
      }
      const rowsHigh = heights[panel.kind]
      panels.push({ id: panels.length + 1, gridPos: at(x, y, panel.columns, rowsHigh), ...panelJson(panel) })
      x += panel.columns
      lineRows = Math.max(lineRows, rowsHigh)
    }
    y += lineRows
  }
  return panels
}

const datasource = { type: 'prometheus', uid: '$datasource' }

function at(x: number, y: number, w: number, h: number): object {
  return { x, y, w, h }
}

function panelJson(panel: Panel): object {
  const { title, description, kind, queries } = panel
  return {
    type: kind,
    title,
    description,
    datasource,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + index),
      datasource,
      expr,
      legendFormat: legend,
    })),
    fieldConfig: { defaults: fieldDefaults(panel), overrides: [] },
    options: optionsOf(kind),
  }
}

function fieldDefaults({ kind, unit, limits, stacked, max, texts }: Panel): object {
  return {
    unit,
    ...(unit === 'percentunit' && { min: 0 }),
    ...(max !== undefined && { max }),
    ...(limits && { color: { mode: kind === 'timeseries' ? 'palette-classic' : 'thresholds' } }),
    ...(limits && { thresholds: thresholdsOf(limits) }),
    ...(texts && { color: { mode: 'thresholds' }, mappings: [{ type: 'value', options: mappingsOf(texts) }] }),
    custom: customOf(kind, limits !== undefined, stacked === true),
  }
}

function customOf(kind: Panel['kind'], hasLimits: boolean, stacked: boolean): object {
  if (kind === 'stat') return {}
  if (kind === 'state-timeline') return { fillOpacity: 80, lineWidth: 0 }
  return {
    fillOpacity: stacked ? 40 : 10,
    showPoints: 'never',
    // Lines are broken where a value was not known: that is not zero (G8).
    spanNulls: false,
    stacking: { mode: stacked ? 'normal' : 'none' },
    thresholdsStyle: { mode: hasLimits ? 'dashed' : 'off' },
  }
}

function optionsOf(kind: Panel['kind']): object {
  if (kind === 'stat') return { colorMode: 'background', graphMode: 'area', reduceOptions: { calcs: ['lastNotNull'] } }
  const legend = { displayMode: 'list', placement: 'bottom', showLegend: true }
  if (kind === 'state-timeline') return { legend, mergeValues: true, rowHeight: 0.8, showValue: 'auto' }
  return { legend, tooltip: { mode: 'multi', sort: 'desc' } }
}

/** Good is green: below the first limit, or above it where more is better. */
function thresholdsOf([yellow, red]: readonly [number, number]): object {
  const steps =
    yellow < red
      ? [step('green', null), step('yellow', yellow), step('red', red)]
      : [step('red', null), step('yellow', red), step('green', yellow)]
  return { mode: 'absolute', steps }
}

function step(color: string, value: number | null): object {
  return { color, value }
}

function mappingsOf(texts: NonNullable<Panel['texts']>): object {
  return Object.fromEntries(
    Object.entries(texts).map(([value, { text, color }], index) => [value, { text, color, index }]),
  )
}
