import { CacheError, type Item, settleAll } from '@cache/core/backend'
import { GetBatch, type GroupedGets, type PendingGet } from './batching/get-batch.ts'
import type { KeyGroups } from './batching/key-groups.ts'
import { isSplitSlot } from './cluster/is-split-slot.ts'
import type { CommandConnection } from './commands/command-connection.ts'
import { counterScript } from './commands/counter-script.ts'
import { GetCommand } from './commands/get-command.ts'
import type { SendOptions } from './commands/single-send-command.ts'
import { redisError } from './errors.ts'
import type { BackendKeys } from './wire/backend-keys.ts'
import type { CommandEncoder } from './wire/command-encoder.ts'
import type { ItemEncoding } from './wire/item-encoding.ts'

export interface ItemReaderOptions {
  readonly connection: CommandConnection
  readonly keys: BackendKeys
  readonly encoder: CommandEncoder
  readonly groups: KeyGroups
  readonly items: ItemEncoding
  /** Makes the error that `get` rejects with. */
  readonly toError: (error: unknown, key: string) => CacheError
  /** Receives an error for each value that reads as a miss because it is damaged or foreign. */
  readonly emit: (error: CacheError) => void
  /** Called before gets leave in the middle of a tick: earlier sets of the tick must leave first. */
  readonly flushWrites: () => void
}

/** Reads items. The gets of one tick share commands. */
export class ItemReader {
  readonly #connection: CommandConnection
  readonly #keys: BackendKeys
  readonly #encoder: CommandEncoder
  readonly #groups: KeyGroups
  readonly #items: ItemEncoding
  readonly #toError: (error: unknown, key: string) => CacheError
  readonly #emit: (error: CacheError) => void
  readonly #batch: GetBatch

