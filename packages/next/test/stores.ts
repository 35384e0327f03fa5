import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cache, type CacheBackend, type Clock } from '@cache/core'
import { FileBackend } from '@cache/file'
import { MemoryBackend } from '@cache/memory'
import { RedisBackend } from '@cache/redis'
import { onTestFinished } from 'vitest'
import { closeNextCache, type NextCacheHandler, type NextCacheOptions, nextCacheHandler } from '../src/index.ts'

/** A clock that a test moves. */
export class ManualClock implements Clock {
  #now = 1_800_000_000_000

  now(): number {
    return this.#now
  }

  advance(ms: number): void {
    this.#now += ms
  }
}

let made = 0

/** Handlers as one process has them. */
export interface Machine {
  readonly handler: NextCacheHandler
  readonly clock: ManualClock
  readonly errors: string[]
}

/** A process of a fleet on the backend. Its clock is the caller's, or one of its own. */
export function machineOn(
  backend: CacheBackend,
  options: NextCacheOptions & { readonly clock?: ManualClock } = {},
): Machine {
  made += 1
  const name = `machine-${made}`
  const { clock = new ManualClock() } = options
  const errors: string[] = []
  const handler = nextCacheHandler(() => new Cache({ backend }), {
    name,
    buildId: 'build-1',
    clockTolerance: 0,
    onError: (_, operation) => errors.push(operation),
    ...options,
    clock,
  })
  onTestFinished(() => closeNextCache(name))
  return { handler, clock, errors }
}

/** The stores on which the handlers are tested. Each call makes a new, empty one. */
export const stores: readonly (readonly [name: string, open: (redisUrl: string) => Promise<CacheBackend>])[] = [
  ['memory', async () => new MemoryBackend({ maxEntries: 10_000 })],
  [
    'file',
    async () => {
      const dir = await mkdtemp(join(tmpdir(), 'cache-next-'))
      onTestFinished(() => rm(dir, { recursive: true, force: true }))
      return new FileBackend({ dir })
    },
  ],
  [
    'redis',
    async (url) => {
      made += 1
      return new RedisBackend({ url, prefix: `next-${process.pid}-${made}:`, timeout: '10s' })
    },
  ],
]
