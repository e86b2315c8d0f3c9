import { Configuration } from '../errors.ts'
import { BoundedRegex } from './bounded-regex.ts'

/** Whether a namespace belongs to a pipeline. `collection` is empty for events of a whole database. */
export type Matcher = (db: string, collection: string) => boolean

/** How far a change stream reaches: one collection, one database, or, with neither, the whole deployment. */
export interface Scope {
  readonly db: string | undefined
  readonly collection: string | undefined
}

/** `/source/flags` as a regular expression; undefined where `pattern` is a name. */
function regexOf(pattern: string): BoundedRegex | undefined {
  if (!isRegex(pattern)) return undefined
  const end = pattern.lastIndexOf('/')
  try {
    // g and y would make `test` remember where it was.
    return new BoundedRegex(pattern, pattern.slice(1, end), pattern.slice(end + 1).replace(/[gy]/g, ''))
  } catch (error) {
    throw new Configuration('CONFIG_INVALID', `source.collections: ${pattern} is no regular expression`, {
      cause: error,
    })
  }
}

function isRegex(pattern: string): boolean {
  return pattern.startsWith('/') && pattern.lastIndexOf('/') > 0
}

/** A collection's name may hold dots, a database's cannot. */
function splitName(pattern: string): { readonly db: string; readonly collection: string } {
  const dot = pattern.indexOf('.')
  if (dot < 1 || dot === pattern.length - 1) {
    throw new Configuration('CONFIG_INVALID', `source.collections: ${pattern} is not db.collection, db.* or /regex/`)
  }
  return { db: pattern.slice(0, dot), collection: pattern.slice(dot + 1) }
}

function matcherOf(pattern: string): Matcher {
  const regex = regexOf(pattern)
  if (regex) return (db, collection) => collection !== '' && regex.test(`${db}.${collection}`)
  const wanted = splitName(pattern)
  return (db, collection) =>
    db === wanted.db && (collection === '' || wanted.collection === '*' || collection === wanted.collection)
}

/** Matches what any of `patterns` names; never `system.*` collections. Answers are remembered, up to a bound. */
export function compileMatcher(patterns: readonly string[]): Matcher {
  const matchers = patterns.map(matcherOf)
  const known = new Map<string, boolean>()
  return (db, collection) => {
    const name = `${db}.${collection}`
    const before = known.get(name)
    if (before !== undefined) return before
    const matches = !collection.startsWith('system.') && matchers.some(matcher => matcher(db, collection))
    if (known.size >= 10_000) known.clear()
    known.set(name, matches)
    return matches
  }
}

/** The narrowest scope that holds all of `patterns`. */
export function scopeOf(patterns: readonly string[]): Scope {
  const names = patterns.map(pattern => (isRegex(pattern) ? undefined : splitName(pattern)))
  const first = names[0]
  if (!first || names.some(name => name?.db !== first.db)) return { db: undefined, collection: undefined }
  const one = first.collection !== '*' && names.every(name => name?.collection === first.collection)
  return { db: first.db, collection: one ? first.collection : undefined }
}

/**
 * A match expression on change events that passes what `patterns` name, in a stream over their `scopeOf`; undefined
 * where that stream has nothing else, and for regular expressions, which MongoDB may read differently. Events of a
 * whole database have a namespace without `coll`. MongoDB applies it to the oplog's entries, before it makes events.
 */
export function narrowing(patterns: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  const scope = scopeOf(patterns)
  if (scope.collection !== undefined || patterns.some(isRegex)) return undefined
  const names = patterns.map(splitName)
  const whole = new Set(names.filter(({ collection }) => collection === '*').map(({ db }) => db))
  if (scope.db !== undefined && whole.has(scope.db)) return undefined
  const some = names.filter(({ db }) => !whole.has(db))
  const databases = [...new Set(some.map(({ db }) => db))].map(db => ({ db }))
  const namespaces = [...databases, ...some.map(({ db, collection }) => ({ db, coll: collection }))]
  const clauses = [
    ...(whole.size > 0 ? [{ 'ns.db': { $in: [...whole] } }] : []),
    ...(namespaces.length > 0 ? [{ ns: { $in: namespaces } }] : []),
  ]
  return clauses.length === 1 ? clauses[0] : { $or: clauses }
}

/** Whether a stream over `outer` sees everything that `inner` has. */
export function covers(outer: Scope, inner: Scope): boolean {
  if (outer.db === undefined) return true
  if (outer.db !== inner.db) return false
  return outer.collection === undefined || outer.collection === inner.collection
}