  constructor({ connection, keys, encoder, groups, items, toError, emit, flushWrites }: ItemReaderOptions) {
    this.#connection = connection
    this.#keys = keys
    this.#encoder = encoder
    this.#groups = groups
    this.#items = items
    this.#toError = toError
    this.#emit = emit
    this.#batch = new GetBatch((gets, immediate) => {
      if (immediate) flushWrites()
      this.#send(gets, immediate)
    })
  }

  /** The item; the command leaves with the next `flush`. The other methods reject with the errors of the client. */
  get(key: string): Promise<Item | undefined> {
    return this.#batch.add(key)
  }

  /** How many keys wait for `flush`. */
  get size(): number {
    return this.#batch.size
  }

  /**
   * The item, by a command that leaves at once. No other get shares its reply, not even in the same tick: between the two
   * calls this process may have waited for another one that changed the item (rules 5.10 and 11.1).
   */
  getUnbatched(key: string): Promise<Item | undefined> {
    return this.#itemOf(key, this.#request([key], true))
  }

  /** Sends the waiting gets. */
  flush(): void {
    this.#batch.flush()
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    const unique = new Set(keys)
    const requested = unique.size === keys.length ? keys : [...unique]
    const positions = requested === keys ? undefined : new Map(requested.map((key, index) => [key, index]))
    const replies = await this.#fetch(requested)
    const items: (Item | undefined)[] = []
    const counters: Promise<void>[] = []
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string
      const bytes = replies[positions?.get(key) ?? index] ?? null
      const isCounter = bytes !== null && this.#items.isCounter(bytes)
      items.push(bytes === null || isCounter ? undefined : this.#decode(key, bytes))
      if (isCounter) counters.push(this.#readCounterInto(items, index, key))
    }
    if (counters.length > 0) await settleAll(counters)
    return items
  }

  /** The item of bytes that were read; `undefined` when the bytes are damaged. */
  async item(key: string, bytes: Buffer): Promise<Item | undefined> {
    return this.#items.isCounter(bytes) ? await this.#readCounter(key) : this.#decode(key, bytes)
  }

  /** Emits that the key holds, or held, another type of Redis. */
  emitForeign(operation: string, key: string): void {
    this.#emit(new CacheError('DAMAGED', 'The key holds another type of Redis', { operation, backend: 'redis', key }))
  }

  #itemOf(key: string, reply: Promise<unknown>): Promise<Item | undefined> {
    return reply.then(
      (bytes) => {
        if (bytes === null) return undefined
        return this.#items.isCounter(bytes as Buffer) ? this.#counterOf(key) : this.#decode(key, bytes as Buffer)
      },
      (error: unknown) => {
        if (this.#isForeign(error, key)) return undefined
        throw this.#toError(error, key)
      },
    )
  }

  #send(gets: GroupedGets, immediate: boolean): void {
    if (!this.#connection.isCluster) {
      this.#sendGroup(gets, immediate)
      return
    }
    // Keys of different slots must not share a command.
    for (const indexes of this.#groups.of(gets.keys.map((key) => this.#keys.toBackendKey(key)))) {
      const keys = indexes.map((index) => gets.keys[index] as string)
      this.#sendGroup({ keys, waiting: indexes.map((index) => gets.waiting[index] as PendingGet) }, false)
    }
  }

  #sendGroup({ keys, waiting }: GroupedGets, immediate: boolean): void {
    const each = (work: (key: string, get: PendingGet) => void): void => {
      for (let index = 0; index < keys.length; index++) work(keys[index] as string, waiting[index] as PendingGet)
    }
    if (keys.length === 1) {
      each((key, get) => this.#sendOne(key, get))
      return
    }
    this.#request(keys, immediate).then(
      (reply) => this.#deliverAll(keys, waiting, reply as (Buffer | null)[]),
      (error: unknown) => {
        if (isSplitSlot(error)) each((key, get) => this.#sendOne(key, get))
        else each((key, get) => this.#reject(key, get, error))
      },
    )
  }

  #sendOne(key: string, get: PendingGet): void {
    this.#request([key], !this.#connection.isCluster).then(
      (reply) => {
        const bytes = reply as Buffer | null
        this.#deliver(key, get, bytes)
        // After huge values each key has its own command, until replies show that values are small again.
        this.#batch.observeSizes(bytes?.length ?? 0, 1)
      },
      (error: unknown) => {
        if (this.#isForeign(error, key)) this.#deliver(key, get, null)
        else this.#reject(key, get, error)
      },
    )
  }

  #request(keys: readonly string[], immediate: boolean): Promise<unknown> {
    const options: SendOptions = { immediate, failsWhenSplit: keys.length > 1 }
    const withKey = this.#connection.isCluster
      ? { ...options, key: this.#keys.toBackendKey(keys[0] as string) }
      : options
    return this.#connection.dispatch(new GetCommand(keys, this.#encoder, withKey))
  }

  #deliverAll(keys: readonly string[], waiting: readonly PendingGet[], reply: readonly (Buffer | null)[]): void {
    let bytes = 0
    for (let index = 0; index < keys.length; index++) {
      const found = reply[index] ?? null
      if (found !== null) bytes += found.length
      this.#deliver(keys[index] as string, waiting[index] as PendingGet, found)
    }
    this.#batch.observeSizes(bytes, keys.length)
  }

  /** Each caller gets its own item, so that a change to the value never reaches another caller. */
  #deliver(key: string, first: PendingGet, bytes: Buffer | null): void {
    for (let get: PendingGet | undefined = first; get !== undefined; get = get.next) {
      try {
        if (bytes === null) get.resolve(undefined)
        else if (this.#items.isCounter(bytes)) this.#deliverCounter(key, get)
        else get.resolve(this.#decode(key, bytes))
      } catch (error) {
        // A listener threw. The other callers of the command still get their items.
        get.reject(this.#toError(error, key))
      }
    }
  }

  #deliverCounter(key: string, get: PendingGet): void {
    this.#counterOf(key).then(get.resolve, get.reject)
  }

  async #counterOf(key: string): Promise<Item | undefined> {
    try {
      return await this.#readCounter(key)
    } catch (error) {
      throw this.#toError(error, key)
    }
  }

  #reject(key: string, first: PendingGet, error: unknown): void {
    for (let get: PendingGet | undefined = first; get !== undefined; get = get.next) {
      get.reject(this.#toError(error, key))
    }
  }

  /** The bytes that Redis holds under each key. */
  async #fetch(keys: readonly string[]): Promise<(Buffer | null)[]> {
    const most = this.#batch.keysPerCommand
    const fitsOneCommand = !this.#connection.isCluster && keys.length <= most
    const found = fitsOneCommand ? await this.#fetchPart(keys) : await this.#fetchParts(keys, most)
    let bytes = 0
    for (const one of found) if (one !== null) bytes += one.length
    this.#batch.observeSizes(bytes, found.length)
    return found
  }

  async #fetchParts(keys: readonly string[], most: number): Promise<(Buffer | null)[]> {
    const backendKeys = keys.map((key) => this.#keys.toBackendKey(key))
    const keysByBackendKey = new Map(backendKeys.map((backendKey, index) => [backendKey, keys[index] as string]))
    const fetch = (part: readonly (string | Buffer)[]): Promise<(Buffer | null)[]> =>
      this.#fetchPart(part.map((backendKey) => keysByBackendKey.get(backendKey) as string))
    const found: (Buffer | null)[] = new Array(keys.length).fill(null)
    for (const { indexes, reply } of await this.#groups.run(backendKeys, fetch, most)) {
      for (const [at, index] of indexes.entries()) found[index] = reply[at] ?? null
    }
    return found
  }

  async #fetchPart(keys: readonly string[]): Promise<(Buffer | null)[]> {
    if (keys.length === 0) return []
    if (keys.length === 1) return [await this.#fetchOne(keys[0] as string)]
    return (await this.#request(keys, false)) as (Buffer | null)[]
  }

  async #fetchOne(key: string): Promise<Buffer | null> {
    try {
      return (await this.#request([key], false)) as Buffer | null
    } catch (error) {
      if (this.#isForeign(error, key)) return null
      throw error
    }
  }

  /** Whether the key holds another type of Redis. That is a miss, and an event reports it. */
  #isForeign(error: unknown, key: string): boolean {
    if (!(error instanceof Error) || !error.message.startsWith('WRONGTYPE')) return false
    this.emitForeign('get', key)
    return true
  }

  /** Reads a counter again, together with its lifetime. The value of this second read counts. */
  async #readCounter(key: string): Promise<Item | undefined> {
    const reply = await this.#connection.run({
      script: counterScript,
      keys: [this.#keys.toBackendKey(key)],
      args: [],
    })
    const [bytes, lifetime] = reply as [Buffer | null, number]
    return bytes === null ? undefined : this.#decode(key, bytes, lifetime)
  }

  async #readCounterInto(items: (Item | undefined)[], index: number, key: string): Promise<void> {
    items[index] = await this.#readCounter(key)
  }

  #decode(key: string, bytes: Buffer, lifetime = -1): Item | undefined {
    try {
      return this.#items.isCounter(bytes)
        ? this.#items.decodeCounter(key, bytes, lifetime)
        : this.#items.decode(key, bytes)
    } catch (error) {
      this.#emit(redisError(error, 'get', key))
      return undefined
    }
  }
}
