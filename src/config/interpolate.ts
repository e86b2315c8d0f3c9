export type Environment = Readonly<Record<string, string | undefined>>

/** What placeholders are replaced from. */
export interface Interpolation {
  readonly env: Environment
  /** Reads a text file; throws where it cannot. */
  readonly readFile: (path: string) => string
  /** Told every variable that is named, whether defined or not. */
  readonly onVariable: (name: string) => void
}

export interface Interpolated {
  readonly text: string
  /** What could not be replaced, and why; empty where all could. */
  readonly errors: readonly string[]
}

/**
 * Replaces `${VAR}`, `${VAR:-default}` (where VAR is absent or empty) and `${file:/path}` (without one final newline)
 * in one scalar. `$${` stands for `${`. What was put in is not read again, so no value can smuggle in another.
 */
export function interpolate(text: string, from: Interpolation): Interpolated {
  const errors: string[] = []
  const replaced = text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, inside: string | undefined, end: string) => {
    if (inside === undefined) return '${'
    const found = end === '}' ? replacement(inside, from) : malformed()
    if ('text' in found) return found.text
    errors.push(found.error)
    return whole
  })
  return { text: replaced, errors }
}

type Found = { readonly text: string } | { readonly error: string }

function malformed(): Found {
  const forms = '$' + '{NAME}, $' + '{NAME:-default} or $' + '{file:/path}'
  return { error: `unreadable placeholder: write ${forms}; $$\{ stands for $\{ itself` }
}

function replacement(inside: string, from: Interpolation): Found {
  if (inside.startsWith('file:')) return fileContent(inside.slice('file:'.length), from)
  const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/.exec(inside)
  if (!match) return malformed()
  const [, name = '', fallback] = match
  from.onVariable(name)
  const value = Object.hasOwn(from.env, name) ? from.env[name] : undefined
  if (fallback !== undefined) return { text: value || fallback }
  if (value !== undefined) return { text: value }
  return { error: `environment variable ${name} is not set: set it, or give a default: $\{${name}:-…}` }
}

function fileContent(path: string, from: Interpolation): Found {
  if (path === '') return malformed()
  try {
    return { text: from.readFile(path).replace(/\r?\n$/, '') }
  } catch (error) {
    // The code alone (ENOENT, EACCES): a message might quote what was read.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return { error: `cannot read file ${path}: ${code}` }
  }
}
