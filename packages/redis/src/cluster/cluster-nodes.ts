import type { Cluster, Redis } from 'ioredis'
import { keySlot } from './key-slot.ts'

/** Finds the node of a Cluster that holds a key, by the table of slots that the client keeps. */
export class ClusterNodes {
  readonly #cluster: Cluster
  readonly #readsFromMasters: boolean
  readonly #nodes = new Map<string, Redis>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    const { scaleReads = 'master' } = cluster.options
    this.#readsFromMasters = scaleReads === 'master'
  }

  /** The connected master of a key; `undefined` when the client has to find one. */
  of(key: string | Buffer): Redis | undefined {
    if (!this.#readsFromMasters || this.#cluster.status !== 'ready') return undefined
    const owner = this.#cluster.slots[keySlot(key)]?.[0]
    if (owner === undefined) return undefined
    const known = this.#nodes.get(owner)
    const node = known?.status === 'ready' ? known : this.#find(owner)
    return node?.status === 'ready' ? node : undefined
  }

  #find(owner: string): Redis | undefined {
    this.#nodes.clear()
    for (const node of this.#cluster.nodes('master')) this.#nodes.set(nodeName(node), node)
    return this.#nodes.get(owner)
  }
}

/** The name of a node in the slot table of ioredis. */
export function nodeName(node: Redis): string {
  return `${node.options.host}:${node.options.port}`
}
