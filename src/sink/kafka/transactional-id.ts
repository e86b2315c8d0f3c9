/**
 * The transactional id of a pipeline on a slot, for ever: `NAME.PIPELINE.SLOT`. A dot within a name stands as `%2E`, or
 * deployment `a.b` with pipeline `c` and deployment `a` with pipeline `b.c` would fence each other. No name has a `%`.
 */
export function transactionalIdOf(deployment: string, pipeline: string, slot: number): string {
  return [escaped(deployment), escaped(pipeline), slot].join('.')
}

function escaped(name: string): string {
  return name.replaceAll('.', '%2E')
}
