import { type CacheError, type Item, settleAll } from '@cache/core/backend'
import { IncrementBatch } from './batching/increment-batch.ts'
import type { KeyGroups } from './batching/key-groups.ts'
import { largestBatchedBytes, mostBatchedItems, type PendingSet, SetBatch } from './batching/set-batch.ts'
import { isSplitSlot } from './cluster/is-split-slot.ts'
import type { CommandConnection } from './commands/command-connection.ts'
import { compareAndSetScript } from './commands/compare-and-set-script.ts'
import { deleteScript } from './commands/delete-script.ts'
import { GetCommand } from './commands/get-command.ts'
import { argsBeforeKeys } from './commands/script-command.ts'
import { SetCommand } from './commands/set-command.ts'
import { setScript } from './commands/set-script.ts'
import type { SendOptions } from './commands/single-send-command.ts'
import type { ItemReader } from './item-reader.ts'
import type { BackendKeys } from './wire/backend-keys.ts'
import type { CommandEncoder } from './wire/command-encoder.ts'
import type { EncodedItem } from './wire/encoded-item.ts'
import type { ItemEncoding } from './wire/item-encoding.ts'

export interface ItemWriterOptions {
  readonly connection: CommandConnection
  readonly keys: BackendKeys
  readonly encoder: CommandEncoder
  readonly groups: KeyGroups
  readonly items: ItemEncoding
  readonly reader: Pick<ItemReader, 'item' | 'emitForeign'>
  /** Makes the error that `set` rejects with. */
  readonly toError: (error: unknown, key: string) => CacheError
}

/** Writes items. The sets of one tick share commands, and each command leaves after all earlier sets. */
export class ItemWriter {
  readonly #connection: CommandConnection
  readonly #keys: BackendKeys
  readonly #encoder: CommandEncoder
  readonly #groups: KeyGroups
  readonly #items: ItemEncoding
  readonly #reader: Pick<ItemReader, 'item' | 'emitForeign'>
  readonly #toError: (error: unknown, key: string) => CacheError
  readonly #increments: IncrementBatch
  readonly #sets: SetBatch = new SetBatch((sets, immediate) => this.#send(sets, immediate))

  constructor({ connection, keys, encoder, groups, items, reader, toError }: ItemWriterOptions) {
    this.#connection = connection
    this.#keys = keys
    this.#encoder = encoder
    this.#groups = groups
    this.#items = items
    this.#reader = reader
    this.#toError = toError
    this.#increments = new IncrementBatch(connection, keys, items)
  }

  /** Sends the waiting sets or increments. Only one of the two can wait: each call flushes the other kind. */
  flush(): void {
    this.#sets.flush()
    this.#increments.flush()
  }

  /** How many sets and increments wait for `flush`. */
  get size(): number {
    return this.#sets.size + this.#increments.size
  }

