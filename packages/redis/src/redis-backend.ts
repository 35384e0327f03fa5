import {
  type BackendPart,
  type BackendStats,
  type CacheBackend,
  CacheError,
  cacheErrorCode,
  EventHub,
  type Item,
  openOrClosed,
  settleAll,
} from '@cache/core/backend'
import { KeyGroups } from './batching/key-groups.ts'
import { KeyScan } from './cluster/key-scan.ts'
import { liveScript } from './commands/live-script.ts'
import { Connection } from './connection.ts'
import { redisError } from './errors.ts'
import { ItemReader } from './item-reader.ts'
import { ItemWriter } from './item-writer.ts'
import { type RedisBackendOptions, resolveBackendOptions } from './options.ts'
import { BackendKeys } from './wire/backend-keys.ts'
import { CommandEncoder } from './wire/command-encoder.ts'
import { ItemEncoding } from './wire/item-encoding.ts'
import { isCount } from './wire/reply-shapes.ts'

/** The most keys of a server for which `stats` counts items. A count of more keys would cost too much. */
const mostCounted = 10_000

/**
 * A cache backend on Redis or Redis Cluster.
 *
 * Each item is a frame of `@cache/codecs` under its own key, with the expiry of Redis. Counters are plain numbers. The
 * gets of one tick become one MGET, and the sets one script. On a Cluster, keys of one slot share a command, and the
 * commands of one tick leave together.
 */
export class RedisBackend implements CacheBackend {
  readonly name: string = 'redis'
  /** Absent with `encryption`: Redis cannot add to an encrypted value. The cache then counts by `compareAndSet`. */
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly listen: NonNullable<CacheBackend['listen']>
  readonly #connection: Connection
  readonly #groups: KeyGroups
  readonly #reader: ItemReader
  readonly #writer: ItemWriter
  readonly #scan: KeyScan
  readonly #events: EventHub = new EventHub()
  readonly #endTick = (): void => this.#flush()
  #isScheduled = false
  /** Whether recent requests look like a single caller that awaits each reply. */
  #isSingleCaller = true
  #closing: Promise<void> | undefined

