/**
 * Reads `source` one value ahead, so that the next is fetched while the consumer works on the present one; a value is
 * never held back. Aborts `stop` when the consumer leaves: it must make `source` end.
 */
export async function* ahead<T>(
  source: AsyncGenerator<T, void, undefined>,
  stop: AbortController,
): AsyncGenerator<T, void, undefined> {
  let next = source.next()
  try {
    for (;;) {
      const { done, value } = await next
      if (done) return
      next = source.next()
      next.catch(() => undefined) // Seen when it is awaited; the consumer may leave before.
      yield value
    }
  } finally {
    stop.abort()
    await source.return() // Waits for the value that is being fetched.
  }
}
