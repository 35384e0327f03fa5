import { frame } from '@cache/codecs'
import type { CacheBackend } from '@cache/core/backend'
import type { Harness, Means } from '@cache/core/conformance'
import type { RedisCluster } from '@cache/workspace'
import { Cluster } from 'ioredis'
import { RedisBackend, type RedisBackendOptions } from '../src/index.ts'

let count = 0

export interface ClusterHarnessOptions {
  readonly name: string
  readonly cluster: RedisCluster
  readonly options?: Omit<RedisBackendOptions, 'url' | 'client' | 'cluster'>
}

/** Runs every rule on its own prefix of a real Cluster. Its nodes are frozen to break it. */
export function clusterHarness({ name, cluster, options }: ClusterHarnessOptions): Harness {
  const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }))
  let prefix = ''
  let raw: Cluster | undefined

  const admin = (): Cluster => {
    raw ??= new Cluster(nodes)
    return raw
  }
  const open = (own = prefix): CacheBackend =>
    new RedisBackend({ cluster: { nodes }, timeout, connectTimeout: timeout, ...options, prefix: own })
  // Short only where the rule breaks the servers: elsewhere a slow machine must not look like a broken backend.
  let timeout = 15_000
  const begin = (means: readonly Means[] = []): void => {
    timeout = means.includes('break') || means.includes('freeze') ? 1000 : 15_000
    prefix = `suite:${process.pid}:${++count}:`
  }

  return {
    name,
    values: 'copies',
    open(means) {
      begin(means)
      return open()
    },
    openSecond: () => open(),
    openOther: () => open(`other:${prefix}`),
    async openMany(many) {
      begin()
      return Array.from({ length: many }, () => open())
    },
    openInjected() {
      begin()
      const client = new Cluster(nodes)
      return {
        backend: new RedisBackend({ client, ...options, prefix }),
        works: async () => {
          await client.exists('any')
        },
        end: () => client.disconnect(),
      }
    },
    async corrupt(key, damage) {
      const bytes = (await admin().getBuffer(prefix + key)) as Buffer
      const damaged = { garbage: Buffer.from([0xff, 0, 0x7b, 0x31]), truncated: bytes.subarray(0, 6), empty: '' }
      await admin().set(prefix + key, damaged[damage])
    },
    async futureFormat(key) {
      const bytes = (await admin().getBuffer(prefix + key)) as Buffer
      bytes[0] = frame.formatVersion + 1
      await admin().set(prefix + key, bytes)
    },
    break: () => all(cluster, (node) => node.freeze()),
    heal: () => all(cluster, (node) => node.thaw()),
    failureBound: 1500,
    without: {
      reopen: 'the servers keep nothing on disk; another run has one that does',
      openLimited: 'Redis keeps limits by itself (maxmemory)',
      clock: 'Redis counts lifetimes by its own clock',
    },
    dispose() {
      raw?.disconnect()
      raw = undefined
    },
  }
}

async function all(cluster: RedisCluster, what: (node: RedisCluster['nodes'][number]) => Promise<void>): Promise<void> {
  await Promise.all(cluster.nodes.map(what))
}
