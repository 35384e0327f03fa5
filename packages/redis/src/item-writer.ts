import type { CacheError, Item } from '@cache/core/backend'
import { settleAll } from '@cache/core/backend'
import { IncrementBatch } from './batching/increment-batch.ts'
import type { KeyGroups } from './batching/key-groups.ts'
import { largestGathered, mostGathered, type PendingSet, SetBatch } from './batching/set-batch.ts'
import { isSplitSlot } from './cluster/is-split-slot.ts'
import { compareAndSetScript, deleteScript, setScript } from './commands/scripts.ts'
import { SetCommand } from './commands/set-command.ts'
import type { SendOptions } from './commands/single-send-command.ts'
import type { Connection } from './connection.ts'
import type { ItemReader } from './item-reader.ts'
import type { BackendKeys } from './wire/backend-keys.ts'
import type { EncodedItem } from './wire/encoded-item.ts'
import type { ItemEncoding } from './wire/item-encoding.ts'

/** A script's own arguments come after its hash and the number of keys. */
const beforeKeys = 2

export interface ItemWriterOptions {
  readonly connection: Connection
  readonly keys: BackendKeys
  readonly groups: KeyGroups
  readonly items: ItemEncoding
  readonly reader: ItemReader
  /** What `set` rejects with. */
  readonly failure: (error: unknown, key: string) => CacheError
}

/** Writes items: what is set in one tick together. Each operation goes out after everything that was set before it. */
export class ItemWriter {
  readonly #connection: Connection
  readonly #keys: BackendKeys
  readonly #groups: KeyGroups
  readonly #items: ItemEncoding
  readonly #reader: ItemReader
  readonly #failure: (error: unknown, key: string) => CacheError
  readonly #counts: IncrementBatch
  readonly #tick: SetBatch = new SetBatch((writes, immediate) => this.#send(writes, immediate))

  constructor({ connection, keys, groups, items, reader, failure }: ItemWriterOptions) {
    this.#connection = connection
    this.#keys = keys
    this.#groups = groups
    this.#items = items
    this.#reader = reader
    this.#failure = failure
    this.#counts = new IncrementBatch(connection, keys, items)
  }

  /** Sends what was set or counted since the last time. Either waits, never both: each sends the other on. */
  flush(): void {
    this.#tick.flush()
    this.#counts.flush()
  }

  /** How many items and counts wait for `flush`. */
  get count(): number {
    return this.#tick.count + this.#counts.count
  }

