import { type Item, KeyMutex, type Lifecycle, settleAll } from '@cache/core/backend'
import type { Work } from './calls/queued-call.ts'
import type { DirectoryAccess } from './directory/directory-access.ts'
import { prefixRanges } from './index/key-text.ts'
import type { ItemReader } from './item-reader.ts'
import type { ItemWriter } from './item-writer.ts'
import type { EncodedItem } from './values/encoded-item.ts'

/** Items of a batch that share one call of the queue, so that the event loop can run between calls. */
const itemsPerCall = 64
/** Keys that one statement looks up. */
const keysPerLookup = 128
/** Rows that one transaction of a long removal visits. */
const rowsPerRemoval = 200
/** Keys that one step of `keys` reads. */
const keysPerStep = 500

/** The calls of `CacheBackend` on one directory. */
export class Items {
  readonly reader: ItemReader
  readonly writer: ItemWriter
  readonly #directory: DirectoryAccess
  readonly #lifecycle: Lifecycle
  /**
   * Keeps the calls on one key in their order while one of them writes a value file. Otherwise a large value set first
   * could reach the index after a small value set second (RACES R5).
   */
  readonly #mutex = new KeyMutex()

  constructor(directory: DirectoryAccess, reader: ItemReader, writer: ItemWriter, lifecycle: Lifecycle) {
    this.#directory = directory
    this.reader = reader
    this.writer = writer
    this.#lifecycle = lifecycle
  }

  /** Whether a call that writes a value file runs. Only such calls can fail with errors of the file system. */
  get isWritingFiles(): boolean {
    return this.#mutex.size > 0
  }

  get(key: string): Promise<Item | undefined> {
    if (this.#mutex.size > 0 && this.#mutex.has(key)) return this.inOrder(key, () => this.#get(key))
    return this.#get(key)
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    if (this.#mutex.size > 0) return settleAll(keys.map((key) => this.get(key)))
    if (keys.length <= keysPerLookup) return this.#getSome(keys)
    return (await settleAll(stepsOf(keys, keysPerLookup).map((some) => this.#getSome(some)))).flat()
  }

  async #getSome(keys: readonly string[]): Promise<(Item | undefined)[]> {
    const left: number[] = []
    const items = await this.#directory.queue.read('getMany', keys, (index, now) => {
      left.length = 0
      return this.reader.liveMany(index, keys, now, (position) => left.push(position))
    })
    if (left.length === 0) return items
    // One call for each, so that the event loop can run between long values.
    const found = await settleAll(left.map((position) => this.#get(keys[position] as string)))
    for (const [at, position] of left.entries()) items[position] = found[at]
    return items
  }

  set(item: Item): Promise<void> {
    // Encoded in the call: a later change of the value by the caller must not reach the store (RACES R32).
    const encoded = this.writer.encode(item)
    return this.#writing(item.key, encoded, (file) =>
      this.#directory.queue.write('set', item.key, (index, now) => this.writer.put(index, encoded, file, now)),
    )
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#setMany(items.map((item) => this.writer.encode(item)))
  }

  async #setMany(all: readonly EncodedItem[]): Promise<void> {
    if (this.#mutex.size > 0 || all.some((encoded) => this.isLarge(encoded))) {
      await settleAll(all.map((encoded) => this.#setOne(encoded)))
      return
    }
    const steps = stepsOf(all, itemsPerCall).map((some) =>
      this.#directory.queue.write(
        'setMany',
        some.map(({ item }) => item.key),
        (index, now) => {
          for (const encoded of some) this.writer.put(index, encoded, undefined, now)
        },
      ),
    )
    await settleAll(steps)
  }

  delete(key: string): Promise<boolean> {
    return this.#afterFileWrites(key, () =>
      this.#directory.queue.remove('delete', key, (index, now) => this.writer.remove(index, key, now)),
    )
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    if (this.#mutex.size > 0) {
      const removed = await settleAll(keys.map((key) => this.delete(key)))
      return removed.filter(Boolean).length
    }
    const steps = stepsOf(keys, itemsPerCall).map((some) =>
      this.#directory.queue.remove('deleteMany', some, (index, now) => {
        let live = 0
        for (const key of some) if (this.writer.remove(index, key, now)) live += 1
        return live
      }),
    )
    return (await settleAll(steps)).reduce((sum, live) => sum + live, 0)
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    const encoded = next === undefined ? undefined : this.writer.encode(next)
    return this.#compareAndSetReadable(key, expected, encoded)
  }

