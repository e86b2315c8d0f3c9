import { stringify } from 'yaml'
import type { Origin, Placeholder, PrintedConfig } from './print.ts'
import { isTree, type Tree } from './tree.ts'

/** Comments begin at one column, unless a value is longer than this. */
const widestColumns = 56
const placeholderStart = '$' + '{'
/** Line breaks, and what else acts on a terminal: escapes, marks that turn the direction of text around. */
const special = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u

interface Line {
  readonly text: string
  readonly origin: Origin | undefined
}

/**
 * A configuration as YAML, with the origin of each value as a comment behind it. But for the secrets, a file with this
 * text means the same: `${` in a value, which would be a placeholder there, is written `$${`.
 */
export function printedYaml({ file, config, origins }: PrintedConfig): string {
  const lines = linesOf(config, '', '', origins)
  const widths = lines.filter(({ origin }) => origin).map(({ text }) => text.length)
  const column = Math.max(...widths.filter(width => width <= widestColumns), 0)
  const body = lines.map(({ text, origin }) => {
    return origin ? `${text.padEnd(column)}  # ${originWords(origin)}\n` : `${text}\n`
  })
  return `# ${oneLine(file)} as it is in effect; secrets are not shown.\n${body.join('')}`
}

/** `shop.yaml:4, ${MONGODB_URI}` and the like: what people look for in the file, or in the environment. */
export function originWords(origin: Origin): string {
  switch (origin.kind) {
    case 'file': {
      const { file, line, placeholders } = origin
      return oneLine([`${file}:${line}`, ...placeholders.map(placeholderWords)].join(', '))
    }
    case 'environment':
      return `environment variable ${origin.variable}`
    case 'option':
      return oneLine(origin.option)
    case 'default':
      return 'default'
  }
}

function placeholderWords(placeholder: Placeholder): string {
  if ('file' in placeholder) return `$\{file:${placeholder.file}}`
  return `$\{${placeholder.variable}}${placeholder.isSet ? '' : ' is not set'}`
}

function linesOf(tree: Tree, indent: string, pointer: string, origins: PrintedConfig['origins']): Line[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const own = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    const head = `${indent}${quoted(key)}:`
    const origin = origins.get(own)
    if (origin) return [{ text: `${head} ${inline(value)}`, origin }]
    const below = isTree(value)
      ? linesOf(value, `${indent}  `, own, origins)
      : (value as readonly Tree[]).flatMap((item, index) => {
          return asItem(linesOf(item, `${indent}    `, `${own}/${index}`, origins), indent)
        })
    return [{ text: head, origin: undefined }, ...below]
  })
}

/** The first line of a list's item has the dash in the place of the last blanks of its indentation. */
function asItem([first, ...rest]: readonly Line[], indent: string): Line[] {
  return first ? [{ ...first, text: `${indent}  - ${first.text.trimStart()}` }, ...rest] : []
}

/** One line of YAML that means `value`, also inside of brackets. */
function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (isTree(value)) {
    const entries = Object.entries(value).map(([key, child]) => `${quoted(key)}: ${inline(child)}`)
    return `{${entries.join(', ')}}`
  }
  return typeof value === 'string' ? quoted(value.replaceAll(placeholderStart, start => `$${start}`)) : bare(value)
}

/** Text in the least of quotes; what acts on a terminal is spelled out. */
function quoted(text: string): string {
  if (!special.test(text)) return bare(text)
  return JSON.stringify(text).replaceAll(new RegExp(special, 'gu'), character => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** As the library writes it inside of a list, where more needs quotes than elsewhere. */
function bare(value: unknown): string {
  const options = { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 } as const
  return stringify([value], options).trimEnd().slice(1, -1)
}

function oneLine(text: string): string {
  return text.replaceAll(new RegExp(special, 'gu'), ' ')
}
