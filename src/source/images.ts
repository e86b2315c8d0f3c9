import { Configuration } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { StreamImages } from './cursor.ts'
import type { Slice, Wanted } from './lookup.ts'
import { ImagedEvent, type Images, type RawEvent } from './raw-event.ts'
import type { Selection } from './source.ts'

type Modes = Pick<Selection, 'fullDocument' | 'fullDocumentBeforeChange'>

/**
 * What a stream of several pipelines must ask for so that each can have its mode. `required` is checked on our side:
 * on the stream it would stop all of them with code 47.
 */
export function sharedImages(all: readonly Modes[]): StreamImages {
  const after = all.some(modes => !['default', 'updateLookup'].includes(modes.fullDocument))
  const before = all.some(modes => modes.fullDocumentBeforeChange !== 'default')
  return { after: after ? 'whenAvailable' : 'default', before: before ? 'whenAvailable' : 'default' }
}

/** A filter may look at the document, so MongoDB itself must look it up there. */
export function ownImages(selection: Selection): StreamImages {
  const shared = sharedImages([selection])
  const byServer = selection.filter !== undefined && selection.fullDocument === 'updateLookup'
  return byServer ? { ...shared, after: 'updateLookup' } : shared
}

/** Operations whose event has a pre-image where the collection keeps them. */
const changing: ReadonlySet<string> = new Set(['update', 'replace', 'delete'])

/** Whether the document of `event` is looked up on our side. Inserts and replaces always carry theirs. */
export function needsLookup(event: RawEvent, { fullDocument, filter }: Selection): boolean {
  if (event.operation !== 'update' || event.poison !== undefined) return false
  if (fullDocument === 'auto') return !event.hasAfter
  return fullDocument === 'updateLookup' && filter === undefined
}

/** Whether `needsLookup` can be true at all. */
export function mayLookUp({ fullDocument, filter }: Selection): boolean {
  return fullDocument === 'auto' || (fullDocument === 'updateLookup' && filter === undefined)
}

/**
 * The slice's events as the pipeline's modes want them; the events themselves where the modes change nothing, which is
 * so for most batches. Throws Configuration SOURCE_IMAGE_MISSING where a required image is not there.
 */
export function imagedEvents(
  events: readonly RawEvent[],
  { start, end, wanted }: Slice,
  selection: Selection,
): readonly ChangeEvent[] {
  let imaged: ChangeEvent[] | undefined
  for (let i = start; i < end; i++) {
    const event = events[i]!
    const images = imagesOf(event, selection, wanted[i])
    if (images) imaged ??= events.slice(start, i)
    imaged?.push(images ? new ImagedEvent(event, images) : event)
  }
  return imaged ?? (end - start === events.length ? events : events.slice(start, end))
}

/** What the event shall have instead of its own images; undefined where those are right. */
function imagesOf(event: RawEvent, selection: Selection, wanted: Wanted | undefined): Images | undefined {
  const { operation } = event
  if (!changing.has(operation) || event.poison !== undefined) return undefined
  refuseMissing(event, selection)
  const dropsBefore = event.hasBefore && selection.fullDocumentBeforeChange === 'default'
  const before = dropsBefore ? undefined : event.before
  if (operation === 'update') {
    const { fullDocument } = selection
    if (fullDocument === 'updateLookup' || (fullDocument === 'auto' && !event.hasAfter)) {
      // What was not wanted from us MongoDB has looked up.
      const after = wanted ? wanted.document : event.after
      return { before, after, label: after ? 'later' : 'missing' }
    }
    if (fullDocument === 'default' && event.hasAfter) return { before, after: undefined, label: 'none' }
  }
  if (!dropsBefore) return undefined
  return { before, after: event.after, label: operation === 'delete' ? 'none' : event.label }
}

function refuseMissing(event: RawEvent, selection: Selection): void {
  const noAfter = selection.fullDocument === 'required' && event.operation === 'update' && !event.hasAfter
  const noBefore = selection.fullDocumentBeforeChange === 'required' && !event.hasBefore
  if (!noAfter && !noBefore) return
  const which = noAfter ? 'post-image' : 'pre-image'
  const place = `${event.db}.${event.collection} at ${event.position}`
  throw new Configuration('SOURCE_IMAGE_MISSING', `the ${which} of a change of ${place} is required and not there`)
}
