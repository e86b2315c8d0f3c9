import type { Finding } from './check.ts'
import { getOwn } from './tree.ts'

const loopback = /^http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?\/?$/

/** What `sink.type: oci-rest` needs, and what it has no Kafka for. */
export function ociRules(root: unknown): Finding[] {
  const sink = getOwn(root, 'sink')
  const oci = getOwn(sink, 'oci')
  if (getOwn(sink, 'type') !== 'oci-rest') {
    return oci === undefined
      ? []
      : [{ pointer: '/sink/oci', message: 'only for sink.type oci-rest: remove it, or set that' }]
  }
  const findings: Finding[] = []
  const add = (pointer: string, message: string): void => {
    findings.push({ pointer, message })
  }
  if (oci === undefined) add('/sink/oci', 'is missing: sink.type oci-rest needs oci.streamPoolId')
  const endpoint = getOwn(oci, 'endpoint')
  if (typeof endpoint === 'string' && endpoint.startsWith('http:') && !loopback.test(endpoint)) {
    add('/sink/oci/endpoint', 'must begin with https:// : documents would cross the network in plain text')
  }
  const auth = getOwn(oci, 'auth')
  const type = getOwn(auth, 'type')
  for (const key of ['configFile', 'profile']) {
    if (getOwn(auth, key) === undefined || type === 'config-file' || type === 'session-token') continue
    add(`/sink/oci/auth/${key}`, 'only for types config-file and session-token: remove it, or set one of them')
  }
  if (getOwn(root, 'delivery') === 'exactly-once') {
    add('/delivery', 'exactly-once needs sink.type: kafka; set delivery: at-least-once')
  }
  if (getOwn(getOwn(root, 'checkpoint'), 'store') === 'kafka') {
    const message =
      'sink.type oci-rest has no Kafka to keep checkpoints in: set store: mongodb and uri, or file and path'
    add('/checkpoint/store', message)
  }
  if (getOwn(getOwn(root, 'workers'), 'coordination') === 'kafka') {
    const message = 'sink.type oci-rest has no Kafka to share out slots: set static with replicas, or none'
    add('/workers/coordination', message)
  }
  return findings
}
