/** Parsed YAML: what JSON can hold. */
export type Tree = { [key: string]: unknown }

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Sets an own property whatever its name: `__proto__` in a filter is a field like any other. */
export function setOwn(tree: Tree, key: string, value: unknown): void {
  Object.defineProperty(tree, key, { value, enumerable: true, configurable: true, writable: true })
}

/** The own property `key`, never an inherited one. */
export function getOwn(tree: unknown, key: string): unknown {
  return typeof tree === 'object' && tree !== null && Object.hasOwn(tree, key) ? (tree as Tree)[key] : undefined
}

/** `over` on top of `under`: objects key by key, everything else replaced. Neither is changed. */
export function merge(under: unknown, over: unknown): unknown {
  if (over === undefined) return structuredCopy(under)
  if (!isTree(under) || !isTree(over)) return structuredCopy(over)
  const merged: Tree = {}
  for (const [key, value] of Object.entries(under)) setOwn(merged, key, structuredCopy(value))
  for (const [key, value] of Object.entries(over)) setOwn(merged, key, merge(getOwn(under, key), value))
  return merged
}

/** A copy of all of `value`; a field named __proto__ stays a field. */
export function structuredCopy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structuredCopy)
  if (!isTree(value)) return value
  const copy: Tree = {}
  for (const [key, child] of Object.entries(value)) setOwn(copy, key, structuredCopy(child))
  return copy
}

/** Freezes `value` and everything in it, in place. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}
