import { readFileSync } from 'node:fs'

/** Node's options in the first line of `main`: what the daemon runs with where it is started as a command. */
export function nodeOptionsOf(main: string): readonly string[] {
  const [first = ''] = readFileSync(main, 'utf8').split('\n', 1)
  return first.split(' ').filter(word => word.startsWith('--'))
}
