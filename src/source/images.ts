import { Configuration } from '../errors.ts'
import type { ChangeBatch, ChangeEvent } from '../event.ts'
import type { StreamImages } from './cursor.ts'
import { type Documents, type LookupSettings, lookUp } from './lookup.ts'
import { ImagedEvent, type Images, type RawEvent } from './raw-event.ts'
import type { RawBatch } from './reader.ts'
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

/**
 * The batch as the pipeline's modes want it; the events themselves where the modes change nothing. Throws Configuration
 * SOURCE_IMAGE_MISSING where a required image is not there, and what the lookup throws.
 */
export async function applyImages(
  batch: RawBatch,
  selection: Selection,
  settings: LookupSettings,
  signal: AbortSignal,
): Promise<ChangeBatch> {
  const wanting = batch.events.filter(event => needsLookup(event, selection))
  const last = batch.events.at(-1)
  const documents =
    wanting.length > 0 && last ? await lookUp(settings, wanting, last.position.clusterTime, signal) : undefined
  return { events: imagedEvents(batch.events, selection, documents), position: batch.position, bytes: batch.bytes }
}

/** Inserts and replaces always carry their document. */
function needsLookup(event: RawEvent, { fullDocument, filter }: Selection): boolean {
  if (event.operation !== 'update') return false
  if (fullDocument === 'auto') return event.afterStart === 0
  return fullDocument === 'updateLookup' && filter === undefined
}

/** A new array only where an event changes: of most batches none does. */
function imagedEvents(
  events: readonly RawEvent[],
  selection: Selection,
  documents: Documents | undefined,
): readonly ChangeEvent[] {
  let imaged: ChangeEvent[] | undefined
  for (const [index, event] of events.entries()) {
    const changed = imagesOf(event, selection, documents)
    if (changed) imaged ??= events.slice(0, index)
    imaged?.push(changed ? new ImagedEvent(event, changed) : event)
  }
  return imaged ?? events
}

/** What the event shall have instead of its own images; undefined where those are right. */
function imagesOf(event: RawEvent, selection: Selection, documents: Documents | undefined): Images | undefined {
  const { operation } = event
  if (!changing.has(operation)) return undefined
  refuseMissing(event, selection)
  const dropsBefore = event.beforeStart !== 0 && selection.fullDocumentBeforeChange === 'default'
  const before = dropsBefore ? undefined : event.before
  if (operation === 'update') {
    const { fullDocument } = selection
    if (fullDocument === 'updateLookup' || (fullDocument === 'auto' && event.afterStart === 0)) {
      // Without `documents` MongoDB has looked it up.
      const after = documents ? documents.get(event) : event.after
      return { before, after, label: after ? 'later' : 'missing' }
    }
    if (fullDocument === 'default' && event.afterStart !== 0) return { before, after: undefined, label: 'none' }
  }
  if (!dropsBefore) return undefined
  return { before, after: event.after, label: operation === 'delete' ? 'none' : event.label }
}

function refuseMissing(event: RawEvent, selection: Selection): void {
  const noAfter = selection.fullDocument === 'required' && event.operation === 'update' && event.afterStart === 0
  const noBefore = selection.fullDocumentBeforeChange === 'required' && event.beforeStart === 0
  if (!noAfter && !noBefore) return
  const which = noAfter ? 'post-image' : 'pre-image'
  const place = `${event.db}.${event.collection} at ${event.position}`
  throw new Configuration('SOURCE_IMAGE_MISSING', `the ${which} of a change of ${place} is required and not there`)
}
