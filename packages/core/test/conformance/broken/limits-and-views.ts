import type { BackendEvent, BackendStats, Item } from '../../../src/backend-kit/index.ts'
import type { CacheBackend } from '../../../src/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import type { MapBackend } from '../map-backend.ts'
import { mapHarness } from '../map-harness.ts'
import type { Transaction, TransactionalBackend } from '../transactional-backend.ts'
import { transactionalHarness } from '../transactional-harness.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

type Near = NonNullable<CacheBackend['near']>

/** The copy, unless it has expired. */
function valid(backend: MapBackend, copy: Item | undefined): Item | undefined {
  return copy?.expiresAt !== undefined && backend.sync.get(copy.key) === undefined ? undefined : copy
}

/** A backend with near copies that one call does not update. */
function near(
  rule: string,
  does: string,
  make: (backend: MapBackend, copies: Map<string, Item>) => Partial<CacheBackend>,
): Broken {
  const wrap = (backend: MapBackend): CacheBackend => {
    const copies = new Map<string, Item>()
    const { get, set, delete: remove, clear, setMany, deleteMany, compareAndSet, increment } = backend
    const dropping =
      <Given extends unknown[], Answer>(call: (...given: Given) => Promise<Answer>) =>
      async (...given: Given): Promise<Answer> => {
        copies.clear()
        return call.apply(backend, given)
      }
    const changed: Partial<CacheBackend> = {
      get: async (key) => {
        const found = await get.call(backend, key)
        if (found) copies.set(key, found)
        else copies.delete(key)
        return found
      },
      set: dropping(set),
      delete: dropping(remove),
      clear: dropping(clear),
      setMany: dropping(setMany),
      deleteMany: dropping(deleteMany),
      compareAndSet: dropping(compareAndSet),
      increment: dropping(increment),
    }
    const copy = (key: string): Item | undefined => valid(backend, copies.get(key))
    return Object.assign(backend, changed, { near: { get: copy } satisfies Near }, make(backend, copies))
  }
  return { rule, does, harness: () => mapHarness(wrap) }
}

function transactional(
  rule: string,
  does: string,
  change: (backend: TransactionalBackend, view: CacheBackend, transaction: Transaction) => Partial<CacheBackend>,
): Broken {
  return {
    rule,
    does,
    harness: () =>
      transactionalHarness((backend) => {
        const honest = backend.inTransaction.bind(backend)
        const inTransaction = (given: unknown): CacheBackend => {
          const view = honest(given)
          return { ...view, ...change(backend, view, given as Transaction) }
        }
        return Object.assign(backend, { inTransaction })
      }),
  }
}

export const brokenLimitsAndViews: readonly Broken[] = [
  bytes(
    '12.7',
    'counts only sets towards its limit',
    class extends BytesBackend {
      #counting = false

      override async set(item: Item): Promise<void> {
        this.#counting = true
        await super.set(item)
        this.#counting = false
      }

      protected override evict(entries: Entries): void {
        if (this.#counting) super.evict(entries)
      }
    },
  ),
  bytes(
    '12.8',
    'counts an item that a batch removed',
    class extends BytesBackend {
      #extra = 0

      override async deleteMany(keys: readonly string[]): Promise<number> {
        const removed = await super.deleteMany(keys)
        if (keys.length < 10) this.#extra += removed
        return removed
      }

      override async stats(): Promise<BackendStats> {
        const stats = await super.stats()
        return { ...stats, items: (stats.items ?? 0) + this.#extra }
      }
    },
  ),
  bytes(
    '12.9',
    'passes on events of every type',
    class extends BytesBackend {
      override listen(listener: (event: BackendEvent) => void): () => void {
        return super.listen(listener)
      }
    },
  ),
  bytes(
    '12.10',
    'evicts an item for every overwrite of a store that is half full',
    class extends BytesBackend {
      protected override write(entries: Entries, item: Item, stored: Uint8Array): void {
        const { maxEntries = Number.POSITIVE_INFINITY } = this.options
        const another = [...entries.keys()].find((key) => key !== this.at(item.key))
        if (entries.has(this.at(item.key)) && entries.size >= maxEntries / 2 && another) entries.delete(another)
        super.write(entries, item, stored)
      }
    },
  ),
  bytes(
    '12.11',
    'keeps the size of an item that an expired one replaced',
    class extends BytesBackend {
      #extra = 0

      override async set(item: Item): Promise<void> {
        if (!this.lives(item)) this.#extra += String((await this.get(item.key))?.value ?? '').length
        await super.set(item)
      }

      protected override size(entries: Entries): number {
        return super.size(entries) + this.#extra
      }
    },
  ),
  near('13.7', 'keeps the near copy of a key that a batch removes', (backend) => {
    const { sync } = backend
    return { deleteMany: async (keys) => sync.deleteMany(keys) }
  }),
  near('13.7', 'keeps the near copy of a counter', (backend) => {
    const { sync } = backend
    return { increment: async (key, delta, end) => sync.increment?.(key, delta, end) ?? 0 }
  }),
  near('13.8', 'keeps the generation when a compareAndSet changes a record', (backend, copies) => {
    let generation = 1
    const dropping =
      <Given extends unknown[], Answer>(call: (...given: Given) => Promise<Answer>) =>
      async (...given: Given): Promise<Answer> => {
        copies.clear()
        generation += 1
        return call.apply(backend, given)
      }
    const { set, delete: remove, clear, setMany, deleteMany, increment } = Object.getPrototypeOf(backend) as MapBackend
    const changed: Partial<CacheBackend> = {
      set: dropping(set),
      delete: dropping(remove),
      clear: dropping(clear),
      setMany: dropping(setMany),
      deleteMany: dropping(deleteMany),
      increment: dropping(increment),
    }
    const copy = (key: string): Item | undefined => valid(backend, copies.get(key))
    return { ...changed, near: { get: copy, generation: () => generation } }
  }),
  transactional('15.4', 'counts outside of the transaction', (backend) => ({
    increment: (key, delta, end) => backend.increment(key, delta, end),
  })),
  transactional('15.4', 'reads a batch outside of the transaction', (backend) => ({
    getMany: (keys) => backend.getMany(keys),
  })),
  transactional('15.5', 'stores a batch outside of the transaction as well', (backend, view) => ({
    setMany: async (items) => {
      await view.setMany?.(items)
      await backend.setMany(items)
    },
  })),
  transactional('15.6', 'locks no key of a batch of deletes', (_backend, view, transaction) => ({
    deleteMany: async (keys) => {
      const removed = (await view.deleteMany?.(keys)) ?? 0
      for (const key of keys) transaction.closed.delete(key)
      return removed
    },
  })),
]
