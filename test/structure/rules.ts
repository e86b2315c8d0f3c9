import { dirname, join } from 'node:path/posix'
import { mayImport, packages, roomOf, rooms, words } from './rooms.ts'
import { dotted, importsOf, isNode, isReference, lineAt, nameOf, type SourceFile, type Visited } from './syntax.ts'

export interface Violation {
  readonly file: string
  readonly line: number
  readonly rule: string
  readonly remedy: string
}

export const maxFileLines = 300
export const maxFunctionLines = 70

type Found = readonly { readonly at: number; readonly rule: string; readonly remedy: string }[]
type Rule = (file: SourceFile) => Found

/** All violations of one file, in the order of its lines. */
export function violations(file: SourceFile): Violation[] {
  return [places, imports, builtins, time, environment, processUse, exportsUse, types, sizes, leftovers]
    .flatMap(rule => rule(file))
    .map(({ at, rule, remedy }) => ({ file: `src/${file.path}`, line: lineAt(file.text, at), rule, remedy }))
    .sort((a, b) => a.line - b.line)
}

const places: Rule = ({ path }) => {
  const room = roomOf(path)
  if (room === undefined && (path === 'main.ts' || words.has(path))) return []
  if (room !== undefined && room in rooms) return []
  return [
    {
      at: 0,
      rule: 'every file of src is main.ts, a shared word, or in a room',
      remedy: 'move it into a room; a new word or room is a decision: docs/architecture.md and test/structure/rooms.ts',
    },
  ]
}

/** The file below src that a relative import names; undefined for packages. */
export function target(path: string, from: string): string | undefined {
  return from.startsWith('.') ? join(dirname(path), from) : undefined
}

const imports: Rule = file =>
  importsOf(file).flatMap(({ from, node }) => {
    const at = node.start
    const to = target(file.path, from)
    if (to === undefined) return from.startsWith('node:') ? [] : packageImport(file.path, from, at)
    if (to === '../package.json' || mayImport(file.path, to)) return []
    const remedy = 'let the caller pass it in, or move what both need into a word (docs/architecture.md, rooms)'
    return [{ at, rule: `${roomOf(file.path) ?? 'a word'} must not import ${to}`, remedy }]
  })

