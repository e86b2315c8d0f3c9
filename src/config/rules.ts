import type { Finding } from './check.ts'
import { variablePart } from './overrides.ts'
import { checkpointRules, deliveryRules, workersRules } from './rules-guarantees.ts'
import { ociRules } from './rules-oci.ts'
import { presetRules } from './rules-preset.ts'
import { loginRules } from './rules-sasl.ts'
import { getOwn, isTree } from './tree.ts'
import { durationMs } from './units.ts'

/**
 * What a schema of single settings cannot say: how settings go together. Looks at trees that may be wrong in other
 * ways too, so that every problem is reported at once.
 */
export function checkRules(root: unknown): Finding[] {
  const pipelines = getOwn(root, 'pipelines')
  return [
    ...uriRules(root),
    ...sinkRules(root),
    ...loginRules(root),
    ...presetRules(root),
    ...ociRules(root),
    ...deliveryRules(root),
    ...checkpointRules(root),
    ...workersRules(root),
    ...retryRules(root),
    ...nameRules(Array.isArray(pipelines) ? pipelines : []),
    ...(Array.isArray(pipelines) ? pipelines.flatMap(pipelineRules) : []),
  ]
}

/** The driver would take a part of such a password for a host or a port, and name it in its errors (G9). */
function uriRules(root: unknown): Finding[] {
  return ['mongodb', 'checkpoint'].flatMap(section => {
    const uri = getOwn(getOwn(root, section), 'uri')
    if (typeof uri !== 'string' || isEncoded(uri)) return []
    const message = 'user and password must be percent-encoded: / as %2F, ? as %3F, @ as %40, : as %3A'
    return [{ pointer: `/${section}/uri`, message }]
  })
}

function isEncoded(uri: string): boolean {
  const [head = '', ...options] = uri.replace(/^mongodb(\+srv)?:\/\//, '').split('?')
  const [at, slash] = [head.indexOf('@'), head.indexOf('/')]
  const split = at < 0 && slash < 0 && options.join('?').includes('@')
  return !split && at === head.lastIndexOf('@') && (slash < 0 || at < slash)
}

function sinkRules(root: unknown): Finding[] {
  const findings: Finding[] = []
  const sink = getOwn(root, 'sink')
  const type = getOwn(sink, 'type')
  const brokers = getOwn(sink, 'brokers')
  if (type === 'kafka' && Array.isArray(brokers) && brokers.length === 0) {
    const message = 'sink.type kafka needs brokers, such as [localhost:9092]; or set sink.type: stdout'
    findings.push({ pointer: '/sink/brokers', message })
  }
  return findings
}

function retryRules(root: unknown): Finding[] {
  const retry = getOwn(root, 'retry')
  const [initial, max] = [getOwn(retry, 'initial'), getOwn(retry, 'max')]
  if (typeof initial !== 'string' || typeof max !== 'string') return []
  if (!(durationMs(initial) > durationMs(max))) return []
  return [{ pointer: '/retry/initial', message: `must not be longer than retry.max (${max})` }]
}

/** Names must differ, and differ in the environment too, where `a.b` and `a-b` are both `A_B`. */
function nameRules(pipelines: readonly unknown[]): Finding[] {
  const seen = new Map<string, { name: string; index: number }>()
  return pipelines.flatMap((pipeline, index) => {
    const name = getOwn(pipeline, 'name')
    if (typeof name !== 'string') return []
    const first = seen.get(variablePart(name))
    if (!first) {
      seen.set(variablePart(name), { name, index })
      return []
    }
    const message =
      first.name === name
        ? `pipelines[${first.index}] has this name already: give each pipeline its own`
        : `differs from pipelines[${first.index}] (${first.name}) only in case or punctuation, so both have the same environment variables: rename one`
    return [{ pointer: `/pipelines/${index}/name`, message }]
  })
}

function pipelineRules(pipeline: unknown, index: number): Finding[] {
  const findings: Finding[] = []
  const pointer = `/pipelines/${index}`
  const collections = getOwn(getOwn(pipeline, 'source'), 'collections')
  for (const [at, pattern] of (Array.isArray(collections) ? collections : []).entries()) {
    const message = typeof pattern === 'string' ? regexError(pattern) : undefined
    if (message) findings.push({ pointer: `${pointer}/source/collections/${at}`, message })
  }
  const shape = getOwn(getOwn(pipeline, 'value'), 'shape')
  if (shape === 'document' && getOwn(pipeline, 'tombstones') === false) {
    const message = 'in shape document a delete is nothing but a tombstone: remove this, or use shape change-event'
    findings.push({ pointer: `${pointer}/tombstones`, message })
  }
  const topic = getOwn(pipeline, 'topic')
  const deadLetterTopic = getOwn(getOwn(pipeline, 'onError'), 'deadLetterTopic')
  if (typeof topic === 'string' && typeof deadLetterTopic === 'string') {
    if (deadLetterTopic.replaceAll('{topic}', () => topic) === topic) {
      const message = 'is the topic of the records themselves: dead letters need another one'
      findings.push({ pointer: `${pointer}/onError/deadLetterTopic`, message })
    }
  }
  const entries = getOwn(pipeline, 'topicConfig')
  if (isTree(entries) && Object.hasOwn(entries, 'num.partitions')) {
    const message = 'not a topic setting: use `partitions` of the pipeline'
    findings.push({ pointer: `${pointer}/topicConfig/num.partitions`, message, atKey: true })
  }
  return findings
}

function regexError(pattern: string): string | undefined {
  if (!/^\/.+\/$/.test(pattern)) return undefined
  try {
    new RegExp(pattern.slice(1, -1))
    return undefined
  } catch (error) {
    return `not a regular expression: ${error instanceof Error ? error.message : String(error)}`
  }
}
