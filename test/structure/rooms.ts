/** The rooms of src and who may import whom: the table of docs/architecture.md, for the machine. */

/** Leaf files at the top of src: values and small interfaces. They import each other only. */
export const words: ReadonlySet<string> = new Set(
  'event position errors clock deadline log meter busy retry secret record record-headers status redact lease preset under-way'
    .split(' ')
    .map(word => `${word}.ts`),
)

/** What a room may import beside itself. `interfaces`: the files named as their stage, such as source/source.ts. */
export type Import = 'words' | 'bson' | 'interfaces' | 'everything'

export const rooms: Readonly<Record<string, readonly Import[]>> = {
  source: ['words', 'bson'],
  bson: [],
  transform: ['words', 'bson'],
  encode: ['words', 'bson'],
  sink: ['words'],
  checkpoint: ['words'],
  pipeline: ['words', 'interfaces'],
  observe: ['words'],
  admin: ['words'],
  config: ['words'],
  inspect: ['words', 'interfaces'],
  services: ['words'],
  workers: ['words'],
  cli: ['everything'],
}

const stages = ['source', 'transform', 'encode', 'sink', 'checkpoint']
const interfaces: ReadonlySet<string> = new Set(stages.map(stage => `${stage}/${stage}.ts`))

/** Where each dependency may be imported: rooms (`sink/`) or beginnings of paths (`checkpoint/kafka`). */
export const packages: Readonly<Record<string, readonly string[]>> = {
  mongodb: ['source/', 'checkpoint/mongo', 'inspect/', 'services/'],
  kafkajs: ['sink/', 'checkpoint/kafka', 'inspect/', 'services/'],
  '@platformatic/kafka': ['sink/'],
  '@node-rs/crc32': ['sink/'],
  'lz4-napi': ['sink/'],
  snappy: ['sink/'],
  'oci-common': ['sink/oci-rest/'],
  pino: ['observe/'],
  'prom-client': ['observe/'],
  convict: ['config/'],
  yaml: ['config/'],
  ajv: ['config/'],
}

/** `source/reader.ts` → `source`; words and main.ts have no room. */
export function roomOf(path: string): string | undefined {
  const slash = path.indexOf('/')
  return slash < 0 ? undefined : path.slice(0, slash)
}

/** Whether the file `from` may import the file `to`; both are paths below src. */
export function mayImport(from: string, to: string): boolean {
  const room = roomOf(from)
  if (room === undefined) return from === 'main.ts' || words.has(to)
  if (roomOf(to) === room) return true
  return (rooms[room] ?? []).some(allowed => {
    if (allowed === 'everything') return to !== 'main.ts'
    if (allowed === 'words') return words.has(to)
    return allowed === 'bson' ? roomOf(to) === 'bson' : interfaces.has(to)
  })
}