  /** Compares with items whose values can be read: one in a damaged file counts as absent. */
  async #compareAndSetReadable(
    key: string,
    expected: string | undefined,
    encoded: EncodedItem | undefined,
  ): Promise<boolean> {
    // Read before `next` is written to a file, which would be in vain.
    let soundFile = encoded !== undefined && this.isLarge(encoded) ? await this.reader.findSoundFile(key) : undefined
    for (;;) {
      const outcome = await this.#compareAndSet(key, expected, encoded, soundFile)
      if (outcome !== 'unread') return outcome
      soundFile = await this.reader.findSoundFile(key)
    }
  }

  #compareAndSet(
    key: string,
    expected: string | undefined,
    encoded: EncodedItem | undefined,
    soundFile: string | undefined,
  ): Promise<boolean | 'unread'> {
    return this.#writing(key, encoded, (file) => {
      const work: Work<boolean | 'unread'> = (index, now) => {
        const outcome = this.writer.compareAndSet(index, key, expected, encoded, file, soundFile, now)
        if (outcome !== true) this.writer.discard(index, file)
        return outcome
      }
      const { queue } = this.#directory
      return encoded === undefined ? queue.remove('compareAndSet', key, work) : queue.write('compareAndSet', key, work)
    })
  }

  increment(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    return this.#afterFileWrites(key, () =>
      this.#directory.queue.write('increment', key, (index, now) =>
        this.writer.increment(index, key, delta, expiresAt, now),
      ),
    )
  }

  async clear(prefix: string): Promise<void> {
    const { queue } = this.#directory
    for (const range of prefixRanges(prefix)) {
      const last = await queue.remove('clear', undefined, (index) => index.lastId())
      let after: string | undefined
      do {
        const from = after
        after = await queue.remove('clear', undefined, (index) => index.removeRange(range, from, last, rowsPerRemoval))
      } while (after !== undefined)
    }
  }

  /** The stored texts of the keys of all live values. */
  async *keyTexts(prefix: string): AsyncGenerator<string> {
    for (const range of prefixRanges(prefix)) {
      let after: string | undefined
      for (;;) {
        const from = after
        const texts = await this.#directory.queue.read('keys', undefined, (index, now) =>
          index.liveKeys(range, from, now, keysPerStep),
        )
        yield* texts
        if (texts.length < keysPerStep) break
        after = texts.at(-1)
      }
    }
  }

  /** Removes every item that carries the tag; resolves to the number of live values among them. */
  async deleteByTag(tag: string): Promise<number> {
    let removed = 0
    for (;;) {
      const { rows, live } = await this.#directory.queue.remove('deleteByTag', undefined, (index, now) =>
        index.removeTagged(tag, now, rowsPerRemoval),
      )
      removed += live
      if (rows < rowsPerRemoval) return removed
    }
  }

  /** Whether the value gets its own file. */
  isLarge(encoded: EncodedItem): boolean {
    const { value } = encoded.item
    // Placeholders and numbers are short. `compareAndSet` and `increment` must work on them without a file.
    if (value === undefined || typeof value === 'number') return false
    return encoded.frame.length > this.#directory.settings.largeValueBytes
  }

  /** Runs `work` after all earlier calls on the key that run in order. `close` waits for it. */
  inOrder<Value>(key: string, work: () => Promise<Value>): Promise<Value> {
    this.#lifecycle.begin()
    return this.#mutex.run(key, work).finally(() => this.#lifecycle.end())
  }

  /** Runs `write` with a value file that is removed again when it fails. */
  async withFile<Value>(file: string, write: (file: string) => Promise<Value>): Promise<Value> {
    try {
      return await write(file)
    } catch (error) {
      await this.#directory.values.remove(file).catch(() => undefined)
      throw error
    }
  }

  #get(key: string): Promise<Item | undefined> {
    return this.#directory.queue.read<Item | undefined | Promise<Item | undefined>>('get', key, (index, now) =>
      this.reader.live(index, key, now),
    ) as Promise<Item | undefined>
  }

  #setOne(encoded: EncodedItem): Promise<void> {
    const { key } = encoded.item
    return this.#writing(key, encoded, (file) =>
      this.#directory.queue.write('setMany', key, (index, now) => this.writer.put(index, encoded, file, now)),
    )
  }

  /** Runs `write`, with the name of a new value file when the value is too large for the index. */
  #writing<Value>(
    key: string,
    encoded: EncodedItem | undefined,
    write: (file: string | undefined) => Promise<Value>,
  ): Promise<Value> {
    if (encoded === undefined || !this.isLarge(encoded)) return this.#afterFileWrites(key, () => write(undefined))
    return this.inOrder(key, async () => {
      await this.#directory.prepare()
      return this.withFile(await this.#directory.values.write(encoded.frame), write)
    })
  }

  #afterFileWrites<Value>(key: string, work: () => Promise<Value>): Promise<Value> {
    return this.#mutex.size > 0 && this.#mutex.has(key) ? this.inOrder(key, work) : work()
  }
}

function stepsOf<Element>(all: readonly Element[], size: number): readonly (readonly Element[])[] {
  if (all.length <= size) return all.length === 0 ? [] : [all]
  const steps: (readonly Element[])[] = []
  for (let start = 0; start < all.length; start += size) steps.push(all.slice(start, start + size))
  return steps
}
