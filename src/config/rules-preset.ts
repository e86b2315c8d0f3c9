import { type Preset, presets } from '../preset.ts'
import type { Finding } from './check.ts'
import { getOwn } from './tree.ts'

/** What the kind of target is known not to do: said before anything is connected, each with what to do instead. */
export function presetRules(root: unknown): Finding[] {
  const sink = getOwn(root, 'sink')
  const preset = presetOf(getOwn(sink, 'preset'))
  if (preset === undefined || getOwn(sink, 'type') !== 'kafka') return []
  return [
    ...deliveryFindings(root, preset),
    ...storeFindings(root, preset),
    ...sinkFindings(sink, preset),
    ...topicFindings(root, preset),
  ]
}

function presetOf(name: unknown): Preset | undefined {
  return Object.values(presets).find(preset => preset.name === name)
}

function deliveryFindings(root: unknown, { title, transactions }: Preset): Finding[] {
  if (transactions || getOwn(root, 'delivery') !== 'exactly-once') return []
  const message = `${title} has no transactions: set delivery: at-least-once, whose duplicates consumers drop by m2k.position`
  return [{ pointer: '/delivery', message }]
}

function storeFindings(root: unknown, { title, checkpoints }: Preset): Finding[] {
  if (checkpoints || getOwn(getOwn(root, 'checkpoint'), 'store') !== 'kafka') return []
  const message = `${title} cannot keep checkpoints, which need a compacted topic with settings of its own: set store: mongodb with uri, or store: file with path`
  return [{ pointer: '/checkpoint/store', message }]
}

function sinkFindings(sink: unknown, preset: Preset): Finding[] {
  const findings: Finding[] = []
  const { title, client, compressions } = preset
  if (client === 'kafkajs' && getOwn(sink, 'client') === 'platformatic') {
    const message = `${title} lacks what platformatic needs: set it to auto`
    findings.push({ pointer: '/sink/client', message })
  }
  const compression = getOwn(getOwn(sink, 'producer'), 'compression')
  const canBeProbed = preset.unlistedCompressions && getOwn(sink, 'probeTopic') !== undefined
  if (typeof compression === 'string' && !canBeProbed && !compressions.some(known => known === compression)) {
    const orProbe = preset.unlistedCompressions ? ', or set sink.probeTopic to find out' : ''
    const message = `${title} does not take ${compression}: set ${compressions.join(' or ')}${orProbe}`
    findings.push({ pointer: '/sink/producer/compression', message })
  }
  return findings
}

function topicFindings(root: unknown, { title, compaction }: Preset): Finding[] {
  const pipelines = getOwn(root, 'pipelines')
  if (compaction || !Array.isArray(pipelines)) return []
  return pipelines.flatMap((pipeline, index) => {
    const policy = getOwn(getOwn(pipeline, 'topicConfig'), 'cleanup.policy')
    if (typeof policy !== 'string' || !policy.includes('compact')) return []
    const message = `${title} does not compact topics: leave it out, and let consumers keep the last value of each key`
    return [{ pointer: `/pipelines/${index}/topicConfig/cleanup.policy`, message }]
  })
}
