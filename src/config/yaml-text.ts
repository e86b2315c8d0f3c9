import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { type Path, toPointer } from './pointer.ts'
import { setOwn, type Tree } from './tree.ts'

/** Line and column, from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** A YAML text as a tree, with the place of every key and value by pointer. */
export interface YamlText {
  readonly root: unknown
  readonly keys: ReadonlyMap<string, Place>
  readonly values: ReadonlyMap<string, Place>
  readonly errors: readonly { readonly place: Place; readonly pointer: string; readonly message: string }[]
}

/** Replaces the text of one scalar; `errors` are reported at its place. */
export type ScalarFilter = (text: string) => { readonly text: string; readonly errors: readonly string[] }

const maxCharacters = 1_000_000
const maxDepth = 100
const maxNodes = 100_000

/** Parses `text`, putting every text scalar (not keys) through `filter`. Never throws. */
export function readYaml(text: string, filter: ScalarFilter): YamlText {
  const lines = new LineCounter()
  const tooLong = text.length > maxCharacters
  // The library compares every key with all others of its map; ours are found again on the way through the tree.
  const document = parseDocument(tooLong ? '' : text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const reader = new Reader(lines, filter)
  if (tooLong) reader.fail(0, [], `the file is longer than ${maxCharacters} characters`)
  for (const error of [...document.errors, ...document.warnings]) {
    // The parser's words would quote what may be a password that begins with an exclamation mark (G9).
    const tag = error.code === 'TAG_RESOLVE_FAILED'
    reader.fail(error.pos[0], [], tag ? 'unknown tag: put a value that begins with ! into quotes' : error.message)
  }
  const root = reader.read(document.contents, [], 0)
  return { root, keys: reader.keys, values: reader.values, errors: reader.errors }
}

class Reader {
  readonly keys = new Map<string, Place>()
  readonly values = new Map<string, Place>()
  readonly errors: { place: Place; pointer: string; message: string }[] = []
  readonly #lines: LineCounter
  readonly #filter: ScalarFilter
  /** The node that each anchor names at this place of the text; to look for it anew at each alias takes seconds. */
  readonly #anchors = new Map<string, unknown>()
  #nodes = 0
  /** How many aliases are being followed: anchors in what they name stand elsewhere. */
  #following = 0

  constructor(lines: LineCounter, filter: ScalarFilter) {
    this.#lines = lines
    this.#filter = filter
  }

  fail(offset: number, path: Path, message: string): void {
    this.errors.push({ place: this.#place(offset), pointer: toPointer(path), message })
  }

  /** Bounded in depth and size: aliases can make a small text a huge tree, or an endless one. */
  read(node: unknown, path: Path, depth: number): unknown {
    const offset = offsetOf(node)
    this.values.set(toPointer(path), this.#place(offset))
    this.#nodes++
    if (depth > maxDepth || this.#nodes > maxNodes) {
      if (depth > maxDepth || this.#nodes === maxNodes + 1) this.fail(offset, path, 'nested too deeply, or too large')
      return undefined
    }
    if (isAlias(node)) return this.#follow(node.source, path, depth, offset)
    if (this.#following === 0 && isNode(node) && 'anchor' in node && node.anchor) this.#anchors.set(node.anchor, node)
    if (isMap(node)) return this.#readMap(node.items, path, depth)
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, [...path, index], depth + 1))
    if (!isScalar(node)) return null
    if (typeof node.value !== 'string') return node.value
    const { text, errors } = this.#filter(node.value)
    for (const message of errors) this.fail(offset, path, message)
    return text
  }

  #follow(anchor: string, path: Path, depth: number, offset: number): unknown {
    if (!this.#anchors.has(anchor)) {
      this.fail(offset, path, 'alias of nothing: put a value that begins with * into quotes')
      return undefined
    }
    this.#following += 1
    const value = this.read(this.#anchors.get(anchor), path, depth + 1)
    this.#following -= 1
    return value
  }

  #readMap(pairs: readonly { key: unknown; value: unknown }[], path: Path, depth: number): Tree {
    const tree: Tree = {}
    for (const { key: keyNode, value } of pairs) {
      const offset = offsetOf(keyNode)
      if (!isScalar(keyNode)) {
        this.fail(offset, path, 'keys must be plain text')
        continue
      }
      const key = String(keyNode.value)
      const keyPath = [...path, key]
      if (Object.hasOwn(tree, key)) {
        const first = this.keys.get(toPointer(keyPath))
        this.fail(offset, keyPath, `the key stands here twice (first in line ${first?.line}): remove one`)
        continue
      }
      this.keys.set(toPointer(keyPath), this.#place(offset))
      setOwn(tree, key, this.read(value, keyPath, depth + 1))
    }
    return tree
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
}

function offsetOf(node: unknown): number {
  if (!isAlias(node) && !isMap(node) && !isSeq(node) && !isScalar(node)) return 0
  return node.range?.[0] ?? 0
}
