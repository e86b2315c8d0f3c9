import type { StreamImages } from './cursor.ts'
import { ownImages, sharedImages } from './images.ts'
import { compileMatcher, covers, type Matcher, narrowing, type Scope, scopeOf } from './match.ts'
import type { Selection } from './source.ts'

/** How a change stream is opened. */
export interface Opening {
  readonly scope: Scope
  readonly images: StreamImages
  readonly filter: Selection['filter']
}

/**
 * Which selections can read one stream: all that have no filter; else the same pipeline with the same settings, for
 * MongoDB evaluates the filter for each stream, whatever the slot.
 */
export function kindOf({ pipeline, collections, filter, fullDocument, fullDocumentBeforeChange }: Selection): string {
  if (!filter) return 'shared'
  return JSON.stringify([pipeline, collections, filter, fullDocument, fullDocumentBeforeChange])
}

/** What a change stream must bring for those who read it: selections of one kind, at least one. */
export class Plan {
  readonly #patterns: ReadonlySet<string>
  readonly #scope: Scope
  readonly #images: StreamImages
  readonly #filter: Selection['filter']
  readonly #narrowing: Selection['filter']
  /** What any of them wants. */
  readonly matches: Matcher

  constructor(selections: readonly Selection[]) {
    const patterns = [...new Set(selections.flatMap(({ collections }) => collections))]
    this.#patterns = new Set(patterns)
    this.#scope = scopeOf(patterns)
    const own = selections.find(({ filter }) => filter)
    this.#filter = own?.filter
    this.#images = own ? ownImages(own) : sharedImages(selections)
    this.#narrowing = own ? undefined : narrowing(patterns)
    this.matches = compileMatcher(patterns)
  }

  /** `narrow`: MongoDB leaves out what nobody wants. */
  opening(narrow: boolean): Opening {
    return { scope: this.#scope, images: this.#images, filter: narrow ? this.#narrowing : this.#filter }
  }

  /** Whether a stream that was opened so, wide or narrow, brings all that one more reader wants. */
  covers(selection: Selection, narrow: boolean): boolean {
    const { after, before } = sharedImages([selection])
    if (after !== 'default' && this.#images.after === 'default') return false
    if (before !== 'default' && this.#images.before === 'default') return false
    if (selection.collections.every(pattern => this.#patterns.has(pattern))) return true
    return !narrow && covers(this.#scope, scopeOf(selection.collections))
  }

  /** Whether a stream that was opened as `open` says could bring less, and this plan would still be served. */
  isLessThan(open: Plan): boolean {
    return this.#narrowing !== undefined || JSON.stringify(this.#scope) !== JSON.stringify(open.#scope)
  }
}
