/** What must be seen nowhere (G9): each with the ways in which it could get out. */
export class Canaries {
  readonly #planted = new Map<string, string>()

  /** A value to plant, which nothing else has; `kind` says where in findings. */
  plant(kind: string): string {
    const value = `cnry${kind}Qx${crypto.randomUUID().replaceAll('-', '').slice(0, 12)}`
    this.#planted.set(value, kind)
    return value
  }

  /** Which of them `text` shows, how and where: bare, in a URL, as hex (resume tokens hold keys so), as Base64. */
  seenIn(text: string): string[] {
    const lower = text.toLowerCase()
    return [...this.#planted].flatMap(([value, kind]) => {
      const hex = Buffer.from(value).toString('hex')
      const places: readonly [string, number][] = [
        ['as it is', lower.indexOf(value.toLowerCase())],
        ['as hex', lower.indexOf(hex)],
        ['as Base64', Math.max(...base64(value).map(part => text.indexOf(part)))],
      ]
      const found = places.filter(([, at]) => at >= 0)
      return found.map(([how, at]) => `${kind} ${how}: ${text.slice(Math.max(0, at - 300), at + 60)}`)
    })
  }
}

/** The characters that Base64 has for `value` wherever it begins among the groups of three bytes. */
function base64(value: string): string[] {
  return [0, 1, 2].map(before => {
    const text = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]).toString('base64')
    return text.slice(before === 0 ? 0 : before + 1, 4 * Math.floor((before + value.length) / 3))
  })
}
