import { CacheError, type WriteOptions } from '@cache/core'
import { StorageBase, type StorageTarget } from './storage-base.ts'

const methodNames = [
  'get',
  'getMany',
  'has',
  'hasMany',
  'set',
  'setMany',
  'delete',
  'deleteMany',
  'clear',
  'disconnect',
  'iterator',
] as const

type Methods = Record<(typeof methodNames)[number], { exists: boolean; methodType: 'async' }>

/** A storage adapter for Keyv 6 on a cache or a backend. `Keyv5Storage` is the one for Keyv 5, cache-manager 7 and cacheable 2. */
export class KeyvStorage extends StorageBase {
  #isKeyv6 = false

  constructor(target: StorageTarget) {
    super(target, 'KeyvStorage')
  }

  /** Tells Keyv 6 to pass instants of expiry. Otherwise it would wrap the adapter and pass lifetimes. */
  get capabilities(): { compatible: boolean; store: 'keyvStorage'; methods: Methods; expires: boolean } {
    this.#isKeyv6 = true
    const methods = Object.fromEntries(methodNames.map((name) => [name, { exists: true, methodType: 'async' }]))
    return { compatible: true, store: 'keyvStorage', methods: methods as Methods, expires: true }
  }

  /** Stores the value until `expires`, in milliseconds since 1970. Without it the value stays until it is removed. */
  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    this.#mustBeKeyv6('set')
    await this.cache.set(key, value, lifetime(expires))
    return true
  }

  async setMany(entries: { key: string; value: unknown; expires?: number | undefined }[]): Promise<boolean[]> {
    this.#mustBeKeyv6('setMany')
    await this.cache.setMany(entries.map(({ key, value, expires }) => [key, value, lifetime(expires)] as const))
    return entries.map(() => true)
  }

  /** Resolves to whether each key had a value. */
  async deleteMany(keys: string[]): Promise<boolean[]> {
    return this.cache.deleteEach(keys)
  }

  // Keyv 5 passes a lifetime. As an instant it would lie in 1970, and no value would be stored.
  #mustBeKeyv6(operation: string): void {
    if (this.#isKeyv6) return
    throw new CacheError(
      'INVALID_ARGUMENT',
      `${operation}: KeyvStorage must be the store of Keyv 6, but its capabilities were never read, as with Keyv 5. ` +
        'Use Keyv5Storage with Keyv 5 and with libraries that contain it, such as cache-manager 7',
      { operation },
    )
  }
}

function lifetime(expires: number | undefined): WriteOptions {
  return expires === undefined ? { ttl: Number.POSITIVE_INFINITY, staleFor: 0 } : { expiresAt: expires, staleFor: 0 }
}
