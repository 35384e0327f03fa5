import { CacheError, type Item, settleAll } from '@cache/core/backend'
import { GetBatch, type GroupedGets, type PendingGet } from './batching/get-batch.ts'
import type { KeyGroups } from './batching/key-groups.ts'
import { isSplitSlot } from './cluster/is-split-slot.ts'
import { GetCommand } from './commands/get-command.ts'
import { counterScript } from './commands/scripts.ts'
import type { SendOptions } from './commands/single-send-command.ts'
import type { Connection } from './connection.ts'
import { redisError } from './errors.ts'
import type { BackendKeys } from './wire/backend-keys.ts'
import type { ItemEncoding } from './wire/item-encoding.ts'

export interface ItemReaderOptions {
  readonly connection: Connection
  readonly keys: BackendKeys
  readonly groups: KeyGroups
  readonly items: ItemEncoding
  /** What `get` rejects with. */
  readonly failure: (error: unknown, key: string) => CacheError
  /** Told of what was read as a miss and should not have been one. */
  readonly tell: (error: CacheError) => void
  /** Called before reads leave in the middle of a tick: what was set before them goes first. */
  readonly flushWrites: () => void
}

/** Reads items: those of one tick together. */
export class ItemReader {
  readonly #connection: Connection
  readonly #keys: BackendKeys
  readonly #groups: KeyGroups
  readonly #items: ItemEncoding
  readonly #failure: (error: unknown, key: string) => CacheError
  readonly #emit: (error: CacheError) => void
  readonly #tick: GetBatch
  /** The request of this tick that did not wait for its end, until something is written. */
  #now: { readonly key: string; readonly bytes: Promise<unknown> } | undefined

