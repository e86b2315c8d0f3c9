import { createRequire } from 'node:module'
import { throttlingQuotaExceeded } from './producer/produce-errors.ts'

/** A row of kafkajs's own table of Kafka's errors, which it does not export. */
interface ErrorCode {
  readonly type: string
  readonly code: number
  readonly retriable: boolean
  readonly message: string
}

let mended = false

/**
 * kafkajs 2.2.4 knows Kafka's errors up to 88 and makes one unknown error, -99, of all later ones. The one that we tell
 * from others is taught to it. Not as retriable: how long to wait is decided here.
 */
export function mendKafkajsErrors(): void {
  if (mended) return
  mended = true
  const require = createRequire(import.meta.url)
  const { errorCodes } = require('kafkajs/src/protocol/error.js') as { readonly errorCodes: ErrorCode[] }
  const [type, message] = ['THROTTLING_QUOTA_EXCEEDED', 'The throttling quota has been exceeded']
  errorCodes.push({ type, code: throttlingQuotaExceeded, retriable: false, message })
}
