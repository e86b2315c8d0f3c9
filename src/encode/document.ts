import type { ChangeEvent, Span } from '../event.ts'

/**
 * Shape `document`: what follows from an event: its after-image, `tombstone` for a delete, and nothing where there is
 * no document (`missing`: its delete follows; drop, rename, invalidate: they concern no single document).
 */
export function documentOf(event: ChangeEvent): Span | 'tombstone' | undefined {
  if (event.documentKey === undefined) return undefined
  return event.operation === 'delete' ? 'tombstone' : event.after
}
