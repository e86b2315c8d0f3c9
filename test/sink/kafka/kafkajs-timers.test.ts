import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { mendKafkajsTimers } from '../../../src/sink/kafka/kafkajs-timers.ts'

const require = createRequire(import.meta.url)
const RequestQueue = require('kafkajs/src/network/requestQueue/index.js')

function queue() {
  const logger = { namespace: () => logger, debug() {} }
  const sizes = { maxInFlightRequests: 1, requestTimeout: 1_000, enforceRequestTimeout: false }
  return new RequestQueue({ ...sizes, clientId: 'c', broker: 'b', logger, isConnected: () => true })
}

test('a connection of kafkajs arms its timer only where requests wait', () => {
  mendKafkajsTimers()
  mendKafkajsTimers()
  const idle = queue()
  idle.scheduleCheckPendingRequests()
  expect(idle.throttleCheckTimeoutId).toBeNull()
  const busy = queue()
  busy.pending.push({})
  busy.scheduleCheckPendingRequests()
  expect(busy.throttleCheckTimeoutId).not.toBeNull()
  clearTimeout(busy.throttleCheckTimeoutId)
})
