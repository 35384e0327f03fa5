import { Redis } from 'ioredis'
import { waitUntil } from '../machine/wait-until.ts'
import { type RedisServer, startRedis } from './start-redis.ts'

export interface RedisSentinelOptions {
  /** Replicas of the master. Default 1. */
  readonly replicas?: number
  /** Sentinels, of which the majority decides. Default 3. */
  readonly sentinels?: number
}

/** A Redis master with replicas, watched by sentinels: all of them real processes. */
export interface RedisSentinel {
  /** The name under which the sentinels know the master. */
  readonly name: string
  readonly sentinels: readonly RedisServer[]
  /** The master of the start first, then its replicas. */
  readonly nodes: readonly RedisServer[]
  /** Resolves to the node that the sentinels call the master now. */
  master(): Promise<RedisServer>
  /** Kills the master and resolves to the node that all sentinels call the master then. */
  failOver(): Promise<RedisServer>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const name = 'main'

async function call(server: RedisServer, command: string, ...args: string[]): Promise<unknown> {
  const client = new Redis(server.url, { maxRetriesPerRequest: 0, retryStrategy: null, commandTimeout: 5_000 })
  client.on('error', () => {})
  try {
    return await client.call(command, ...args)
  } finally {
    client.disconnect()
  }
}

class Sentinel implements RedisSentinel {
  readonly name: string = name
  readonly sentinels: readonly RedisServer[]
  readonly nodes: readonly RedisServer[]

  constructor(sentinels: readonly RedisServer[], nodes: readonly RedisServer[]) {
    this.sentinels = sentinels
    this.nodes = nodes
  }

  async #masterOf(sentinel: RedisServer): Promise<RedisServer> {
    const [, port] = (await call(sentinel, 'sentinel', 'get-master-addr-by-name', name)) as string[]
    const node = this.nodes.find((one) => String(one.port) === port)
    if (!node) throw new Error(`the sentinels name port ${port}, which is no node of theirs`)
    return node
  }

  async master(): Promise<RedisServer> {
    const masters = await Promise.all(this.sentinels.map((sentinel) => this.#masterOf(sentinel)))
    const [first] = masters
    if (!first || masters.some((one) => one !== first)) throw new Error('the sentinels do not agree on the master')
    return first
  }

  async failOver(): Promise<RedisServer> {
    const old = await this.master()
    await old.kill()
    const next = await waitUntil(
      'the sentinels have named another master',
      async () => {
        const master = await this.master()
        return master === old ? undefined : master
      },
      { timeout: 30_000, every: 50 },
    )
    await waitUntil('the new master accepts writes', async () => String(await call(next, 'role')).startsWith('master'))
    return next
  }

  /** True when every sentinel knows every other and every replica, which a failover needs. */
  async isComplete(): Promise<boolean> {
    const replicas = this.nodes.length - 1
    for (const sentinel of this.sentinels) {
      const known = (await call(sentinel, 'sentinel', 'replicas', name)) as unknown[]
      const others = (await call(sentinel, 'sentinel', 'sentinels', name)) as unknown[]
      if (known.length !== replicas || others.length !== this.sentinels.length - 1) return false
    }
    const links = await Promise.all(this.nodes.slice(1).map((node) => call(node, 'info', 'replication')))
    return links.every((link) => String(link).includes('master_link_status:up'))
  }

  async stop(): Promise<void> {
    // The sentinels stop first, so that they start no failover.
    await Promise.all(this.sentinels.map((sentinel) => sentinel.stop()))
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** Starts a master, its replicas and their sentinels. Resolves when a failover would succeed. */
export async function startRedisSentinel(options: RedisSentinelOptions = {}): Promise<RedisSentinel> {
  const count = options.sentinels ?? 3
  const nodes: RedisServer[] = []
  const sentinels: RedisServer[] = []
  const all = new Sentinel(sentinels, nodes)
  try {
    const master = await startRedis()
    nodes.push(master)
    const replicaConfig = { replicaof: `127.0.0.1 ${master.port}`, 'repl-diskless-sync-delay': 0 }
    for (let index = 0; index < (options.replicas ?? 1); index += 1)
      nodes.push(await startRedis({ config: replicaConfig }))
    const sentinelConfig = {
      sentinel: [
        `monitor ${name} 127.0.0.1 ${master.port} ${Math.floor(count / 2) + 1}`,
        `down-after-milliseconds ${name} 500`,
        `failover-timeout ${name} 3000`,
      ],
    }
    for (let index = 0; index < count; index += 1) {
      sentinels.push(await startRedis({ sentinel: true, config: sentinelConfig }))
    }
    await waitUntil('the sentinels know each other', () => all.isComplete(), { timeout: 30_000, every: 100 })
    return all
  } catch (error) {
    await all.stop()
    throw error
  }
}
