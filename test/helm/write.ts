import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartDir, readChart } from './chart.ts'
import { valuesSchema } from './values-schema.ts'

// Writes values.schema.json anew: `node test/helm/write.ts`, after a change of values.yaml or of the configuration.
writeFileSync(
  join(chartDir, 'values.schema.json'),
  `${JSON.stringify(valuesSchema(readChart('values.yaml')), null, 2)}\n`,
)
