/** Rows under their headings, columns two spaces apart; no line ends in spaces. Lines for people, not for machines. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows]
  const widths = headings.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return `${all.map(row => line(row).trimEnd()).join('\n')}\n`
}
