// Writes what the chart has from code: the rules and the dashboard. A test compares them with what it would write.
import { writeFile } from 'node:fs/promises'
import { generated } from './generated.ts'

for (const [path, text] of Object.entries(generated)) {
  await writeFile(new URL(`mongo2kafka/${path}`, import.meta.url), text)
}