function packageImport(path: string, from: string, at: number): Found {
  const name = /^(@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from
  const allowed = packages[name]
  if (allowed === undefined) {
    return [
      { at, rule: `${name} is not a dependency known here`, remedy: 'add it to test/structure/rooms.ts with its room' },
    ]
  }
  if (allowed.some(place => path.startsWith(place))) return []
  return [{ at, rule: `${name} is imported only in ${allowed.join(', ')}`, remedy: 'use the interface of that room' }]
}

const chanceOfCrypto = new Set(['randomBytes', 'randomUUID', 'randomInt', 'randomFillSync', 'webcrypto'])

const builtins: Rule = file => {
  if (file.path === 'clock.ts') return []
  return importsOf(file).flatMap(({ from, names, node }) => {
    const yields = roomOf(file.path) === 'source' && names.every(name => name === 'setImmediate')
    if (/^(node:)?timers/.test(from) && !yields) return [{ at: node.start, ...timeRule }]
    if (/^(node:)?perf_hooks$/.test(from)) return [{ at: node.start, ...timeRule }]
    if (/^(node:)?crypto$/.test(from) && names.some(name => chanceOfCrypto.has(name)))
      return [{ at: node.start, ...timeRule }]
    if (/^(node:)?process$/.test(from)) return [{ at: node.start, ...globalProcess }]
    return []
  })
}

const timeRule = {
  rule: 'time and chance come only from clock.ts',
  remedy: 'take a Clock (nowMs, sleep, random), so that the simulation can replace it',
}
const globalProcess = { rule: 'process is used by its global name', remedy: 'drop the import or the destructuring' }

const timeCalls = new Set(
  ['Date.now', 'Math.random', 'performance.now', 'process.hrtime', 'AbortSignal.timeout', 'crypto.randomUUID'].concat(
    ['crypto.getRandomValues', 'setTimeout', 'setInterval', 'setImmediate'], // As globalThis.setTimeout.
  ),
)
const timers = new Set(['setTimeout', 'setInterval', 'setImmediate'])

const time: Rule = file => {
  if (file.path === 'clock.ts') return []
  const mayYield = roomOf(file.path) === 'source'
  return file.nodes.flatMap(visited => {
    const { node } = visited
    const name = isReference(visited) ? nameOf(node) : dotted(node)
    const isNow = /^(NewExpression|CallExpression)$/.test(node.type) && nameOf(node.callee) === 'Date'
    const noArguments = Array.isArray(node.arguments) && node.arguments.length === 0
    if (isNow && (node.type === 'CallExpression' || noArguments)) return [{ at: node.start, ...timeRule }]
    const isTime = node.type === 'Identifier' ? timers.has(name) : timeCalls.has(name)
    return isTime && !(mayYield && name === 'setImmediate') ? [{ at: node.start, ...timeRule }] : []
  })
}

const environment: Rule = file => {
  if (roomOf(file.path) === 'config') return []
  const remedy = 'take the value as a parameter; config/ reads the environment once'
  return file.nodes
    .filter(({ node }) => dotted(node) === 'process.env')
    .map(({ node }) => ({ at: node.start, rule: 'process.env is read only in config/', remedy }))
}

const processUse: Rule = file => {
  if (file.path === 'main.ts') return []
  const remedy = 'return, throw, or take an AbortSignal; main.ts decides about signals and exit codes'
  return file.nodes.flatMap(visited => {
    const { node, parent } = visited
    if (node.type === 'VariableDeclarator' && nameOf(node.init) === 'process')
      return [{ at: node.start, ...globalProcess }]
    if (!/^process\.(on|once|addListener|prependListener|exit|exitCode|abort|reallyExit)$/.test(dotted(node))) return []
    if (roomOf(file.path) === 'services' && hooksExit(visited)) return []
    if (parent === undefined) return []
    return [{ at: node.start, rule: `${dotted(node)} stands only in main.ts`, remedy }]
  })
}

/** `process.on('exit', …)`: services end their child processes there. */
function hooksExit({ node, parent }: Visited): boolean {
  const first = Array.isArray(parent?.arguments) ? parent.arguments[0] : undefined
  return /^process\.(on|once)$/.test(dotted(node)) && nameOf(first) === 'exit'
}

const exportsUse: Rule = file =>
  file.nodes.flatMap(({ node }) => {
    const isDefault =
      node.type === 'ExportDefaultDeclaration' ||
      (node.type === 'ExportSpecifier' && nameOf(node.exported) === 'default')
    if (isDefault) return [{ at: node.start, rule: 'no default exports', remedy: 'export it by its name' }]
    if (node.type !== 'ExportAllDeclaration') return []
    return [{ at: node.start, rule: 'no barrels', remedy: 'import from the file that defines the name' }]
  })

const types: Rule = file =>
  file.nodes
    .filter(({ node }) => node.type === 'TSAnyKeyword')
    .map(({ node }) => ({ at: node.start, rule: 'no any', remedy: 'use unknown and narrow it, or name the type' }))

const sizes: Rule = file => {
  const fileLines = file.text.trimEnd().split('\n').length
  const long = file.nodes.flatMap(({ node }) => {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) || !isNode(node.body))
      return []
    const lines = lineAt(file.text, node.end) - lineAt(file.text, node.start) + 1
    if (lines <= maxFunctionLines) return []
    const rule = `functions have at most ${maxFunctionLines} lines, this one ${lines}`
    return [{ at: node.start, rule, remedy: 'push loops down, decisions up, and name the parts' }]
  })
  if (fileLines <= maxFileLines) return long
  const rule = `files have at most ${maxFileLines} lines, this one ${fileLines}`
  return [{ at: 0, rule, remedy: 'a file has one job: split it by its nouns' }, ...long]
}

const leftover = new RegExp(`\\b(TO${'DO'}|FIX${'ME'}|X${'XX'})\\b`, 'g')

const leftovers: Rule = file =>
  [...file.text.matchAll(leftover)].map(match => ({
    at: match.index,
    rule: `no ${match[0]}`,
    remedy: 'do it now, or open an issue and leave the code whole',
  }))
