/** One value of values.yaml, as helm-docs reads it too. */
export interface ValueComment {
  /** Such as `image.tag`. */
  readonly path: string
  /** The comment that begins with `# --`, as one line. */
  readonly description: string
}

/** Keys with a comment that begins with `# --`, in the order of the file. Keys inside of `{…}` have none. */
export function commentsOf(text: string): ValueComment[] {
  const comments: ValueComment[] = []
  const parents: { readonly indent: number; readonly key: string }[] = []
  let words: string[] | undefined
  for (const line of text.split('\n')) {
    const comment = /^\s*# ?(.*)$/.exec(line)?.[1]
    const key = /^(\s*)([A-Za-z][\w./-]*):/.exec(line)
    if (comment !== undefined) {
      if (comment.startsWith('-- ')) words = [comment.slice(3)]
      else words?.push(comment.trim())
    } else if (key) {
      const indent = key[1]!.length
      while ((parents.at(-1)?.indent ?? -1) >= indent) parents.pop()
      parents.push({ indent, key: key[2]! })
      if (words) comments.push({ path: parents.map(parent => parent.key).join('.'), description: words.join(' ') })
      words = undefined
    } else {
      words = undefined
    }
  }
  return comments
}
