import { createRequire } from 'node:module'

/** What we use of a class of kafkajs's that it does not export. */
interface RequestQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

let mended = false

/**
 * Each connection of kafkajs 2.2.4 looks for waiting requests a thousand times a second, whether there are any or not:
 * it arms its timer with a negative wait, which Node 24 makes 1 ms and warns of. That is 1 % of a core a connection, and
 * as much as producing itself where little happens. So the timer is armed only where something waits; what comes to
 * wait later arms it itself. Source: https://github.com/tulios/kafkajs/issues/1704
 */
export function mendKafkajsTimers(): void {
  if (mended) return
  mended = true
  const require = createRequire(import.meta.url)
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { readonly prototype: RequestQueue }
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) schedule.call(this)
  }
}
