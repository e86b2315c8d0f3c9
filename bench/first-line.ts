import { readFileSync } from 'node:fs'

/** What a command's first line starts it with: variables, and options of Node. */
export interface FirstLine {
  readonly env: Readonly<Record<string, string>>
  readonly options: readonly string[]
}

/** That of `main`, for those who start it by Node's own path and still want what users run: `#!/usr/bin/env -S A=1 node --b`. */
export function firstLineOf(main: string): FirstLine {
  const [first = ''] = readFileSync(main, 'utf8').split('\n', 1)
  const words = first.split(' ').slice(2)
  const variables = words.slice(0, words.indexOf('node')).map(word => word.split('='))
  return { env: Object.fromEntries(variables), options: words.filter(word => word.startsWith('--')) }
}
