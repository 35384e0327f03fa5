import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CacheBackend } from '@cache/core'
import { FileBackend } from '@cache/file'
import { InProcessBus, LayeredBackend } from '@cache/layered'
import { MemoryBackend } from '@cache/memory'
import { PostgresBackend } from '@cache/postgres'
import { RedisBackend } from '@cache/redis'
import { failover, ResilientBackend } from '@cache/resilient'
import { ShardedBackend } from '@cache/sharded'
import { type FoundServer, postgresServer, redisServer } from '@cache/workspace'

/** Two handles on one empty store, as two processes would have them. */
export interface Handles {
  readonly one: CacheBackend
  /** Absent where the data belong to one process. */
  readonly other: CacheBackend | undefined
}

let redis: FoundServer | undefined
let postgres: FoundServer | undefined
let folder: string | undefined
let count = 0

/** Starts the servers that the backends below need. */
export async function startServers(): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'cache-docs-'))
  ;[redis, postgres] = await Promise.all([redisServer(), postgresServer()])
}

export async function stopServers(): Promise<void> {
  await redis?.stop()
  await postgres?.stop()
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
}

/** A name that no test has used before. */
function fresh(): string {
  count += 1
  return `docs-${process.pid}-${count}`
}

export function redisUrl(): string {
  return (redis as FoundServer).url
}

export function postgresUrl(): string {
  return (postgres as FoundServer).url
}

export function freshFolder(): string {
  return join(folder as string, fresh())
}

export function freshPrefix(): string {
  return `${fresh()}:`
}

function twice(make: () => CacheBackend): Handles {
  return { one: make(), other: make() }
}

function near(): MemoryBackend {
  return new MemoryBackend({ maxEntries: 10_000 })
}

/** A memory of its own in front of each handle, joined by a bus. */
function layered({ one, other }: Handles): Handles {
  const bus = new InProcessBus()
  return twiceOf([one, other as CacheBackend], (far) => new LayeredBackend({ layers: [near(), far], bus }))
}

function twiceOf(
  [one, other]: readonly [CacheBackend, CacheBackend],
  wrap: (inner: CacheBackend) => CacheBackend,
): Handles {
  return { one: wrap(one), other: wrap(other) }
}

function openRedis(): Handles {
  const prefix = freshPrefix()
  return twice(() => new RedisBackend({ url: redisUrl(), prefix }))
}

function openFile(): Handles {
  const dir = freshFolder()
  return twice(() => new FileBackend({ dir }))
}

/** Every backend that an application may choose, on real servers and a real disk. */
export const realBackends: Readonly<Record<string, () => Handles>> = {
  memory: () => ({ one: near(), other: undefined }),
  redis: openRedis,
  postgres: () => {
    const prefix = freshPrefix()
    return twice(() => new PostgresBackend({ url: postgresUrl(), prefix }))
  },
  file: openFile,
  'layered (memory, redis)': () => layered(openRedis()),
  'layered (memory, file)': () => layered(openFile()),
  'resilient (redis)': () => {
    const { one, other } = openRedis()
    const wrap = (backend: CacheBackend): CacheBackend => new ResilientBackend({ backend })
    return twiceOf([one, other as CacheBackend], wrap)
  },
  'sharded (redis, redis)': () => {
    const [a, b] = [openRedis(), openRedis()]
    const over = (one: CacheBackend, two: CacheBackend): CacheBackend =>
      new ShardedBackend({ shards: { a: one, b: two } })
    return { one: over(a.one, b.one), other: over(a.other as CacheBackend, b.other as CacheBackend) }
  },
  'failover (redis, memory)': () => {
    const { one, other } = openRedis()
    return twiceOf([one, other as CacheBackend], (far) => failover([far, near()]))
  },
}
