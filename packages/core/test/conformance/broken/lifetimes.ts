import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import type { Broken, Expected, Next } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenLifetimes: readonly Broken[] = [
  bytes(
    '2.1',
    'drops items without a deadline after a year',
    class extends BytesBackend {
      protected override lives(item: Item): boolean {
        return item.expiresAt === undefined
          ? this.options.clock.now() < item.createdAt + 365 * 24 * 3_600_000
          : super.lives(item)
      }
    },
  ),
  bytes(
    '2.2',
    'serves an item at the very instant of its deadline',
    class extends BytesBackend {
      protected override lives(item: Item): boolean {
        return item.expiresAt === undefined || this.options.clock.now() <= item.expiresAt
      }
    },
  ),
  bytes(
    '2.2',
    'never expires anything once it is stored',
    class extends BytesBackend {
      readonly #stored = new Set<string>()

      protected override lives(item: Item): boolean {
        if (!this.#stored.has(item.version) && !super.lives(item)) return false
        this.#stored.add(item.version)
        return true
      }
    },
  ),
  bytes(
    '2.3',
    'leaves the old item when the new one has already expired',
    class extends BytesBackend {
      protected override write(entries: Entries, item: Item, stored: Uint8Array): void {
        if (this.lives(item)) super.write(entries, item, stored)
      }
    },
  ),
  bytes(
    '2.3',
    'takes a deadline of 0 for none',
    class extends BytesBackend {
      protected override lives(item: Item): boolean {
        return !item.expiresAt || super.lives(item)
      }
    },
  ),
  bytes(
    '2.4',
    'keeps the remaining life in 32 bits',
    class extends BytesBackend {
      protected override lives(item: Item): boolean {
        return item.expiresAt === undefined || ((item.expiresAt - this.options.clock.now()) | 0) > 0
      }
    },
  ),
  bytes(
    '2.4',
    'shortens long lifetimes to what a timer can wait',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        const most = this.options.clock.now() + 2 ** 31 - 1
        await super.set(item.expiresAt === undefined ? item : { ...item, expiresAt: Math.min(item.expiresAt, most) })
      }
    },
  ),
  bytes(
    '2.5',
    'keeps deadlines in whole seconds, rounded down',
    class extends BytesBackend {
      protected override lives(item: Item): boolean {
        return item.expiresAt === undefined || this.options.clock.now() < Math.floor(item.expiresAt / 1000) * 1000
      }
    },
  ),
  bytes(
    '2.6',
    'counts an expired item as deleted',
    class extends BytesBackend {
      protected override remove(entries: Entries, key: string): boolean {
        return entries.delete(this.at(key))
      }
    },
  ),
  bytes(
    '2.6',
    'lets an expired item block a compareAndSet that expects nothing',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const there = await this.request('compareAndSet', (entries) => entries.has(this.at(key)))
        return expected === undefined && there ? false : super.compareAndSet(key, expected, next)
      }
    },
  ),
  bytes(
    '2.6',
    'goes on counting from an expired counter',
    class extends BytesBackend {
      readonly #last = new Map<string, number>()

      override async set(item: Item): Promise<void> {
        if (typeof item.value === 'number') this.#last.set(item.key, item.value)
        await super.set(item)
      }

      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        if ((await this.get(key)) === undefined && this.#last.has(key)) {
          const version = `counted ${key}`
          await super.set({ key, value: this.#last.get(key), version, createdAt: 0 })
        }
        return super.increment(key, delta, expiresAt)
      }
    },
  ),
  bytes(
    '2.6',
    'lets a placeholder hold its key for ever',
    class extends BytesBackend {
      protected override lives(item: Item): boolean {
        return item.value === undefined || super.lives(item)
      }
    },
  ),
  bytes(
    '2.7',
    'removes an expired item in a second request, whatever is there by then',
    class extends BytesBackend {
      protected override expire(_entries: Entries, key: string): void {
        void this.request('expire', (entries) => entries.delete(this.at(key)))
      }
    },
  ),
  bytes(
    '2.8',
    'drops stale items',
    class extends BytesBackend {
      protected override lives(item: Item): boolean {
        return super.lives(item) && (item.staleAt === undefined || this.options.clock.now() < item.staleAt)
      }
    },
  ),
]
