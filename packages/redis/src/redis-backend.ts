import {
  type BackendEvent,
  type BackendStats,
  type CacheBackend,
  CacheError,
  cacheErrorCode,
  EventHub,
  type Item,
  settleAll,
} from '@cache/core/backend'
import { KeyGroups } from './batching/key-groups.ts'
import { KeyScan } from './cluster/key-scan.ts'
import { liveScript } from './commands/scripts.ts'
import { Connection } from './connection.ts'
import { redisError } from './errors.ts'
import { ItemReader } from './item-reader.ts'
import { ItemWriter } from './item-writer.ts'
import { type RedisBackendOptions, resolveBackendOptions } from './options.ts'
import { BackendKeys } from './wire/backend-keys.ts'
import { ItemEncoding } from './wire/item-encoding.ts'

/** `stats` counts items on servers with at most so many keys; beyond that, it would cost too much. */
const mostCounted = 10_000

/**
 * A cache backend on Redis or Redis Cluster.
 *
 * Items are frames of `@cache/codecs` under a key each, with Redis' own expiry; counters are plain numbers. The gets of one
 * tick become one MGET and the sets one script; on a Cluster keys of one slot share a command, and the commands of one
 * tick leave together.
 */
export class RedisBackend implements CacheBackend {
  readonly name: string = 'redis'
  /** Absent with `encryption`: Redis cannot add to what it cannot read, and core then counts by `compareAndSet`. */
  readonly increment?: (key: string, delta: number, expiresAt?: number) => Promise<number>
  readonly listen: (listener: (event: BackendEvent) => void) => () => void
  readonly #connection: Connection
  readonly #groups: KeyGroups
  readonly #reader: ItemReader
  readonly #writer: ItemWriter
  readonly #scan: KeyScan
  readonly #events: EventHub = new EventHub()
  readonly #endTick = (): void => this.#flush()
  #isScheduled = false
  /** Whether one caller, who awaits each answer, is all there is, as far as the last requests tell. */
  #isSingleCaller = true
  #closing: Promise<void> | undefined

  /** Connects with the first command. Throws `INVALID_ARGUMENT` for options that are unknown or out of range. */
  constructor(options: RedisBackendOptions) {
    const { connection, format, prefix, clock } = resolveBackendOptions(options)
    const items = new ItemEncoding(format, clock)
    const keys = new BackendKeys(prefix)
    const tell = (error: CacheError): void => {
      if (this.#events.active) this.#events.emit({ type: 'error', error })
    }
    this.#connection = new Connection(connection, (error) => tell(redisError(error, 'connect')))
    this.#groups = new KeyGroups(this.#connection.isCluster)
    this.#reader = new ItemReader({
      connection: this.#connection,
      keys,
      groups: this.#groups,
      items,
      failure: (error, key) => this.#failure(error, 'get', key),
      tell,
      flushWrites: () => this.#writer.flush(),
    })
    this.#writer = new ItemWriter({
      connection: this.#connection,
      keys,
      groups: this.#groups,
      items,
      reader: this.#reader,
      failure: (error, key) => this.#failure(error, 'set', key),
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
      // What was set before in this tick goes first.
      this.#writer.flush()
      return this.#reader.getMany(keys)
    })
  }

  set(item: Item): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(this.#closedError('set', item.key))
    this.#reader.forget()
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

  /** In steps of about a thousand keys, between which the server does other work. */
  async clear(prefix = ''): Promise<void> {
    await this.#attempt('clear', undefined, async () => {
      this.#writer.flush()
      for await (const { backendKeys } of this.#scan.pages(prefix)) {
        await this.#groups.run(backendKeys, (part) =>
          this.#connection.send('unlink', part, { failsWhenSplit: part.length > 1, key: part[0] as string | Buffer }),
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
      throw this.#failure(error, 'keys', undefined)
    }
  }

  /** Tells `items` on servers with at most 10,000 keys, where counting is cheap; otherwise nothing. */
  async stats(): Promise<BackendStats> {
    return await this.#attempt('stats', undefined, async () => {
      const masters = await this.#connection.masters()
      const sizes = await settleAll(masters.map((master) => this.#connection.sendTo(master, 'dbsize', [])))
      if (sizes.reduce<number>((sum, size) => sum + Number(size), 0) > mostCounted) return {}
      const found = new Set<string>()
      for await (const key of this.keys()) found.add(key)
      return { items: found.size }
    })
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
   * Whether a request may leave now, because no other of its tick is to be expected: waiting for the end of the tick would
   * be in vain. The first of many that come at once leaves alone, and no more until there is again a tick with only one.
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

  /** What is set goes out first, so that a get never misses what was set before it in the same tick. */
  #flush(): void {
    this.#isScheduled = false
    this.#reader.forget()
    const waiting = this.#reader.count + this.#writer.count
    if (waiting > 0) this.#isSingleCaller = waiting === 1 && this.#connection.isIdle
    this.#writer.flush()
    this.#reader.flush()
  }

  async #attempt<Result>(operation: string, key: string | undefined, work: () => Promise<Result>): Promise<Result> {
    this.#refuseWhenClosed(operation, key)
    this.#reader.forget()
    try {
      return await work()
    } catch (error) {
      throw this.#failure(error, operation, key)
    }
  }

  /** What a closed connection fails with is the end that was asked for. */
  #failure(error: unknown, operation: string, key: string | undefined): CacheError {
    const failure = redisError(this.#connection.reasonOf(error), operation, key)
    const isEnd = this.#closing !== undefined && cacheErrorCode(failure) === 'UNAVAILABLE'
    return isEnd ? this.#closedError(operation, key) : failure
  }

  #refuseWhenClosed(operation: string, key?: string): void {
    if (this.#closing !== undefined) throw this.#closedError(operation, key)
  }

  #closedError(operation: string, key?: string): CacheError {
    return new CacheError('CLOSED', 'The backend was closed', { operation, backend: this.name, key })
  }
}
