import { dirname, join } from 'node:path/posix'
import { importsOf, type SourceFile } from './syntax.ts'

/**
 * Files (or rooms, with a slash at the end) with logic that neither have a test of their own name nor are reached by a
 * test of their own folder, and the test that runs them; it must at least import them, if by a detour. Keep it short
 * and true.
 */
export const coveredBy: Readonly<Record<string, string>> = {
  'log.ts': 'test/admin/server.test.ts',
  'meter.ts': 'test/encode/encoder.test.ts',
  'pipeline/': 'test/simulation/simulation.test.ts',
  'services/tail.ts': 'test/cli/demo.test.ts',
  'main.ts': 'test/integration/restarts.test.ts',
  'cli/': 'test/integration/restarts.test.ts',
}

/** Tests of more than one file, which mirror none: files, or folders with a slash at the end. */
export const crossCutting: readonly string[] = [
  'test/structure.test.ts',
  'test/documents.test.ts',
  'test/pipeline/limited-by.test.ts',
  'test/sink/kafka/broker-failure.test.ts',
  'test/sink/kafka/conformance/',
  'test/sink/kafka/proxy/',
  'test/sink/kafka/read-to-end.test.ts',
  'test/sink/kafka/wire-security.test.ts',
  'test/workers/load.test.ts',
  'test/source/failover.test.ts',
  'test/source/mongo-tls.test.ts',
  'test/source/faults.test.ts',
  'test/source/resume.test.ts',
  'test/alerts/',
  'test/bench/',
  'test/faults/',
  'test/helm/',
  'test/image/',
  'test/security/',
  'test/simulation/',
  'test/integration/',
]

/**
 * What is wrong with the mirror of src in test, one line each. A file with logic has a test of its own name, or the
 * tests of its folder import it, if by a detour, or `covered` says where it is tested; a test mirrors a file of src or is `mirrorless`. `files` have paths below src,
 * `tests` (helpers included) paths below the repository.
 */
export function mirrorFaults(
  files: readonly SourceFile[],
  tests: readonly SourceFile[],
  covered: Readonly<Record<string, string>>,
  mirrorless: readonly string[],
): string[] {
  const named = tests.map(({ path }) => path).filter(path => path.endsWith('.test.ts'))
  const edges = importGraph(files, tests)
  const reached = new Map(named.map(path => [path, reach(edges, path)]))
  const faults = files.filter(hasLogic).flatMap(({ path }) => {
    const neighbours = named.filter(test => path.includes('/') && dirname(test) === `test/${dirname(path)}`)
    if (named.includes(testOf(path)) || neighbours.some(test => reached.get(test)?.has(`src/${path}`))) return []
    const claimed = covered[path] ?? covered[`${dirname(path)}/`]
    if (claimed === undefined) return [`src/${path} has logic and no test: write ${testOf(path)}`]
    if (reached.get(claimed)?.has(`src/${path}`)) return []
    return [`src/${path} is not reached by ${claimed}, which coveredBy names`]
  })
  const stale = Object.keys(covered).filter(place => !files.some(({ path }) => path.startsWith(place)))
  const gone = mirrorless.filter(known => known.endsWith('.ts') && !named.includes(known))
  const orphans = named.filter(
    path => !isCrossCutting(path, mirrorless) && !files.some(file => testOf(file.path) === path),
  )
  return [
    ...faults,
    ...stale.map(path => `coveredBy names src/${path}, which is not there`),
    ...gone.map(path => `crossCutting names ${path}, which is not there`),
    ...orphans.map(path => `${path} mirrors no file of src: rename it after the file it tests`),
  ]
}

function isCrossCutting(path: string, mirrorless: readonly string[]): boolean {
  return mirrorless.some(known => (known.endsWith('/') ? path.startsWith(known) : path === known))
}

function testOf(path: string): string {
  return `test/${path.replace(/\.ts$/, '.test.ts')}`
}

/** Types and constants alone need no test. */
function hasLogic(file: SourceFile): boolean {
  return file.nodes.some(({ node }) =>
    /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type),
  )
}

/** Some tests run the daemon as a process of its own. */
const startsDaemon = /\bsrc\/main\.ts\b/

function importGraph(files: readonly SourceFile[], tests: readonly SourceFile[]): Map<string, readonly string[]> {
  const placed = [
    ...files.map(file => ({ file, at: `src/${file.path}` })),
    ...tests.map(file => ({ file, at: file.path })),
  ]
  return new Map(
    placed.map(({ file, at }) => {
      const local = importsOf(file).filter(({ from }) => from.startsWith('.'))
      const started = at.startsWith('test/') && startsDaemon.test(file.text) ? ['src/main.ts'] : []
      return [at, [...local.map(({ from }) => join(dirname(at), from)), ...started]]
    }),
  )
}

function reach(edges: ReadonlyMap<string, readonly string[]>, from: string): ReadonlySet<string> {
  const seen = new Set([from])
  for (const path of seen) for (const next of edges.get(path) ?? []) seen.add(next) // Sets iterate over what is added.
  return seen
}
