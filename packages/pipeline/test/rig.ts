import { Cache, type CacheLike, type CacheOptions } from '@cache/core'
import { MemoryBackend } from '@cache/memory'
import { onTestFinished } from 'vitest'

export interface Rig {
  readonly backend: MemoryBackend
  readonly cache: Cache
  /** Moves the clock of the cache and of its backend. */
  pass(ms: number): void
}

/** A cache in memory with a clock that the test moves. */
export function openCache(options: Omit<CacheOptions, 'backend' | 'clock'> = {}): Rig {
  let now = 1_000_000
  const clock = { now: (): number => now }
  const backend = new MemoryBackend({ maxEntries: 100_000, clock })
  const cache = new Cache({ backend, clock, ...options })
  onTestFinished(() => cache.close())
  return {
    backend,
    cache,
    pass: (ms) => {
      now += ms
    },
  }
}

/** A function that counts its calls. */
export function counting<Arguments extends readonly unknown[], Result>(
  fn: (...args: Arguments) => Result,
): ((...args: Arguments) => Result) & { readonly calls: Arguments[] } {
  const calls: Arguments[] = []
  const counted = (...args: Arguments): Result => {
    calls.push(args)
    return fn(...args)
  }
  return Object.assign(counted, { calls })
}

/** A promise that the test resolves. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

/** The error of a promise that rejects. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  return await promise.then(
    () => {
      throw new Error('the promise resolved')
    },
    (error: Error) => error,
  )
}

/** The part of a cache in which the pipeline `p` keeps its results. */
export function partOf(cache: CacheLike): CacheLike {
  return cache.namespace('pipeline').namespace('p')
}

/** The keys of a cache, in their order. */
export async function keysOf(cache: CacheLike, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const key of cache.keys(prefix)) keys.push(key)
  return keys.sort()
}
