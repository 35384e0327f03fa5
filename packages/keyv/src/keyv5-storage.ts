import type { WriteOptions } from '@cache/core'
import { StorageBase, type StorageTarget } from './storage-base.ts'

/** A storage adapter for Keyv 5 on a cache or a backend, and so for cache-manager 7, cacheable 2 and other libraries that contain Keyv 5. */
export class Keyv5Storage extends StorageBase {
  constructor(target: StorageTarget) {
    super(target, 'Keyv5Storage')
  }

  /** Stores the value for `ttl` milliseconds. Without it the value stays until it is removed. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    await this.cache.set(key, value, lifetime(ttl))
    return true
  }

  async setMany(entries: { key: string; value: unknown; ttl?: number | undefined }[]): Promise<boolean[]> {
    await this.cache.setMany(entries.map(({ key, value, ttl }) => [key, value, lifetime(ttl)] as const))
    return entries.map(() => true)
  }

  /** Resolves to whether every key had a value, as `deleteMany` of Keyv 5 does. */
  async deleteMany(keys: string[]): Promise<boolean> {
    return (await this.cache.deleteEach(keys)).every(Boolean)
  }
}

// Keyv passes a negative lifetime on, and `Cache` refuses it: 0 also removes the earlier value.
function lifetime(ttl: number | undefined): WriteOptions {
  return { ttl: ttl === undefined ? Number.POSITIVE_INFINITY : Math.max(0, ttl), staleFor: 0 }
}