  /** The same as `set`, at once, where nothing waits. */
  setUnbatched(item: Item): Promise<void> {
    try {
      return this.#storeOne(this.#write(item), true)
    } catch (error) {
      return Promise.reject(this.#failure(error, item.key))
    }
  }

  /** Stores an item: a small one after the next `flush`, a large one now. Other methods reject with the client's own errors. */
  set(item: Item): Promise<void> {
    let write: EncodedItem
    try {
      write = this.#write(item)
    } catch (error) {
      return Promise.reject(this.#failure(error, item.key))
    }
    this.#counts.flush()
    if (this.#isGathered(write)) return this.#tick.add(write)
    this.#tick.flush()
    return this.#storeOne(write, false)
  }

  async setMany(items: readonly Item[]): Promise<void> {
    // Everything is encoded before anything is written, so that a value that cannot be kept costs nothing else.
    const last = new Map<string, EncodedItem>()
    for (const item of items) last.set(item.key, this.#write(item))
    this.flush()
    const writes = [...last.values()]
    const small = writes.filter(isSmall)
    const commands = writes.filter((write) => !isSmall(write)).map((write) => this.#store(write))
    const backendKeys = small.map(({ key }) => this.#keys.toBackendKey(key))
    for (const indexes of this.#groups.of(backendKeys, mostGathered)) {
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
    const write = next === undefined ? undefined : this.#write(next)
    this.flush()
    const outcome = await this.#compareAndSet(key, expected, write, '')
    // Gathered reads cannot tell this from an absent key; the write that follows a miss can, and it costs nothing.
    if (outcome === 3) this.#reader.emitForeign('compareAndSet', key)
    if (outcome !== 2) return outcome !== 0
    // Something is there. When it cannot be read it counts as absent, which only this side can tell.
    const backendKey = this.#keys.toBackendKey(key)
    const found = (await this.#connection.send('get', [backendKey], { key: backendKey })) as Buffer | null
    if (found !== null && (await this.#reader.item(key, found)) !== undefined) return false
    return (await this.#compareAndSet(key, expected, write, found ?? '')) === 1
  }

  /** Counts after the next `flush`. Rejects with an error that names `NOT_A_NUMBER` or `OUT_OF_RANGE`. */
  increment(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    this.#tick.flush()
    return this.#counts.add(key, delta, expiresAt)
  }

  #write(item: Item): EncodedItem {
    return { key: item.key, bytes: this.#items.encode(item), expiresAt: item.expiresAt }
  }

  #isGathered(write: EncodedItem): boolean {
    return isSmall(write) && !this.#connection.isCluster
  }

  /** What is left of a lifetime in ms, as the scripts take it. */
  #life(expiresAt: number | undefined): string {
    return expiresAt === undefined ? '' : String(this.#items.lifetimeUntil(expiresAt))
  }

  /** A command may wait for its connection first, and its item's lifetime goes on. */
  #refresh(expiresAt: number | undefined, index: number): { readonly refreshArgs?: (args: unknown[]) => void } {
    if (expiresAt === undefined) return {}
    return {
      refreshArgs: (args) => {
        args[index] = this.#life(expiresAt)
      },
    }
  }

  /** Rejects as \`set\` does. */
  #storeOne(write: EncodedItem, immediate: boolean): Promise<void> {
    return this.#store(write, { immediate, failure: (error) => this.#failure(error, write.key) })
  }

  #store(write: EncodedItem, options: SendOptions = {}): Promise<void> {
    const { isCluster } = this.#connection
    const placed = isCluster ? { ...options, key: this.#keys.toBackendKey(write.key) } : options
    return this.#connection.dispatch(new SetCommand(write, this.#keys, this.#items, placed)) as Promise<void>
  }

  #send(waiting: readonly PendingSet[], immediate: boolean): void {
    const [only] = waiting
    if (only !== undefined && waiting.length === 1) {
      this.#storeOne(only, true).then(only.resolve, only.reject)
      return
    }
    this.#runSet(waiting, immediate).then(
      (failures) => {
        for (const [index, write] of waiting.entries()) {
          const failure = failures.get(index)
          if (failure === undefined) write.resolve()
          else write.reject(this.#failure(failure, write.key))
        }
      },
      (error: unknown) => {
        for (const write of waiting) write.reject(this.#failure(error, write.key))
      },
    )
  }

  async #storeAll(batch: readonly EncodedItem[]): Promise<void> {
    if (batch.length === 1) return await this.#store(batch[0] as EncodedItem)
    try {
      const [failure] = (await this.#runSet(batch, false)).values()
      if (failure !== undefined) throw failure
    } catch (error) {
      if (!isSplitSlot(error)) throw error
      await settleAll(batch.map((write) => this.#store(write)))
    }
  }

  /** The failures by position; rejects when all failed. */
  async #runSet(batch: readonly EncodedItem[], immediate: boolean): Promise<Map<number, Error>> {
    const keys: (string | Buffer)[] = []
    const args: (string | Buffer)[] = []
    for (const { key, bytes, expiresAt } of batch) {
      keys.push(this.#keys.toBackendKey(key))
      args.push(bytes, this.#life(expiresAt))
    }
    const refreshArgs = (written: unknown[]): void => {
      for (const [index, { expiresAt }] of batch.entries()) {
        if (expiresAt !== undefined) written[beforeKeys + keys.length + 2 * index + 1] = this.#life(expiresAt)
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
      args: [expected ?? '', next?.bytes ?? '', this.#life(next?.expiresAt), absent],
      ...this.#refresh(next?.expiresAt, beforeKeys + 3),
    })
  }
}

function isSmall({ bytes }: EncodedItem): boolean {
  return bytes.length <= largestGathered
}
