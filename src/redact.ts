import { type Secret, Secrets } from './secret.ts'

/** Turns text that others wrote (error messages, stacks) into text that may be shown: no credentials, no contents (G9). */
export type Redact = (text: string) => string

/** Longer text is cut: a log line and a status page have limits (G7). */
const limitChars = 2_048
const mark = '[redacted]'

const words = 'passwords?|passwd|passphrase|pwd|secrets?|tokens?|api[-_]?key|access[-_]?key|private[-_]?key|_data'
const patterns: readonly (readonly [RegExp, string])[] = [
  // Credentials of a URI. Greedy, up to the last @ of the word: passwords are not always escaped as they should be.
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>]*@/gi, `$1${mark}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, mark],
  [/\b(authorization\\?["']?\s*[:=]\s*)(?:\w+\s+)?\S+/gi, `$1${mark}`],
  [/\b(bearer\s+)[\w.~+/=-]{8,}/gi, `$1${mark}`],
  // name=value, name: value, "name":"value", also inside quoted JSON.
  [new RegExp(`((?:${words})\\\\?["']?\\s*[:=]\\s*)(?:\\\\?"[^"]*"|'[^']*'|[^\\s,;&}"']+)`, 'gi'), `$1${mark}`],
  // MongoDB quotes documents in these two messages: duplicate key, and BSONObj size (where it quotes the resume token).
  [/(dup key: )[\s\S]*$/i, `$1${mark}`],
  [/(First element: )[\s\S]*$/i, `$1${mark}`],
  // $convert and its kin in a filter, and JSON.parse, quote the value that they could not read.
  [/\b((?:pars|conver)(?:e|ing|t)\b[^'"\n]*)(?:'[\s\S]*'|"[\s\S]*")/gi, `$1${mark}`],
  [/^(Unexpected token )[\s\S]*( is not valid JSON)/, `$1${mark}$2`],
]
/**
 * A document that a server quotes, `{ _id: "…" }` or `{"_id":"…"}`: from its brace to the last one, or to the end
 * where that was cut off.
 */
const documentStart = /\{\s*["']?[^\s"'{}:,]{1,128}["']?\s*:/

/** Terminals and log viewers act on these: escapes, line separators, marks that turn the direction of text around. */
const acting = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu

/** A cut may have removed the @ that gives a URI's credentials away. */
const cutUri = /\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>/]*$/i

/**
 * A redactor that knows patterns of credentials and, better, the secrets themselves: their values are removed wherever
 * they stand, bare or percent-encoded, and the password inside of a URI too. Secrets under four characters are left to
 * the patterns: removing every `abc` would only garble the text. What `secrets` learns later is removed from then on.
 */
export function createRedact(secrets: readonly Secret[] | Secrets = []): Redact {
  const known = secrets instanceof Secrets ? secrets : new Secrets(secrets)
  let revision = known.revision
  let values = valuesOf(known.all)
  return text => {
    if (revision !== known.revision) {
      revision = known.revision
      values = valuesOf(known.all)
    }
    // A cut at twice the limit keeps the patterns cheap; what it splits is far behind the final cut.
    let safe = text.length > 2 * limitChars ? text.slice(0, 2 * limitChars).replace(cutUri, `$1${mark}`) : text
    for (const value of values) safe = safe.replaceAll(value, mark)
    for (const [pattern, replacement] of patterns) safe = safe.replace(pattern, replacement)
    safe = withoutDocument(safe).replace(acting, each => (each === '\n' || each === '\t' ? each : escaped(each)))
    return safe.length > limitChars ? `${safe.slice(0, limitChars)}… [cut]` : safe
  }
}

function valuesOf(secrets: readonly Secret[]): readonly string[] {
  return [...new Set(secrets.flatMap(secret => spellings(secret.reveal())))]
    .filter(value => value.length >= 4)
    .sort((a, b) => b.length - a.length) // The longest first, or its own part would split it.
}

/** `text` in one line, for where a line is a message: names of collections may hold line breaks. */
export function oneLine(text: string): string {
  return text.replace(acting, escaped)
}

function escaped(character: string): string {
  const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
  return names[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function withoutDocument(text: string): string {
  const start = text.search(documentStart)
  if (start < 0) return text
  const end = text.lastIndexOf('}')
  return `${text.slice(0, start)}{${mark}}${end < start ? '' : text.slice(end + 1)}`
}

function spellings(value: string): string[] {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^:@/]*:(.*)@/i.exec(value)?.[1]
  return [value, value.trim(), ...(password === undefined ? [] : [password, decoded(password)])].flatMap(each => [
    each,
    encodeURIComponent(each.toWellFormed()),
    JSON.stringify(each).slice(1, -1),
  ])
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // Not percent-encoded after all.
  }
}