  /** Stores an item by a command that leaves at once. Nothing may wait for `flush`. */
  setUnbatched(item: Item): Promise<void> {
    try {
      return this.#setOne(this.#encode(item), true)
    } catch (error) {
      return Promise.reject(this.#toError(error, item.key))
    }
  }

  /**
   * Stores an item: a small one leaves with the next `flush`, a large one at once. The methods below reject with the
   * errors of the client.
   */
  set(item: Item): Promise<void> {
    let encoded: EncodedItem
    try {
      encoded = this.#encode(item)
    } catch (error) {
      return Promise.reject(this.#toError(error, item.key))
    }
    this.#increments.flush()
    if (this.#isBatched(encoded)) return this.#sets.add(encoded)
    this.#sets.flush()
    return this.#setOne(encoded, false)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    // All items are encoded before any is written, so a value that cannot be encoded leaves every key unchanged.
    const last = new Map<string, EncodedItem>()
    for (const item of items) last.set(item.key, this.#encode(item))
    this.flush()
    const encoded = [...last.values()]
    const small = encoded.filter(isSmall)
    const commands = encoded.filter((one) => !isSmall(one)).map((one) => this.#store(one))
    const backendKeys = small.map(({ key }) => this.#keys.toBackendKey(key))
    for (const indexes of this.#groups.of(backendKeys, mostBatchedItems)) {
      commands.push(this.#storeAll(indexes.map((index) => small[index] as EncodedItem)))
    }
    await settleAll(commands)
  }

  async delete(key: string): Promise<boolean> {
    this.flush()
    const keys = [this.#keys.toBackendKey(key)]
    return (await this.#connection.run({ script: deleteScript, keys, args: [] })) === 1
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    this.flush()
    const backendKeys = [...new Set(keys)].map((key) => this.#keys.toBackendKey(key))
    const script = (part: readonly (string | Buffer)[]): Promise<unknown> =>
      this.#connection.run({ script: deleteScript, keys: part, args: [], failsWhenSplit: part.length > 1 })
    let removed = 0
    for (const { reply } of await this.#groups.run(backendKeys, script)) removed += Number(reply)
    return removed
  }

  async compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    const encoded = next === undefined ? undefined : this.#encode(next)
    this.flush()
    const outcome = await this.#compareAndSet(key, expected, encoded, '')
    // A batched get cannot tell a foreign value from an absent key. The write after a miss can, at no cost.
    if (outcome === 3) this.#reader.emitForeign('compareAndSet', key)
    if (outcome !== 2) return outcome !== 0
    // The key holds a value. A damaged value counts as absent, which only this side can tell.
    const found = (await this.#connection.dispatch(
      new GetCommand([key], this.#encoder, { key: this.#keys.toBackendKey(key) }),
    )) as Buffer | null
    if (found !== null && (await this.#reader.item(key, found)) !== undefined) return false
    return (await this.#compareAndSet(key, expected, encoded, found ?? '')) === 1
  }

  /**
   * The sum; the command leaves with the next `flush`. Rejects with an error that has a code, such as `NOT_A_NUMBER`.
   */
  increment(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    this.#sets.flush()
    return this.#increments.add(key, delta, expiresAt)
  }

  #encode(item: Item): EncodedItem {
    return { key: item.key, bytes: this.#items.encode(item), expiresAt: item.expiresAt }
  }

  #isBatched(item: EncodedItem): boolean {
    return isSmall(item) && !this.#connection.isCluster
  }

  /** The lifetime in milliseconds, as the scripts take it. */
  #lifetimeArgument(expiresAt: number | undefined): string {
    return expiresAt === undefined ? '' : String(this.#items.lifetimeUntil(expiresAt))
  }

  /** Updates one argument at the time of writing: the command may wait for its connection while the lifetime runs. */
  #refreshLifetime(expiresAt: number | undefined, index: number): { readonly refreshArgs?: (args: unknown[]) => void } {
    if (expiresAt === undefined) return {}
    return {
      refreshArgs: (args) => {
        args[index] = this.#lifetimeArgument(expiresAt)
      },
    }
  }

  /** Stores an item, and rejects with the errors of `set`. */
  #setOne(item: EncodedItem, immediate: boolean): Promise<void> {
    return this.#store(item, { immediate, toError: (error) => this.#toError(error, item.key) })
  }

  #store(item: EncodedItem, options: SendOptions = {}): Promise<void> {
    const { isCluster } = this.#connection
    const withKey = isCluster ? { ...options, key: this.#keys.toBackendKey(item.key) } : options
    return this.#connection.dispatch(new SetCommand(item, this.#encoder, this.#items, withKey)) as Promise<void>
  }

  #send(waiting: readonly PendingSet[], immediate: boolean): void {
    const [only] = waiting
    if (only !== undefined && waiting.length === 1) {
      this.#setOne(only, true).then(only.resolve, only.reject)
      return
    }
    this.#runSetScript(waiting, immediate).then(
      (failures) => {
        for (const [index, set] of waiting.entries()) {
          const failure = failures.get(index)
          if (failure === undefined) set.resolve()
          else set.reject(this.#toError(failure, set.key))
        }
      },
      (error: unknown) => {
        for (const set of waiting) set.reject(this.#toError(error, set.key))
      },
    )
  }

  async #storeAll(items: readonly EncodedItem[]): Promise<void> {
    if (items.length === 1) return await this.#store(items[0] as EncodedItem)
    try {
      const [failure] = (await this.#runSetScript(items, false)).values()
      if (failure !== undefined) throw failure
    } catch (error) {
      if (!isSplitSlot(error)) throw error
      await settleAll(items.map((item) => this.#store(item)))
    }
  }

  /** The failures by position. Rejects when the first write fails, because then the script writes nothing. */
  async #runSetScript(items: readonly EncodedItem[], immediate: boolean): Promise<Map<number, Error>> {
    const keys: (string | Buffer)[] = []
    const args: (string | Buffer)[] = []
    for (const { key, bytes, expiresAt } of items) {
      keys.push(this.#keys.toBackendKey(key))
      args.push(bytes, this.#lifetimeArgument(expiresAt))
    }
    const refreshArgs = (written: unknown[]): void => {
      for (const [index, { expiresAt }] of items.entries()) {
        if (expiresAt === undefined) continue
        written[argsBeforeKeys + keys.length + 2 * index + 1] = this.#lifetimeArgument(expiresAt)
      }
    }
    const reply = (await this.#connection.run({
      script: setScript,
      keys,
      args,
      refreshArgs,
      immediate,
      failsWhenSplit: true,
    })) as (number | Buffer)[]
    const failures = new Map<number, Error>()
    for (let index = 0; index < reply.length; index += 2) {
      failures.set(Number(reply[index]), new Error(String(reply[index + 1])))
    }
    return failures
  }

  #compareAndSet(
    key: string,
    expected: string | undefined,
    next: EncodedItem | undefined,
    absent: Buffer | string,
  ): Promise<unknown> {
    return this.#connection.run({
      script: compareAndSetScript,
      keys: [this.#keys.toBackendKey(key)],
      args: [expected ?? '', next?.bytes ?? '', this.#lifetimeArgument(next?.expiresAt), absent],
      ...this.#refreshLifetime(next?.expiresAt, argsBeforeKeys + 3),
    })
  }
}

function isSmall({ bytes }: EncodedItem): boolean {
  return bytes.length <= largestBatchedBytes
}