  constructor({ connection, keys, groups, items, failure, tell, flushWrites }: ItemReaderOptions) {
    this.#connection = connection
    this.#keys = keys
    this.#groups = groups
    this.#items = items
    this.#failure = failure
    this.#emit = tell
    this.#tick = new GetBatch((reads, isEarly) => {
      if (isEarly) flushWrites()
      this.#send(reads, isEarly)
    })
  }

  /** Answers after the next `flush`. Other methods reject with the client's own errors. */
  get(key: string): Promise<Item | undefined> {
    if (this.#now !== undefined && this.#now.key === key) return this.#itemOf(key, this.#now.bytes)
    return this.#tick.add(key)
  }

  /** How many keys wait for `flush`. */
  get count(): number {
    return this.#tick.count
  }

  /** The same as `get`, at once. Whoever asks for the same key before `forget` shares the request. */
  getUnbatched(key: string): Promise<Item | undefined> {
    const bytes = this.#ask([key], true)
    this.#now = { key, bytes }
    return this.#itemOf(key, bytes)
  }

  /** What is asked for from here on may be another value than what was asked for before. */
  forget(): void {
    this.#now = undefined
  }

  /** Sends what was asked for since the last time. */
  flush(): void {
    this.#tick.flush()
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    const unique = new Set(keys)
    const asked = unique.size === keys.length ? keys : [...unique]
    const places = asked === keys ? undefined : new Map(asked.map((key, index) => [key, index]))
    const replies = await this.#fetch(asked)
    const items: (Item | undefined)[] = []
    const counters: Promise<void>[] = []
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index] as string
      const bytes = replies[places?.get(key) ?? index] ?? null
      const isCounter = bytes !== null && this.#items.isCounter(bytes)
      items.push(bytes === null || isCounter ? undefined : this.#decode(key, bytes))
      if (isCounter) counters.push(this.#place(key, items, index))
    }
    if (counters.length > 0) await settleAll(counters)
    return items
  }

  /** The item of bytes that were read; `undefined` where they cannot be. */
  async item(key: string, bytes: Buffer): Promise<Item | undefined> {
    return this.#items.isCounter(bytes) ? await this.#counter(key) : this.#decode(key, bytes)
  }

  #itemOf(key: string, reply: Promise<unknown>): Promise<Item | undefined> {
    return reply.then(
      (bytes) => {
        if (bytes === null) return undefined
        return this.#items.isCounter(bytes as Buffer) ? this.#counterOf(key) : this.#decode(key, bytes as Buffer)
      },
      (error: unknown) => {
        if (this.#isForeign(error, key)) return undefined
        throw this.#failure(error, key)
      },
    )
  }

  #send(reads: GroupedGets, immediate: boolean): void {
    if (!this.#connection.isCluster) {
      this.#sendGroup(reads, immediate)
      return
    }
    // Keys of different slots must not share a command.
    for (const indexes of this.#groups.of(reads.keys.map((key) => this.#keys.toBackendKey(key)))) {
      const keys = indexes.map((index) => reads.keys[index] as string)
      this.#sendGroup({ keys, waiting: indexes.map((index) => reads.waiting[index] as PendingGet) }, false)
    }
  }

  #sendGroup({ keys, waiting }: GroupedGets, immediate: boolean): void {
    const each = (work: (key: string, read: PendingGet) => void): void => {
      for (let index = 0; index < keys.length; index++) work(keys[index] as string, waiting[index] as PendingGet)
    }
    if (keys.length === 1) {
      each((key, read) => this.#sendOne(key, read))
      return
    }
    this.#ask(keys, immediate).then(
      (reply) => this.#answerAll(keys, waiting, reply as (Buffer | null)[]),
      (error: unknown) => {
        if (isSplitSlot(error)) each((key, read) => this.#sendOne(key, read))
        else each((key, read) => this.#reject(key, read, error))
      },
    )
  }

  #sendOne(key: string, read: PendingGet): void {
    this.#ask([key], !this.#connection.isCluster).then(
      (reply) => {
        const bytes = reply as Buffer | null
        this.#answer(key, read, bytes)
        // After huge values each key has a command of its own, until replies say that values are small again.
        this.#tick.observeSizes(bytes?.length ?? 0, 1)
      },
      (error: unknown) => {
        if (this.#isForeign(error, key)) this.#answer(key, read, null)
        else this.#reject(key, read, error)
      },
    )
  }

  #ask(keys: readonly string[], immediate: boolean): Promise<unknown> {
    const options: SendOptions = { immediate, failsWhenSplit: keys.length > 1 }
    const placed = this.#connection.isCluster
      ? { ...options, key: this.#keys.toBackendKey(keys[0] as string) }
      : options
    return this.#connection.dispatch(new GetCommand(keys, this.#keys, placed))
  }

  #answerAll(keys: readonly string[], waiting: readonly PendingGet[], reply: readonly (Buffer | null)[]): void {
    let bytes = 0
    for (let index = 0; index < keys.length; index++) {
      const found = reply[index] ?? null
      if (found !== null) bytes += found.length
      this.#answer(keys[index] as string, waiting[index] as PendingGet, found)
    }
    this.#tick.observeSizes(bytes, keys.length)
  }

  /** Each caller gets an item of its own: what it does to the value must not reach another. */
  #answer(key: string, first: PendingGet, bytes: Buffer | null): void {
    for (let read: PendingGet | undefined = first; read !== undefined; read = read.next) {
      if (bytes === null) read.resolve(undefined)
      else if (this.#items.isCounter(bytes)) this.#answerCounter(key, read)
      else read.resolve(this.#decode(key, bytes))
    }
  }

  #answerCounter(key: string, read: PendingGet): void {
    this.#counterOf(key).then(read.resolve, read.reject)
  }

  async #counterOf(key: string): Promise<Item | undefined> {
    try {
      return await this.#counter(key)
    } catch (error) {
      throw this.#failure(error, key)
    }
  }

  #reject(key: string, first: PendingGet, error: unknown): void {
    for (let read: PendingGet | undefined = first; read !== undefined; read = read.next) {
      read.reject(this.#failure(error, key))
    }
  }

  /** What Redis holds under each key. */
  async #fetch(keys: readonly string[]): Promise<(Buffer | null)[]> {
    const most = this.#tick.mostKeys
    const isOne = !this.#connection.isCluster && keys.length <= most
    const found = isOne ? await this.#fetchPart(keys) : await this.#fetchParts(keys, most)
    let bytes = 0
    for (const one of found) if (one !== null) bytes += one.length
    this.#tick.observeSizes(bytes, found.length)
    return found
  }

  async #fetchParts(keys: readonly string[], most: number): Promise<(Buffer | null)[]> {
    const backendKeys = keys.map((key) => this.#keys.toBackendKey(key))
    const names = new Map(backendKeys.map((one, index) => [one, keys[index] as string]))
    const fetch = (part: readonly (string | Buffer)[]): Promise<(Buffer | null)[]> =>
      this.#fetchPart(part.map((one) => names.get(one) as string))
    const found: (Buffer | null)[] = new Array(keys.length).fill(null)
    for (const { indexes, reply } of await this.#groups.run(backendKeys, fetch, most)) {
      for (const [at, index] of indexes.entries()) found[index] = reply[at] ?? null
    }
    return found
  }

  async #fetchPart(keys: readonly string[]): Promise<(Buffer | null)[]> {
    if (keys.length === 0) return []
    if (keys.length === 1) return [await this.#fetchOne(keys[0] as string)]
    return (await this.#ask(keys, false)) as (Buffer | null)[]
  }

  async #fetchOne(key: string): Promise<Buffer | null> {
    try {
      return (await this.#ask([key], false)) as Buffer | null
    } catch (error) {
      if (this.#isForeign(error, key)) return null
      throw error
    }
  }

  /** Tells that the key holds, or held, another type of Redis. */
  emitForeign(operation: string, key: string): void {
    this.#emit(new CacheError('DAMAGED', 'The key holds another type of Redis', { operation, backend: 'redis', key }))
  }

  /** Whether the key holds another type of Redis, which is a miss and told. */
  #isForeign(error: unknown, key: string): boolean {
    if (!(error instanceof Error) || !error.message.startsWith('WRONGTYPE')) return false
    this.emitForeign('get', key)
    return true
  }

  /** Reads a counter once more, together with its lifetime: what is there now counts. */
  async #counter(key: string): Promise<Item | undefined> {
    const reply = await this.#connection.run({ script: counterScript, keys: [this.#keys.toBackendKey(key)], args: [] })
    const [bytes, left] = reply as [Buffer | null, number]
    return bytes === null ? undefined : this.#decode(key, bytes, left)
  }

  async #place(key: string, items: (Item | undefined)[], index: number): Promise<void> {
    items[index] = await this.#counter(key)
  }

  #decode(key: string, bytes: Buffer, left = -1): Item | undefined {
    try {
      return this.#items.isCounter(bytes) ? this.#items.decodeCounter(key, bytes, left) : this.#items.decode(key, bytes)
    } catch (error) {
      this.#emit(redisError(error, 'get', key))
      return undefined
    }
  }
}
