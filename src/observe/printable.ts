import { Position } from '../position.ts'
import type { Redact } from '../redact.ts'
import { Secret } from '../secret.ts'

/** What JSON can hold. */
export type Printable = string | number | boolean | null | Printable[] | { [name: string]: Printable }

const maxDepth = 8
const maxEntries = 50
const lineLimitChars = 16_384
const mark = '[redacted]'

/** Never printed, whatever they hold. */
const secretName =
  /^(.*(password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key)|authorization|credentials?)$/i
/** Document contents, by MongoDB's names and ours. */
const contentName =
  /^(_id|_data|fullDocument|fullDocumentBeforeChange|documentKey|updateDescription|docs?|document|after|before|raw|key|value|event|record|headers)$/

/** What one log line may still hold, in characters before JSON's escapes. */
interface Budget {
  leftChars: number
}

/**
 * A copy of `fields` that may be printed: credentials and document contents removed, text redacted, depth, width and
 * total size bounded. Of errors only name, code, message, remedy, stack, cause and errors are kept, since drivers hang
 * replies, commands and documents on them; of other classes' instances only the class name.
 */
export function printable(fields: Readonly<Record<string, unknown>>, redact: Redact): Record<string, Printable> {
  const budget: Budget = { leftChars: lineLimitChars }
  try {
    return entries(Object.entries(fields), redact, budget, 0)
  } catch {
    return { fields: '[unprintable]' } // A getter threw; the log must not be what stops a pipeline.
  }
}

function entries(
  pairs: readonly (readonly [string, unknown])[],
  redact: Redact,
  budget: Budget,
  depth: number,
): Record<string, Printable> {
  const result: Record<string, Printable> = {}
  for (const [name, value] of pairs.slice(0, maxEntries)) {
    if (value === undefined) continue
    const hidden = secretName.test(name) || contentName.test(name)
    result[text(name, redact, budget)] = hidden ? mark : print(value, redact, budget, depth)
  }
  if (pairs.length > maxEntries) result.cut = `${pairs.length - maxEntries} more`
  return result
}

function print(value: unknown, redact: Redact, budget: Budget, depth: number): Printable {
  if (budget.leftChars <= 0 || depth > maxDepth) return '[cut]'
  switch (typeof value) {
    case 'string':
      return text(value, redact, budget)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
      return value
    case 'bigint':
      return text(value.toString(), redact, budget)
    case 'object':
      return value === null ? null : object(value, redact, budget, depth)
    default:
      return `[${typeof value}]`
  }
}

function object(value: object, redact: Redact, budget: Budget, depth: number): Printable {
  if (value instanceof Secret) return mark
  if (value instanceof Position) return text(value.toString(), redact, budget) // Its token holds the documentKey.
  if (value instanceof Error) return error(value, redact, budget, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof URL) return text(value.href, redact, budget)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) {
    const items = value.slice(0, maxEntries).map(item => print(item, redact, budget, depth + 1))
    return value.length > maxEntries ? [...items, `${value.length - maxEntries} more`] : items
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return `[${value.constructor?.name ?? 'object'}]`
  return entries(Object.entries(value), redact, budget, depth + 1)
}

function error(value: Error, redact: Redact, budget: Budget, depth: number): Printable {
  const { name, message, stack, cause } = value
  const { code, remedy, errors } = value as { code?: unknown; remedy?: unknown; errors?: unknown }
  const frames = stack?.split('\n').filter(line => /^\s+at /.test(line)) // The message once, without the stack's copy.
  const kept = { type: name, code, message, remedy, stack: frames?.slice(0, 20).join('\n'), cause, errors }
  return entries(Object.entries(kept), redact, budget, depth + 1)
}

function text(value: string, redact: Redact, budget: Budget): string {
  const safe = redact(value)
  const fitting = safe.length > budget.leftChars ? `${safe.slice(0, Math.max(0, budget.leftChars))}… [cut]` : safe
  budget.leftChars -= fitting.length
  return fitting
}
