import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import { encodeItem } from '../item-bytes.ts'
import type { Broken } from './broken.ts'
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
    'lets an expired item block a swap that expects nothing',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        const there = await this.request('swap', (entries) => entries.has(this.at(key)))
        return expected === undefined && there ? false : super.swap(key, expected, next)
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

export const brokenSwaps: readonly Broken[] = [
  bytes(
    '3.1',
    'keeps the tags of the item that a swap replaces',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        const tags = (await this.get(key))?.tags
        return super.swap(key, expected, next && tags ? { ...next, tags: { ...tags, ...next.tags } } : next)
      }
    },
  ),
  bytes(
    '3.2',
    'compares the start of a version only',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        const version = (await this.get(key))?.version
        const alike = expected !== undefined && version?.startsWith(expected.slice(0, 8))
        return super.swap(key, alike ? version : expected, next)
      }
    },
  ),
  bytes(
    '3.2',
    'stores although it says that it did not',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        const won = await super.swap(key, expected, next)
        if (!won && next && (await this.get(key))) await this.set(next)
        return won
      }
    },
  ),
  bytes(
    '3.3',
    'takes no expectation for any',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        return super.swap(key, expected ?? (await this.get(key))?.version, next)
      }
    },
  ),
  bytes(
    '3.4',
    'stores where nothing is, whatever was expected',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        return super.swap(key, (await this.get(key)) === undefined ? undefined : expected, next)
      }
    },
  ),
  bytes(
    '3.5',
    'stores a placeholder where a swap should remove',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        return super.swap(key, expected, next ?? { key, value: undefined, version: `${expected}-`, createdAt: 0 })
      }
    },
  ),
  bytes(
    '3.6',
    'lets the version of an earlier equal value match',
    class extends BytesBackend {
      readonly #values = new Map<string, unknown>()

      override async set(item: Item): Promise<void> {
        this.#values.set(item.version, item.value)
        await super.set(item)
      }

      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        const found = await this.get(key)
        const equal = expected !== undefined && found !== undefined && this.#values.get(expected) === found.value
        return super.swap(key, equal ? found.version : expected, next)
      }
    },
  ),
  bytes(
    '3.7',
    'lets a swap that expects nothing replace a placeholder',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        const found = await this.get(key)
        const free = expected === undefined && found?.value === undefined
        return super.swap(key, free ? found?.version : expected, next)
      }
    },
  ),
  bytes(
    '3.8',
    'compares in one request and writes in the next',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        if ((await this.get(key))?.version !== expected) return false
        if (next) await this.set(next)
        else await this.delete(key)
        return true
      }
    },
  ),
  bytes(
    '3.9',
    'does nothing when it is to swap in an item that has expired',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        return next && !this.lives(next) ? false : super.swap(key, expected, next)
      }
    },
  ),
  bytes(
    '3.10',
    'removes the old item when the next cannot be kept',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        try {
          if (next) encodeItem(next, 'swap')
        } catch (error) {
          await super.swap(key, expected, undefined)
          throw error
        }
        return super.swap(key, expected, next)
      }
    },
  ),
  bytes(
    '3.11',
    'goes by the version that it saw last instead of the one that is there',
    class extends BytesBackend {
      readonly #seen = new Map<string, string>()

      override async set(item: Item): Promise<void> {
        this.#seen.set(item.key, item.version)
        await super.set(item)
      }

      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        if (expected === undefined || this.#seen.get(key) !== expected) return super.swap(key, expected, next)
        if (next) await this.set(next)
        else await this.delete(key)
        return true
      }
    },
  ),
]