  /** Connects with the first command. Throws `INVALID_ARGUMENT` for options that are unknown or out of range. */
  constructor(options: RedisBackendOptions) {
    const { connection, format, prefix, clock } = resolveBackendOptions(options)
    const items = new ItemEncoding(format, `redis ${connection.database} ${prefix}`, clock)
    const keys = new BackendKeys(prefix)
    const encoder = new CommandEncoder(prefix)
    const emit = (error: CacheError): void => {
      if (this.#events.active) this.#events.emit({ type: 'error', error })
    }
    this.#connection = new Connection(connection, (error) => emit(redisError(error, 'connect')))
    this.#groups = new KeyGroups(this.#connection.isCluster)
    this.#reader = new ItemReader({
      connection: this.#connection,
      keys,
      encoder,
      groups: this.#groups,
      items,
      toError: (error, key) => this.#toError(error, 'get', key),
      emit,
      flushWrites: () => this.#writer.flush(),
    })
    this.#writer = new ItemWriter({
      connection: this.#connection,
      keys,
      encoder,
      groups: this.#groups,
      items,
      reader: this.#reader,
      toError: (error, key) => this.#toError(error, 'set', key),
    })
    this.#scan = new KeyScan(this.#connection, keys)
    this.listen = this.#events.listen
    if (!items.isEncrypted) this.increment = (key, delta, expiresAt) => this.#increment(key, delta, expiresAt)
  }

  get(key: string): Promise<Item | undefined> {
    if (this.#closing !== undefined) return Promise.reject(this.#closedError('get', key))
    const found = this.#canSendUnbatched() ? this.#reader.getUnbatched(key) : this.#reader.get(key)
    this.#schedule()
    return found
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    return await this.#attempt('getMany', undefined, () => {
      // Earlier sets of this tick leave first.
      this.#writer.flush()
      return this.#reader.getMany(keys)
    })
  }

  set(item: Item): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(this.#closedError('set', item.key))
    if (this.#canSendUnbatched()) return this.#writer.setUnbatched(item)
    this.#schedule()
    return this.#writer.set(item)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    await this.#attempt('setMany', undefined, () => this.#writer.setMany(items))
  }

  async delete(key: string): Promise<boolean> {
    return await this.#attempt('delete', key, () => this.#writer.delete(key))
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    return await this.#attempt('deleteMany', undefined, () => this.#writer.deleteMany(keys))
  }

  async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    return await this.#attempt('compareAndSet', key, () => this.#writer.compareAndSet(key, expected, next))
  }

  /** Removes the keys in steps of about a thousand. The server does other work between the steps. */
  async clear(prefix = ''): Promise<void> {
    await this.#attempt('clear', undefined, async () => {
      this.#writer.flush()
      for await (const { backendKeys } of this.#scan.pages(prefix)) {
        await this.#groups.run(backendKeys, (part) =>
          this.#connection.send('unlink', part, {
            failsWhenSplit: part.length > 1,
            key: part[0] as string | Buffer,
            shape: isCount,
          }),
        )
        this.#refuseWhenClosed('clear')
      }
    })
  }

  async *keys(prefix = ''): AsyncIterable<string> {
    try {
      this.#refuseWhenClosed('keys')
      this.#writer.flush()
      for await (const page of this.#scan.pages(prefix)) {
        const script = (part: readonly (string | Buffer)[]): Promise<unknown> =>
          this.#connection.run({ script: liveScript, keys: part, args: [], failsWhenSplit: part.length > 1 })
        for (const { indexes, reply } of await this.#groups.run(page.backendKeys, script)) {
          const live = reply as readonly number[]
          for (let at = 0; at < indexes.length; at++)
            if (live[at] === 1) yield page.keys[indexes[at] as number] as string
        }
        this.#refuseWhenClosed('keys')
      }
    } catch (error) {
      throw this.#toError(error, 'keys', undefined)
    }
  }

  /** The number of `items` on servers with at most 10,000 keys, where counting is cheap; otherwise no figures. */
  async stats(): Promise<BackendStats> {
    return await this.#attempt('stats', undefined, async () => {
      const masters = await this.#connection.masters()
      const sizes = await settleAll(masters.map((master) => this.#connection.sendTo(master, 'dbsize', [], isCount)))
      if (sizes.reduce<number>((sum, size) => sum + Number(size), 0) > mostCounted) return {}
      const found = new Set<string>()
      for await (const key of this.keys()) found.add(key)
      return { items: found.size }
    })
  }

  describe(): BackendPart {
    const lost = this.#closing === undefined ? this.#connection.lostReason : undefined
    const state =
      lost === undefined ? openOrClosed(this.#closing !== undefined) : ({ status: 'down', message: lost } as const)
    return { kind: 'store', name: this.name, ...state, backend: this }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#flush()
    await this.#connection.close()
  }

  #increment(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    return this.#attempt('increment', key, () => {
      this.#schedule()
      return this.#writer.increment(key, delta, expiresAt)
    })
  }

  /**
   * Whether a request may leave at once, because no other request of its tick is expected and the end of the tick would
   * bring nothing. The first of many simultaneous requests leaves at once too. Later ones are batched until a tick
   * again has only one request.
   */
  #canSendUnbatched(): boolean {
    if (this.#isSingleCaller) this.#isSingleCaller = !this.#isScheduled && this.#connection.isIdle
    return this.#isSingleCaller
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(this.#endTick)
  }

  /** Sends sets before gets, so that a get never misses an earlier set of its tick. */
  #flush(): void {
    this.#isScheduled = false
    const waiting = this.#reader.size + this.#writer.size
    if (waiting > 0) this.#isSingleCaller = waiting === 1 && this.#connection.isIdle
    this.#writer.flush()
    this.#reader.flush()
  }

  async #attempt<Result>(operation: string, key: string | undefined, work: () => Promise<Result>): Promise<Result> {
    this.#refuseWhenClosed(operation, key)
    try {
      return await work()
    } catch (error) {
      throw this.#toError(error, operation, key)
    }
  }

  /** The error that a caller receives. After `close`, a closed connection is the result of that call: `CLOSED`. */
  #toError(error: unknown, operation: string, key: string | undefined): CacheError {
    const failure = redisError(this.#connection.reasonOf(error), operation, key)
    const isFromClose = this.#closing !== undefined && cacheErrorCode(failure) === 'UNAVAILABLE'
    return isFromClose ? this.#closedError(operation, key) : failure
  }

  #refuseWhenClosed(operation: string, key?: string): void {
    if (this.#closing !== undefined) throw this.#closedError(operation, key)
  }

  #closedError(operation: string, key?: string): CacheError {
    return new CacheError('CLOSED', 'The backend was closed; open another one', { operation, backend: this.name, key })
  }
}
