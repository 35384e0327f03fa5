import type { Item } from '@cache/core/backend'
import { KeyOrder } from './calls/key-mutex.ts'
import type { Store } from './directory/directory-handle.ts'
import { prefixRanges } from './index/key-text.ts'
import { ItemReader } from './item-reader.ts'
import { ItemWriter } from './item-writer.ts'
import type { StoredItem } from './values/encoded-item.ts'

/** Operations of a batch that share one entry of the queue, so that a turn can end between them. */
const batchStep = 64
/** Keys that are looked up in one statement. */
const lookupStep = 128
/** Rows that one transaction of a long removal takes. */
const removalStep = 200
const keysStep = 500

/** The operations of `CacheBackend` on one directory. */
export class Items {
  readonly reader: ItemReader
  readonly writer: ItemWriter
  readonly order: KeyOrder = new KeyOrder()
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
    this.reader = new ItemReader(store)
    this.writer = new ItemWriter(store, this.reader)
  }

  get(key: string): Promise<Item | undefined> {
    if (this.order.active && this.order.has(key)) return this.order.run(key, () => this.#get(key))
    return this.#get(key)
  }

  async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
    if (this.order.active) return Promise.all(keys.map((key) => this.get(key)))
    if (keys.length <= lookupStep) return this.#getSome(keys)
    return (await Promise.all(stepsOf(keys, lookupStep).map((some) => this.#getSome(some)))).flat()
  }

  async #getSome(keys: readonly string[]): Promise<(Item | undefined)[]> {
    const left: number[] = []
    const items = await this.#store.queue.read('getMany', keys, (index, now) => {
      left.length = 0
      return this.reader.liveMany(index, keys, now, (place) => left.push(place))
    })
    if (left.length === 0) return items
    // Each by itself, so that a turn can end between long values.
    const found = await Promise.all(left.map((place) => this.#get(keys[place] as string)))
    for (const [at, place] of left.entries()) items[place] = found[at]
    return items
  }

  set(item: Item): Promise<void> {
    // Encoded at once: what the caller does to the value afterwards must not change what is stored (RACES R32).
    const stored = this.writer.encode(item)
    return this.#writing(item.key, stored, (file) =>
      this.#store.queue.write('set', item.key, (index, now) => this.writer.put(index, stored, file, now)),
    )
  }

  setMany(items: readonly Item[]): Promise<void> {
    return this.#setMany(items.map((item) => this.writer.encode(item)))
  }

  async #setMany(all: readonly StoredItem[]): Promise<void> {
    if (this.order.active || all.some((stored) => this.isLarge(stored))) {
      await Promise.all(all.map((stored) => this.#setOne(stored)))
      return
    }
    const steps = stepsOf(all, batchStep).map((some) =>
      this.#store.queue.write(
        'setMany',
        some.map(({ item }) => item.key),
        (index, now) => {
          for (const stored of some) this.writer.put(index, stored, undefined, now)
        },
      ),
    )
    await Promise.all(steps)
  }

  delete(key: string): Promise<boolean> {
    return this.#inOrder(key, () =>
      this.#store.queue.write('delete', key, (index, now) => this.writer.remove(index, key, now)),
    )
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    if (this.order.active) {
      const removed = await Promise.all(keys.map((key) => this.delete(key)))
      return removed.filter(Boolean).length
    }
    const steps = stepsOf(keys, batchStep).map((some) =>
      this.#store.queue.write('deleteMany', some, (index, now) => {
        let live = 0
        for (const key of some) if (this.writer.remove(index, key, now)) live += 1
        return live
      }),
    )
    return (await Promise.all(steps)).reduce((sum, live) => sum + live, 0)
  }

  compareAndSet(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
    const stored = next === undefined ? undefined : this.writer.encode(next)
    return expected === undefined ? this.#compareAndSetAbsent(key, stored) : this.#compareAndSet(key, expected, stored)
  }

  async #compareAndSetAbsent(key: string, stored: StoredItem | undefined): Promise<boolean> {
    if (await this.#compareAndSet(key, undefined, stored)) return true
    // An item whose file is damaged counts as absent, and only reading the file can tell.
    if (!(await this.reader.findDamage(key))) return false
    return this.#compareAndSet(key, undefined, stored)
  }

  #compareAndSet(key: string, expected: string | undefined, stored: StoredItem | undefined): Promise<boolean> {
    return this.#writing(key, stored, (file) =>
      this.#store.queue.write('compareAndSet', key, (index, now) => {
        const swapped = this.writer.compareAndSet(index, key, expected, stored, file, now)
        if (!swapped) this.writer.discard(index, file)
        return swapped
      }),
    )
  }

  increment(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
    return this.#inOrder(key, () =>
      this.#store.queue.write('increment', key, (index, now) =>
        this.writer.increment(index, key, delta, expiresAt, now),
      ),
    )
  }

  async clear(prefix: string): Promise<void> {
    const { queue } = this.#store
    for (const range of prefixRanges(prefix)) {
      const last = await queue.write('clear', undefined, (index) => index.lastId())
      let after: string | undefined
      do {
        const from = after
        after = await queue.write('clear', undefined, (index) => index.removeRange(range, from, last, removalStep))
      } while (after !== undefined)
    }
  }

  async *keys(prefix: string): AsyncGenerator<string> {
    for (const range of prefixRanges(prefix)) {
      let after: string | undefined
      for (;;) {
        const from = after
        const texts = await this.#store.queue.read('keys', undefined, (index, now) =>
          index.liveKeys(range, from, now, keysStep),
        )
        yield* texts
        if (texts.length < keysStep) break
        after = texts.at(-1)
      }
    }
  }

  /** Removes every item that carries the tag; resolves to how many live values they were. */
  async deleteByTag(tag: string): Promise<number> {
    let removed = 0
    for (;;) {
      const { rows, live } = await this.#store.queue.write('deleteByTag', undefined, (index, now) =>
        index.removeTagged(tag, now, removalStep),
      )
      removed += live
      if (rows < removalStep) return removed
    }
  }

  #get(key: string): Promise<Item | undefined> {
    return this.#store.queue.read<Item | undefined | Promise<Item | undefined>>('get', key, (index, now) =>
      this.reader.live(index, key, now),
    ) as Promise<Item | undefined>
  }

  #setOne(stored: StoredItem): Promise<void> {
    return this.#writing(stored.item.key, stored, (file) =>
      this.#store.queue.write('setMany', stored.item.key, (index, now) => this.writer.put(index, stored, file, now)),
    )
  }

  isLarge(stored: StoredItem): boolean {
    const { value } = stored.item
    // Placeholders and numbers are short, and what `compareAndSet` and `increment` do with them must need no file.
    if (value === undefined || typeof value === 'number') return false
    return stored.frame.length > this.#store.settings.largeValueBytes
  }

  /** Runs `write`, with the name of a new value file where the value is too large for the index. */
  #writing<Value>(
    key: string,
    stored: StoredItem | undefined,
    write: (file: string | undefined) => Promise<Value>,
  ): Promise<Value> {
    if (stored === undefined || !this.isLarge(stored)) return this.#inOrder(key, () => write(undefined))
    return this.order.run(key, async () => {
      await this.#store.prepare()
      return this.withFile(await this.#store.values.write(stored.frame), write)
    })
  }

  /** Runs `write` with a value file that is removed again when it fails. */
  async withFile<Value>(file: string, write: (file: string) => Promise<Value>): Promise<Value> {
    try {
      return await write(file)
    } catch (error) {
      await this.#store.values.remove(file).catch(() => undefined)
      throw error
    }
  }

  #inOrder<Value>(key: string, work: () => Promise<Value>): Promise<Value> {
    return this.order.active && this.order.has(key) ? this.order.run(key, work) : work()
  }
}

function stepsOf<Element>(all: readonly Element[], size: number): readonly (readonly Element[])[] {
  if (all.length <= size) return all.length === 0 ? [] : [all]
  const steps: (readonly Element[])[] = []
  for (let start = 0; start < all.length; start += size) steps.push(all.slice(start, start + size))
  return steps
}
