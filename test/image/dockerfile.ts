import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Of the repository. */
export const root = new URL('../..', import.meta.url).pathname
export const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** One instruction of a Dockerfile, its lines joined: `RUN`, `ln -s a b`. */
export interface Instruction {
  readonly name: string
  readonly rest: string
}

/** What begins with a FROM. */
export interface Stage {
  readonly from: string
  readonly instructions: readonly Instruction[]
}

/** The instructions before the first FROM, and the stages. */
export function parseDockerfile(text: string): {
  readonly head: readonly Instruction[]
  readonly stages: readonly Stage[]
} {
  const lines = text.split('\n').filter(line => !/^\s*#/.test(line))
  const joined = lines.join('\n').replaceAll(/\\\n\s*/g, ' ')
  const all = joined.split('\n').flatMap((line): Instruction[] => {
    const [, name, rest] = /^\s*([A-Za-z]+)\s+(.*\S)\s*$/.exec(line) ?? []
    return name === undefined || rest === undefined ? [] : [{ name: name.toUpperCase(), rest }]
  })
  const first = all.findIndex(({ name }) => name === 'FROM')
  const head = all.slice(0, first)
  const stages: { from: string; instructions: Instruction[] }[] = []
  for (const instruction of all.slice(first)) {
    if (instruction.name === 'FROM') stages.push({ from: instruction.rest, instructions: [] })
    else stages.at(-1)?.instructions.push(instruction)
  }
  return { head, stages }
}

/** The last stage of our Dockerfile: what becomes the image. */
export function imageStage(): Stage {
  const last = parseDockerfile(read('Dockerfile')).stages.at(-1)
  if (!last) throw new Error('the Dockerfile has no FROM')
  return last
}

/** What stands behind the only instruction of that name. */
export function only({ instructions }: Stage, name: string): string {
  const found = instructions.filter(instruction => instruction.name === name)
  const [instruction] = found
  if (!instruction || found.length > 1) throw new Error(`${found.length} times ${name} in the last stage`)
  return instruction.rest
}

/** `NAME=value` of the stage's ENV instructions. */
export function environmentOf({ instructions }: Stage): Readonly<Record<string, string>> {
  const pairs = instructions.filter(({ name }) => name === 'ENV').map(({ rest }) => rest.split(/=(.*)/s).slice(0, 2))
  return Object.fromEntries(pairs) as Record<string, string>
}

/** What .dockerignore lets into the build. */
export function contextPaths(): string[] {
  return [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(match => match[1]!)
}
