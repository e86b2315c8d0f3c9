import { target } from './rules.ts'
import { importsOf, type SourceFile } from './syntax.ts'

/** Each cycle of imports once, as the paths along it; type imports count, since they join the files all the same. */
export function cycles(files: readonly SourceFile[]): string[][] {
  const edges = new Map(
    files.map(file => [file.path, importsOf(file).flatMap(({ from }) => target(file.path, from) ?? [])]),
  )
  const found: string[][] = []
  const done = new Set<string>()
  const walk = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) found.push([...trail.slice(at), path])
    if (at >= 0 || done.has(path)) return
    for (const next of edges.get(path) ?? []) walk(next, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) walk(path, [])
  return found
}
