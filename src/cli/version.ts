import { readFileSync } from 'node:fs'

const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** This release, from package.json. */
export const version = String((manifest as { readonly version?: unknown }).version)
