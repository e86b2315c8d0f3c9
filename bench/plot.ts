/** Bars as an SVG of text and rectangles, readable on light and dark pages. */

export interface Bar {
  readonly label: string
  readonly value: number
  /** Ours is drawn in another colour. */
  readonly ours: boolean
}

export interface Panel {
  readonly title: string
  readonly digits: number
  readonly bars: readonly Bar[]
}

const width = 720
const labelWidth = 120
const valueWidth = 90
const barHeight = 22
const rowHeight = 30
const titleHeight = 34

const style = `text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .bar { fill: #8c959f } .ours { fill: #1a7f37 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .bar { fill: #6e7681 } .ours { fill: #3fb950 } }`

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** One panel below the other, each with its own scale from 0 on. */
export function plot(title: string, panels: readonly Panel[]): string {
  let y = 0
  const drawn = panels.map(panel => {
    const text = drawPanel(panel, y)
    y += titleHeight + panel.bars.length * rowHeight + 10
    return text
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" role="img">
<title>${escaped(title)}</title>
<style>${style}</style>
${drawn.join('\n')}
</svg>
`
}

function drawPanel({ title, digits, bars }: Panel, top: number): string {
  const most = Math.max(...bars.map(({ value }) => value))
  const scale = (width - labelWidth - valueWidth) / (most || 1)
  const lines = bars.map(({ label, value, ours }, i) => {
    const y = top + titleHeight + i * rowHeight
    const length = Math.max(1, Math.round(value * scale))
    const middle = y + barHeight / 2 + 5
    const shown = value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
    return `<text x="${labelWidth - 8}" y="${middle}" text-anchor="end">${escaped(label)}</text>
<rect class="${ours ? 'ours' : 'bar'}" x="${labelWidth}" y="${y}" width="${length}" height="${barHeight}" rx="3"/>
<text x="${labelWidth + length + 8}" y="${middle}">${shown}</text>`
  })
  return `<text class="title" x="0" y="${top + 22}">${escaped(title)}</text>\n${lines.join('\n')}`
}
