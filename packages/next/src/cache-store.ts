import type { CacheLike } from '@cache/core'
import { withMethods } from '@cache/core/backend'
import type { Store } from './store.ts'

/** A store in a cache of the application. The first call opens it. */
export class CacheStore implements Store {
  readonly #open: () => CacheLike<unknown>
  #cache: CacheLike<unknown> | undefined

  constructor(open: () => CacheLike<unknown>) {
    this.#open = open
  }

  async get(key: string): Promise<unknown> {
    return this.#opened().get(key, { readFailure: 'reject' })
  }

  async getMany(keys: readonly string[]): Promise<unknown[]> {
    return this.#opened().getMany(keys, { readFailure: 'reject' })
  }

  async set(key: string, value: unknown, lifetime: number): Promise<void> {
    await this.#opened().set(key, value, { ttl: lifetime, staleFor: 0 })
  }

  async update(key: string, change: (current: unknown) => unknown, lifetime: number): Promise<unknown> {
    return this.#opened().update(key, change, { ttl: lifetime, staleFor: 0 })
  }

  async close(): Promise<void> {
    await this.#cache?.close()
  }

  #opened(): CacheLike<unknown> {
    this.#cache ??= withMethods(
      this.#open(),
      ['get', 'getMany', 'set', 'update', 'close', 'withLock'],
      'the result of open',
      'an asynchronous Cache',
      'nextCacheHandler',
    )
    return this.#cache
  }
}
