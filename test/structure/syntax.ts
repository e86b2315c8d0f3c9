import { parseAst } from 'rolldown/parseAst'

export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

/** A file of src, parsed. `path` is below src, with slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
  readonly nodes: readonly Visited[]
}

export interface Visited {
  readonly node: Node
  readonly parent: Node | undefined
}

export function parse(path: string, text: string): SourceFile {
  const nodes: Visited[] = []
  visit(parseAst(text, { lang: 'ts' }, path), undefined, nodes)
  return { path, text, nodes }
}

function visit(value: unknown, parent: Node | undefined, found: Visited[]): void {
  if (Array.isArray(value)) for (const item of value) visit(item, parent, found)
  if (!isNode(value)) return
  found.push({ node: value, parent })
  for (const field of Object.values(value)) if (typeof field === 'object') visit(field, value, found)
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

/** Line of an offset, from 1. Offsets count UTF-16 units, as JavaScript's strings do. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

export interface Import {
  /** As written: `./a.ts`, `mongodb`, `node:fs`. */
  readonly from: string
  readonly names: readonly string[]
  readonly node: Node
}

/** Imports, type imports, re-exports, `import(…)` and `import('…').Type`. */
export function importsOf(file: SourceFile): Import[] {
  return file.nodes.flatMap(({ node }) => {
    const isImport = /^(ImportDeclaration|ExportAllDeclaration|ExportNamedDeclaration|ImportExpression|TSImportType)$/
    if (!isImport.test(node.type) || !isNode(node.source)) return []
    const specifiers = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : []
    return [{ from: String(node.source.value), names: specifiers.map(importedName), node }]
  })
}

function importedName(specifier: Node): string {
  return isNode(specifier.imported) ? nameOf(specifier.imported) : '*'
}

/** The name of an identifier or the value of a string literal; empty for anything else. */
export function nameOf(node: unknown): string {
  if (!isNode(node)) return ''
  if (node.type === 'Identifier') return String(node.name)
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : ''
}

/** `a.b` and `a['b']` as `a.b`, where `a` is a plain name, and `globalThis.a.b` too; empty for anything else. */
export function dotted(node: Node): string {
  if (node.type !== 'MemberExpression' || !isNode(node.object)) return ''
  const isNamed = node.computed !== true || (isNode(node.property) && node.property.type === 'Literal')
  const object = node.object.type === 'Identifier' ? nameOf(node.object) : dotted(node.object)
  if (!isNamed || object === '') return ''
  return `${object}.${nameOf(node.property)}`.replace(/^(globalThis|global)\./, '')
}

/** Whether an identifier stands for a value, not for the name of a property, key or label. */
export function isReference({ node, parent }: Visited): boolean {
  if (node.type !== 'Identifier' || parent === undefined) return false
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed === true
  const named = ['Property', 'MethodDefinition', 'PropertyDefinition', 'TSPropertySignature', 'TSMethodSignature']
  if (!named.includes(parent.type)) return !parent.type.startsWith('Import')
  return parent.value === node || parent.computed === true
}
