import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  CacheError,
  EventHub,
  type Item,
} from '@cache/core/backend'
import { fileError } from './errors.ts'
import { Items } from './items.ts'
import { keyOfText } from './key-text.ts'
import { type FileBackendOptions, resolveOptions, type Settings } from './options.ts'
import { Store } from './store.ts'

/**
 * A cache in a directory: an index and small values in SQLite, large values in files of their own. Several processes and
 * threads may use one directory, and see one cache.
 *
 * Nothing is opened before the first call. An operation rejects with `UNSUPPORTED` where there is no SQLite, with
 * `UNAVAILABLE` while the directory cannot be reached, `READ_ONLY` while it cannot be written to, `OUT_OF_MEMORY` while
 * the disk is full, `TIMEOUT` when other processes hold the lock for longer than `lockTimeout`.
 */
export class FileBackend implements CacheBackend {
  readonly name = 'file'
  readonly #settings: Settings
  readonly #hub = new EventHub()
  readonly #store: Store
  readonly #items: Items
  #closing: Promise<void> | undefined

  constructor(options: FileBackendOptions) {
    this.#settings = resolveOptions(options)
    this.#store = new Store(this.#settings, this.#hub)
    this.#items = new Items(this.#store)
  }

  get(key: string): Promise<Item | undefined> {
    return this.#closing === undefined ? this.#items.get(key) : this.#refuse('get', key)
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#closing === undefined ? this.#items.getMany(keys) : this.#refuse('getMany')
  }

  set(item: Item): Promise<void> {
    return this.#run('set', item.key, () => this.#items.set(item))
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#run('setMany', undefined, () => this.#items.setMany(items))
  }

  delete(key: string): Promise<boolean> {
    return this.#run('delete', key, () => this.#items.delete(key))
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.#run('deleteMany', undefined, () => this.#items.deleteMany([...new Set(keys)]))
  }

  swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return this.#run('swap', key, () => this.#items.swap(key, expected, next))
  }

  increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.#run('increment', key, () => this.#items.increment(key, delta, expiresAt))
  }

  clear(prefix = ''): Promise<void> {
    return this.#run('clear', undefined, () => this.#items.clear(prefix))
  }

  async *keys(prefix = ''): AsyncGenerator<string> {
    if (this.#closing !== undefined) await this.#refuse('keys')
    for await (const text of this.#items.keys(prefix)) yield keyOfText(text)
  }

  stats(): Promise<BackendStats> {
    const { queue, culler } = this.#store
    return this.#run('stats', undefined, () =>
      queue.read('stats', undefined, (index, now) => {
        const { live, bytes } = index.total()
        const items = live - index.expiredValues(now)
        return { items, size: bytes, evictions: culler.evictions, expired: culler.expired }
      }),
    )
  }

  listen(listener: (event: BackendEvent) => void): () => void {
    return this.#hub.listen(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#store.close(this.#items.order.idle())
    return this.#closing
  }

  /** Runs an operation; whatever it fails with, the caller gets a `CacheError`. */
  #run<Value>(operation: string, key: string | undefined, work: () => Promise<Value>): Promise<Value> {
    if (this.#closing !== undefined) return this.#refuse(operation, key)
    try {
      const running = work()
      // Only files fail with errors of their own; the queue's are already the protocol's.
      return this.#items.order.active
        ? running.catch((error: unknown) => Promise.reject(fileError(error, operation, key)))
        : running
    } catch (error) {
      return Promise.reject(fileError(error, operation, key))
    }
  }

  #refuse(operation: string, key?: string): Promise<never> {
    const message = `${operation}: the file backend was closed`
    return Promise.reject(new CacheError('CLOSED', message, { backend: this.name, operation, key }))
  }
}
