import { setTimeout as sleep } from 'node:timers/promises'
import type { BrokerCluster, BrokerNode } from '../../../../src/services/services.ts'
import { healthy, moveLeaders } from './cluster-admin.ts'
import type { Load } from './load.ts'

export interface Scene {
  readonly cluster: BrokerCluster
  readonly loads: readonly Load[]
  readonly topics: readonly string[]
}

/** Frozen for less than the cluster waits for a heartbeat: nobody notices but those who wait for an answer. */
const hiccupMs = 1_000
/** Longer than the cluster waits for a heartbeat, shorter than a client waits for an answer: it wakes without its partitions. */
const absenceMs = 7_000

/** Every load takes records in every partition. */
async function progress({ loads }: Scene): Promise<void> {
  await Promise.all(loads.map(load => load.progress()))
}

/**
 * What can happen to one node while all its clients are at work. Each of the three leads a third of the partitions and
 * follows in the others, and each in turn is the controller.
 */
const faults = {
  /** Dead until others have taken over. */
  kill: async (scene: Scene, node: BrokerNode) => {
    await node.kill()
    await progress(scene)
    await node.start(AbortSignal.timeout(120_000))
  },
  /** Dead and back, mostly before others have taken over. */
  restart: async (_scene: Scene, node: BrokerNode) => {
    await node.kill()
    await node.start(AbortSignal.timeout(120_000))
  },
  hiccup: async (_scene: Scene, node: BrokerNode) => {
    node.freeze()
    await sleep(hiccupMs)
    node.thaw()
  },
  absence: async (_scene: Scene, node: BrokerNode) => {
    node.freeze()
    await sleep(absenceMs)
    node.thaw()
  },
  /** Frozen until its clients have given it up and others have taken over, so for longer than the request timeout. */
  freeze: async (scene: Scene, node: BrokerNode) => {
    node.freeze()
    await progress(scene)
    node.thaw()
  },
  /** Other leaders everywhere, without any failure. */
  move: async ({ cluster, topics }: Scene, _node: BrokerNode) => moveLeaders(cluster, topics),
}

export type FaultKind = keyof typeof faults

/** Does it, and waits until loads and cluster are well again. */
export async function inflict(kind: FaultKind, node: BrokerNode, scene: Scene): Promise<void> {
  await faults[kind](scene, node)
  await progress(scene)
  await healthy(scene.cluster, scene.topics)
}
