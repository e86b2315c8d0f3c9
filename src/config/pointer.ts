/** Where a value is in the tree: the keys and indexes from the root. */
export type Path = readonly (string | number)[]

/** The path as RFC 6901 writes it: unambiguous, a key for maps. */
export function toPointer(path: Path): string {
  return path.map(step => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** The steps of an RFC 6901 pointer; indexes stay text. */
export function fromPointer(pointer: string): string[] {
  const steps = pointer.split('/').slice(1)
  return steps.map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The path as people write it: `pipelines[0].topicConfig["cleanup.policy"]`. */
export function toWords(pointer: string): string {
  let words = ''
  for (const step of fromPointer(pointer)) {
    if (/^\d+$/.test(step) && words !== '') words += `[${step}]`
    else if (/^[\w$-]+$/.test(step)) words += words === '' ? step : `.${step}`
    else words += `[${JSON.stringify(step)}]`
  }
  return words
}
