import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bus, CacheBackend } from '@cache/core'
import { FileBackend } from '@cache/file'
import { LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { PostgresBackend, PostgresBus } from '@cache/postgres'
import { RedisBackend, RedisBus, RedisTrackingBus } from '@cache/redis'
import { type Server, startPostgres, startRedis } from '@cache/workspace'
import type { Promises } from '../checks/rules.ts'
import { type Family, families } from '../record/areas.ts'

/** Where the data of a run are, as one process reaches them. */
export interface Address {
  /** The server's URL, or the directory. */
  readonly url: string
  /** The same server through another connection, for a bus. */
  readonly busUrl: string
}

/** A kind of store that processes share. */
export interface Store {
  readonly promises: Promises
  readonly families: readonly Family[]
  /** Whether clients store additional values, so that a limit evicts. */
  readonly fills: boolean
  /** Whether the processes may have different clocks. Those that share a directory are on one machine. */
  readonly skews: boolean
  readonly hasBus: boolean
  /** The server. A store without a server is a directory. */
  readonly start: (() => Promise<Server>) | undefined
  open(address: Address): CacheBackend
}

/** The time limit of a call, in milliseconds. */
export const timeout = 400
const nearTtl = 300
const tagWindow = 200
/** A near copy is at most as old as the call that fetched it, and its own lifetime. The rest is for late timers. */
const staleness = Math.max(nearTtl, tagWindow) + timeout + 300

const limits = { timeout, connectTimeout: timeout }
/** Locks, limits and counters need a store that evicts nothing. */
const evictable: readonly Family[] = ['plain', 'tagged', 'short', 'load']

const durableRedis = (): Promise<Server> => startRedis({ config: { appendonly: 'yes', appendfsync: 'always' } })

const smallRedis = (): Promise<Server> =>
  startRedis({
    config: { appendonly: 'yes', appendfsync: 'always', maxmemory: '6mb', 'maxmemory-policy': 'allkeys-lru' },
  })

const postgres = (): Promise<Server> => startPostgres({ config: { max_connections: 60 } })

const shared = { promises: { evicts: false, staleness: 0 }, families, fills: false, skews: true, hasBus: false }
const evicting = { ...shared, promises: { evicts: true, staleness: 0 }, families: evictable, fills: true }

function layered(authority: CacheBackend, bus: Bus): CacheBackend {
  return new LayeredBackend({ layers: [new MemoryBackend({ maxEntries: 12 }), authority], bus, nearTtl, tagWindow })
}

const near = { ...shared, promises: { evicts: false, staleness }, hasBus: true }

/** The names on the command line. */
export const storeNames = [
  'file',
  'file-evicting',
  'redis',
  'redis-evicting',
  'postgres',
  'postgres-evicting',
  'memory-redis',
  'memory-redis-tracking',
  'memory-postgres',
] as const
export type StoreName = (typeof storeNames)[number]

const stores: Readonly<Record<StoreName, Store>> = {
  file: {
    ...shared,
    skews: false,
    start: undefined,
    open: ({ url }) => new FileBackend({ dir: url, largeValueBytes: 2000 }),
  },
  'file-evicting': {
    ...evicting,
    skews: false,
    start: undefined,
    open: ({ url }) => new FileBackend({ dir: url, largeValueBytes: 2000, maxEntries: 40 }),
  },
  redis: { ...shared, start: durableRedis, open: ({ url }) => new RedisBackend({ url, ...limits }) },
  'redis-evicting': { ...evicting, start: smallRedis, open: ({ url }) => new RedisBackend({ url, ...limits }) },
  postgres: {
    ...shared,
    start: postgres,
    open: ({ url }) => new PostgresBackend({ url, ...limits, maxConnections: 4 }),
  },
  'postgres-evicting': {
    ...evicting,
    start: postgres,
    open: ({ url }) => new PostgresBackend({ url, ...limits, maxConnections: 4, maxEntries: 60 }),
  },
  'memory-redis': {
    ...near,
    start: durableRedis,
    open: ({ url, busUrl }) => layered(new RedisBackend({ url, ...limits }), new RedisBus({ url: busUrl, ...limits })),
  },
  'memory-redis-tracking': {
    ...near,
    start: durableRedis,
    open: ({ url, busUrl }) =>
      layered(new RedisBackend({ url, ...limits }), new RedisTrackingBus({ url: busUrl, ...limits })),
  },
  'memory-postgres': {
    ...near,
    start: postgres,
    open: ({ url, busUrl }) =>
      layered(
        new PostgresBackend({ url, ...limits, maxConnections: 4 }),
        new PostgresBus({ url: busUrl, ...limits, heartbeat: 500 }),
      ),
  },
}

export function storeOf(name: StoreName): Store {
  return stores[name]
}

/** A new directory for a store without a server. */
export async function freshDirectory(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'cache-history-'))
}
