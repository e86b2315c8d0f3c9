import { Configuration } from '../errors.ts'
import type { ChangeBatch } from '../event.ts'
import type { StreamImages } from './cursor.ts'
import type { Images, RawEvent } from './envelope.ts'
import { type Documents, type LookupSettings, lookUp } from './lookup.ts'
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
 * The batch as the pipeline's modes want it. Throws Configuration SOURCE_IMAGE_MISSING where a required image is not
 * there, and what the lookup throws.
 */
export async function applyImages(
  batch: RawBatch,
  selection: Selection,
  settings: LookupSettings,
  signal: AbortSignal,
): Promise<ChangeBatch> {
  const { fullDocument } = selection
  const wanting = batch.events.filter(event => needsLookup(event, selection))
  const last = batch.events.at(-1)
  const documents =
    wanting.length > 0 && last ? await lookUp(settings, wanting, last.position.clusterTime, signal) : undefined
  const events = batch.events.map(event => {
    if (changing.has(event.operation)) refuseMissing(event, selection)
    return event.withImages(imagesOf(event, selection, documents, fullDocument))
  })
  return { events, position: batch.position, bytes: batch.bytes }
}

/** Inserts and replaces always carry their document. */
function needsLookup(event: RawEvent, { fullDocument, filter }: Selection): boolean {
  if (event.operation !== 'update') return false
  if (fullDocument === 'auto') return event.after === undefined
  return fullDocument === 'updateLookup' && filter === undefined
}

function refuseMissing(event: RawEvent, selection: Selection): void {
  const noAfter = selection.fullDocument === 'required' && event.operation === 'update' && !event.after
  const noBefore = selection.fullDocumentBeforeChange === 'required' && !event.before
  if (!noAfter && !noBefore) return
  const which = noAfter ? 'post-image' : 'pre-image'
  const place = `${event.db}.${event.collection} at ${event.position}`
  throw new Configuration('SOURCE_IMAGE_MISSING', `the ${which} of a change of ${place} is required and not there`)
}

function imagesOf(
  event: RawEvent,
  selection: Selection,
  documents: Documents | undefined,
  mode: Selection['fullDocument'],
): Images {
  const before = selection.fullDocumentBeforeChange === 'default' ? undefined : event.before
  if (event.operation === 'update') return { before, ...updated(event, mode, documents) }
  const document = event.after ?? (event.operation === 'delete' ? before : undefined)
  return { before, after: event.after, label: document ? 'exact' : 'none' }
}

function updated(
  event: RawEvent,
  mode: Selection['fullDocument'],
  documents: Documents | undefined,
): Pick<Images, 'after' | 'label'> {
  if (mode === 'default') return { after: undefined, label: 'none' }
  if (mode === 'updateLookup' || (mode === 'auto' && !event.after)) {
    // Without `documents` MongoDB has looked it up.
    const after = documents ? documents.get(event) : event.after
    return { after, label: after ? 'later' : 'missing' }
  }
  return { after: event.after, label: event.after ? 'exact' : 'none' }
}
