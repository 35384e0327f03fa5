import {
  type BackendEvent,
  type BackendPart,
  type BackendStats,
  type CacheBackend,
  EventHub,
  type Item,
  invalidArgument,
  Lifecycle,
  openOrClosed,
} from '@cache/core/backend'
import { setPartsOf } from './backend-parts.ts'
import { DirectoryHandle } from './directory/directory-handle.ts'
import { fileError } from './errors.ts'
import { keyOfText } from './index/key-text.ts'
import { ItemReader } from './item-reader.ts'
import { ItemWriter } from './item-writer.ts'
import { Items } from './items.ts'
import { statsOf } from './limits/stats.ts'
import { type FileBackendOptions, resolveOptions } from './options.ts'

/**
 * A cache in a directory: an index and small values in SQLite, large values in files. Processes and threads that use
 * the same directory share one cache.
 *
 * The first call opens the directory. Calls reject with `UNSUPPORTED` without SQLite, and with `UNAVAILABLE` while the
 * directory cannot be reached. Writes reject with `READ_ONLY` in a read-only directory, with `OUT_OF_MEMORY` on a full
 * disk, and with `TIMEOUT` when other processes hold the lock for longer than `lockTimeout`.
 */
export class FileBackend implements CacheBackend {
  readonly name = 'file'
  readonly #hub = new EventHub()
  readonly #lifecycle = new Lifecycle('file')
  readonly #directory: DirectoryHandle
  readonly #items: Items

  constructor(options: FileBackendOptions) {
    const settings = resolveOptions(options)
    this.#directory = new DirectoryHandle(settings, this.#hub)
    const reader = new ItemReader(this.#directory)
    const writer = new ItemWriter(settings, this.#directory.evictor, reader)
    this.#items = new Items(this.#directory, reader, writer, this.#lifecycle)
    setPartsOf(this, { directory: this.#directory, items: this.#items, lifecycle: this.#lifecycle })
  }

  get(key: string): Promise<Item | undefined> {
    return this.#lifecycle.isClosed ? this.#rejectClosed('get', key) : this.#items.get(key)
  }

  getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return this.#lifecycle.isClosed ? this.#rejectClosed('getMany') : this.#items.getMany(keys)
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

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return this.#run('compareAndSet', key, () => this.#items.compareAndSet(key, expected, next))
  }

  increment(key: string, delta: number, expiresAt?: number): Promise<number> {
    return this.#run('increment', key, () => this.#items.increment(key, delta, expiresAt))
  }

  clear(prefix = ''): Promise<void> {
    return this.#run('clear', undefined, () => this.#items.clear(prefix))
  }

  async *keys(prefix = ''): AsyncGenerator<string> {
    this.#lifecycle.refuseWhenClosed('keys')
    for await (const text of this.#items.keyTexts(prefix)) yield keyOfText(text)
  }

  stats(): Promise<BackendStats> {
    return this.#run('stats', undefined, () => statsOf(this.#directory))
  }

  describe(): BackendPart {
    return { kind: 'store', name: this.name, ...openOrClosed(this.#lifecycle.isClosed), backend: this }
  }

  listen(listener: (event: BackendEvent) => void, types?: readonly BackendEvent['type'][]): () => void {
    return this.#hub.listen(listener, types)
  }

  /**
   * Removes every item that carries the tag and frees its space; resolves to the number of live values among them.
   * `Cache.deleteByTag` only makes them misses. The tag of a namespace is named by its tag record, such as
   * `@#app/users/:premium`.
   */
  deleteByTag(tag: string): Promise<number> {
    return this.#run('deleteByTag', undefined, async () => {
      if (typeof tag !== 'string') throw invalidArgument('tag', tag, 'a string', 'deleteByTag')
      return await this.#items.deleteByTag(tag)
    })
  }

  /**
   * Removes every expired item now; resolves to the number of removed values. Writes and the maintenance remove them
   * gradually.
   */
  removeExpired(): Promise<number> {
    return this.#run('removeExpired', undefined, () => this.#directory.maintenance.removeExpired())
  }

  /** Waits for all calls, then closes the directory. Later calls reject with `CLOSED`. */
  close(): Promise<void> {
    return this.#lifecycle.close(
      () => this.#directory.close(),
      () => this.#directory.maintenance.stop(),
    )
  }

  /** Runs a call. Every failure becomes a `CacheError`. */
  #run<Value>(method: string, key: string | undefined, work: () => Promise<Value>): Promise<Value> {
    if (this.#lifecycle.isClosed) return this.#rejectClosed(method, key)
    try {
      const running = work()
      // Only file writes fail with other errors. The queue's failures are `CacheError`s already.
      return this.#items.isWritingFiles
        ? running.catch((error: unknown) => Promise.reject(fileError(error, method, key)))
        : running
    } catch (error) {
      return Promise.reject(fileError(error, method, key))
    }
  }

  #rejectClosed(method: string, key?: string): Promise<never> {
    return Promise.reject(this.#lifecycle.closedError(method, key))
  }
}
