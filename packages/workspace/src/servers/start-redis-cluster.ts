import { Redis } from 'ioredis'
import { freePort } from '../machine/free-port.ts'
import { waitUntil } from '../machine/wait-until.ts'
import { type RedisServer, startRedis } from './start-redis.ts'

const slots = 16_384
const nodeTimeout = 1_000

export interface RedisClusterOptions {
  /** Default 3, the smallest number with which Redis elects a new master. */
  readonly masters?: number
  /** Replicas per master. Default 0. */
  readonly replicas?: number
  /** Further lines of every node's redis.conf. */
  readonly config?: Readonly<Record<string, string | number>>
}

export interface ClusterNode extends RedisServer {
  /** The node's name in the cluster. */
  readonly id: string
}

/** A Redis Cluster of real processes. */
export interface RedisCluster {
  /** The masters first, then their replicas, as they were at the start. */
  readonly nodes: readonly ClusterNode[]
  /** Resolves to the node that serves a slot now. */
  masterOf(slot: number): Promise<ClusterNode>
  /** Moves one slot with its keys to another master while the cluster serves. */
  moveSlot(slot: number, to: ClusterNode): Promise<void>
  /** Kills the master of a slot and resolves to the replica that has taken over. */
  failOver(slot: number): Promise<ClusterNode>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

async function withClient<T>(node: RedisServer, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(node.url, { maxRetriesPerRequest: 0, retryStrategy: null, commandTimeout: 5_000 })
  client.on('error', () => {})
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

async function ask(node: RedisServer, command: string, ...args: (string | number)[]): Promise<string> {
  return await withClient(node, async (client) => String(await client.call('cluster', command, ...args)))
}

/** The rows of `CLUSTER NODES` from one node. */
async function view(node: RedisServer): Promise<{ id: string; flags: string; slots: string[] }[]> {
  const rows = (await ask(node, 'nodes')).trim().split('\n')
  return rows.map((row) => {
    const [id = '', , flags = '', , , , , , ...owned] = row.split(' ')
    return { id, flags, slots: owned }
  })
}

function owns(ranges: readonly string[], slot: number): boolean {
  return ranges.some((range) => {
    if (range.startsWith('[')) return false
    const [first = -1, last = first] = range.split('-').map(Number)
    return first <= slot && slot <= last
  })
}

async function startNode(config: RedisClusterOptions['config']): Promise<ClusterNode> {
  const clustered = {
    'cluster-enabled': 'yes',
    'cluster-node-timeout': nodeTimeout,
    // A free port: the default is the port plus 10,000, which another program may hold.
    'cluster-port': await freePort(),
    'repl-diskless-sync-delay': 0,
    ...config,
  }
  const server = await startRedis({ config: clustered })
  return Object.assign(server, { id: await ask(server, 'myid'), busPort: clustered['cluster-port'] })
}

class Cluster implements RedisCluster {
  readonly nodes: readonly ClusterNode[]
  readonly #dead = new Set<ClusterNode>()

  constructor(nodes: readonly ClusterNode[]) {
    this.nodes = nodes
  }

  get #alive(): readonly ClusterNode[] {
    return this.nodes.filter((node) => !this.#dead.has(node))
  }

  async masterOf(slot: number): Promise<ClusterNode> {
    const witness = this.#alive[0]
    if (!witness) throw new Error('no node of the cluster is alive')
    const row = (await view(witness)).find((one) => !one.flags.includes('fail') && owns(one.slots, slot))
    const node = this.nodes.find((one) => one.id === row?.id)
    if (!node) throw new Error(`no node serves slot ${slot}`)
    return node
  }

  async moveSlot(slot: number, to: ClusterNode): Promise<void> {
    const from = await this.masterOf(slot)
    await ask(to, 'setslot', slot, 'importing', from.id)
    await ask(from, 'setslot', slot, 'migrating', to.id)
    await withClient(from, async (client) => {
      for (;;) {
        const keys = (await client.call('cluster', 'getkeysinslot', slot, 100)) as string[]
        if (keys.length === 0) return
        await client.call('migrate', to.host, to.port, '', 0, 5_000, 'keys', ...keys)
      }
    })
    // The new owner first: between the two, the old one still redirects to it.
    for (const node of [to, from]) await ask(node, 'setslot', slot, 'node', to.id)
    await waitUntil(`slot ${slot} is seen at its new owner`, async () => (await this.masterOf(slot)) === to)
  }

  async failOver(slot: number): Promise<ClusterNode> {
    const old = await this.masterOf(slot)
    await old.kill()
    this.#dead.add(old)
    return await waitUntil(
      `a replica serves slot ${slot}`,
      async () => {
        const next = await this.masterOf(slot)
        const info = await ask(next, 'info')
        return next !== old && info.includes('cluster_state:ok') ? next : undefined
      },
      { timeout: 30_000, every: 50 },
    )
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

async function join(nodes: readonly (ClusterNode & { busPort?: number })[], masters: number): Promise<void> {
  const [first, ...others] = nodes
  if (!first) return
  for (const node of others) await ask(first, 'meet', node.host, node.port, node.busPort ?? 0)
  for (let index = 0; index < masters; index += 1) {
    const node = nodes[index]
    const start = Math.floor((slots * index) / masters)
    const end = Math.floor((slots * (index + 1)) / masters) - 1
    if (node) await ask(node, 'addslotsrange', start, end)
  }
  const everyone = async (): Promise<boolean> => {
    const views = await Promise.all(nodes.map(view))
    return views.every((rows) => rows.length === nodes.length && rows.every((row) => !row.flags.includes('handshake')))
  }
  await waitUntil('the nodes of the cluster have met', everyone, { timeout: 30_000, every: 50 })
  for (const [index, replica] of nodes.slice(masters).entries()) {
    const master = nodes[index % masters]
    if (master) await ask(replica, 'replicate', master.id)
  }
}

async function isServing(node: ClusterNode): Promise<boolean> {
  const replication = await withClient(node, (client) => client.info('replication'))
  const isLinked = replication.includes('role:master') || replication.includes('master_link_status:up')
  return isLinked && (await ask(node, 'info')).includes('cluster_state:ok')
}

/** Starts a Redis Cluster on loopback ports. Resolves when every node serves and every replica has its data. */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const masters = options.masters ?? 3
  const count = masters * (1 + (options.replicas ?? 0))
  const starts = await Promise.allSettled(Array.from({ length: count }, () => startNode(options.config)))
  const nodes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
  const cluster = new Cluster(nodes)
  try {
    for (const start of starts) if (start.status === 'rejected') throw start.reason
    await join(nodes, masters)
    const all = async (): Promise<boolean> => (await Promise.all(nodes.map(isServing))).every(Boolean)
    await waitUntil('the cluster serves', all, { timeout: 30_000, every: 50 })
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}
