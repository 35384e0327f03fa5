import type { Readable } from 'node:stream'
import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  CacheError,
  EventHub,
  type Item,
} from '@cache/core/backend'
import { Store } from './directory/directory-handle.ts'
import { fileError } from './errors.ts'
import { keyOfText } from './index/key-text.ts'
import { Items } from './items.ts'
import { statsOf } from './limits/stats.ts'
import { Check, type CheckReport } from './maintenance/check.ts'
import { Dump, type ImportReport } from './maintenance/dump.ts'
import { KeyvImport, type KeyvImportOptions } from './maintenance/keyv-import.ts'
import { volumeOf } from './maintenance/volume.ts'
import { type FileBackendOptions, resolveOptions, type Settings } from './options.ts'
import {
  type LeasedMessage,
  type Message,
  MessageQueue,
  type PullOptions,
  type PushOptions,
} from './queue/job-queue.ts'
import { type StreamedItem, Streams } from './streams/streams.ts'
import { type FileTransaction, Transactions } from './transactions/transaction.ts'
import type { ByteSource } from './values/value-stream.ts'

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
  readonly #streams: Streams
  readonly #transactions: Transactions
  readonly #messages: MessageQueue
  #closing: Promise<void> | undefined

  constructor(options: FileBackendOptions) {
    this.#settings = resolveOptions(options)
    this.#store = new Store(this.#settings, this.#hub)
    this.#items = new Items(this.#store)
    this.#streams = new Streams(this.#store, this.#items)
    this.#transactions = new Transactions(this.#store, this.#items)
    this.#messages = new MessageQueue(this.#store, this.#items)
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
    if (this.#closing !== undefined) await this.#refuse('keys')
    for await (const text of this.#items.keys(prefix)) yield keyOfText(text)
  }

  stats(): Promise<BackendStats> {
    return this.#run('stats', undefined, () => statsOf(this.#store))
  }

  listen(listener: (event: BackendEvent) => void): () => void {
    return this.#hub.listen(listener)
  }

  /**
   * Stores a value that is read from a stream and never in memory at once; resolves to its length in bytes. Rejects, and
   * leaves what was there, when the source fails. `get` gives such a value as a `Buffer`, as far as `maxDecodedBytes` allows.
   */
  setStream(item: StreamedItem, source: ByteSource): Promise<number> {
    return this.#runFiles('setStream', item.key, () => this.#streams.set(item, source))
  }

  /**
   * A value as a stream of bytes; `undefined` when there is none. Also of values that were set as bytes or text; rejects
   * with `UNSUPPORTED` for any other. Damage found on the way destroys the stream with `DAMAGED`.
   */
  getStream(key: string): Promise<Readable | undefined> {
    return this.#runFiles('getStream', key, () => this.#streams.get(key))
  }

  /**
   * Several operations, all or nothing: other processes see all of them or none. The callback may run again, when others
   * changed what it read; after `attempts` (default 100) runs it rejects with `CONFLICT`, and when the callback rejects,
   * with that. Nothing is written before the callback has resolved.
   */
  transact<Result>(
    work: (transaction: FileTransaction) => Promise<Result> | Result,
    { attempts = 100 }: { readonly attempts?: number } = {},
  ): Promise<Result> {
    return this.#closing === undefined ? this.#transactions.run(work, attempts) : this.#refuse('transact')
  }

  /** Puts a message into a queue that all processes of the directory share; resolves to its id. */
  push(queue: string, value: unknown, options: PushOptions = {}): Promise<number> {
    return this.#runFiles('push', queue, () => this.#messages.push(queue, value, options))
  }

  /**
   * The next message of a queue, which nobody else gets until its lease (default 30,000 ms) ends; `undefined` when there is
   * none. `ack` removes it. Without an `ack` in time it is handed out again. A damaged message is removed, one that this
   * process cannot decode or open is left to others; both are reported as `error` events.
   */
  pull(queue: string, options: PullOptions = {}): Promise<LeasedMessage | undefined> {
    return this.#runFiles('pull', queue, () => this.#messages.pull(queue, options))
  }

  /** The message that `pull` would give, which stays where it is; `undefined` when there is none. */
  peekMessage(queue: string, side: 'front' | 'back' = 'front'): Promise<Message | undefined> {
    return this.#runFiles('peekMessage', queue, () => this.#messages.peek(queue, side))
  }

  /** How many messages are in a queue, those that are held included. */
  countMessages(queue: string): Promise<number> {
    return this.#run('countMessages', queue, () => this.#messages.count(queue))
  }

  /**
   * Removes every item that carries the tag, and frees their space, where `Cache.deleteByTag` makes them misses; resolves to
   * how many live values they were. A tag in a namespace is named by its record, such as `@#app/users/:premium`.
   */
  deleteByTag(tag: string): Promise<number> {
    return this.#run('deleteByTag', undefined, () => this.#items.deleteByTag(tag))
  }

  /** Removes every expired item at once rather than by and by; resolves to how many values they were. */
  removeExpired(): Promise<number> {
    return this.#run('removeExpired', undefined, () => this.#store.janitor.removeExpired())
  }

  /** Removes what the policy gives up until the limits hold; resolves to how many items they were. */
  cull(): Promise<number> {
    return this.#run('cull', undefined, () => this.#store.janitor.cull())
  }

  /** Bytes on the disk: the index with its log, and every value file. */
  volume(): Promise<number> {
    return this.#runFiles('volume', undefined, () => volumeOf(this.#store))
  }

  /** Compares index, counters and files, and reads every value. With `fix`, what cannot be read is removed and the rest made consistent. */
  check({ fix = false }: { readonly fix?: boolean } = {}): Promise<CheckReport> {
    return this.#runFiles('check', undefined, () => new Check(this.#store, fix).run())
  }

  /** Resolves when everything that was acknowledged before survives a loss of power. */
  flush(): Promise<void> {
    return this.#runFiles('flush', undefined, () => this.#store.sync())
  }

  /** Writes all live values to a readable file, a line of JSON each; resolves to how many they are. */
  exportTo(path: string): Promise<number> {
    return this.#runFiles('exportTo', undefined, () => new Dump(this.#store, this.#items).exportTo(path))
  }

  /** Stores what `exportTo` wrote. */
  importFrom(path: string): Promise<ImportReport> {
    return this.#runFiles('importFrom', undefined, () => new Dump(this.#store, this.#items).importFrom(path))
  }

  /** Stores what the npm package keyv-file wrote, in a file or in a folder of files. */
  importKeyvFile(path: string, options: KeyvImportOptions = {}): Promise<ImportReport> {
    return this.#runFiles('importKeyvFile', undefined, () =>
      new KeyvImport(this.#store, this.#items).run(path, options),
    )
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

  /** The same for operations on files, which may fail in the file system's own words. */
  #runFiles<Value>(operation: string, key: string | undefined, work: () => Promise<Value>): Promise<Value> {
    const running = this.#run(operation, key, work).catch((error: unknown) =>
      Promise.reject(fileError(error, operation, key)),
    )
    return this.#items.order.track(running)
  }

  #refuse(operation: string, key?: string): Promise<never> {
    const message = `${operation}: the file backend was closed`
    return Promise.reject(new CacheError('CLOSED', message, { backend: this.name, operation, key }))
  }
}
