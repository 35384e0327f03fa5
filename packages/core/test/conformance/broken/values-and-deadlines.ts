import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import { encodeItem } from '../item-bytes.ts'
import type { Broken, Expected, Next } from './broken.ts'
import { bytes } from './bytes.ts'

/** A backend that stores keys under changed ones, in one call only. */
function confusingIn(
  rule: string,
  does: string,
  method: 'getMany' | 'compareAndSet' | 'delete',
  change: (key: string) => string,
): Broken {
  return bytes(
    rule,
    does,
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        return super.getMany(method === 'getMany' ? keys.map(change) : keys)
      }

      override async delete(key: string): Promise<boolean> {
        return super.delete(method === 'delete' ? change(key) : key)
      }

      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        if (method !== 'compareAndSet') return super.compareAndSet(key, expected, next)
        return super.compareAndSet(change(key), expected, next && { ...next, key: change(key) })
      }
    },
  )
}

/** Java's String.hashCode. */
function hashCode(text: string): number {
  let hash = 0
  for (let n = 0; n < text.length; n += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(n)) | 0
  return hash
}

/** A backend that removes items by timers of the process. */
abstract class WithTimers extends BytesBackend {
  protected readonly timers: Set<NodeJS.Timeout> = new Set()

  protected start(ms: number, action: () => void): void {
    this.timers.add(setTimeout(action, ms).unref())
  }

  override async close(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer)
    await super.close()
  }
}

export const brokenValuesAndDeadlines: readonly Broken[] = [
  bytes(
    '1.12',
    'revives texts that look like dates',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        const isDate = typeof found?.value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]*Z$/.test(found.value)
        return found && isDate ? { ...found, value: new Date(found.value as string) } : found
      }
    },
  ),
  bytes(
    '1.12',
    'stores minus zero as zero in a batch',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        await super.setMany(items.map((item) => (Object.is(item.value, -0) ? { ...item, value: 0 } : item)))
      }
    },
  ),
  bytes(
    '1.13',
    'drops functions in maps',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        const { value } = item
        if (!(value instanceof Map)) return super.set(item)
        await super.set({ ...item, value: new Map([...value].filter(([, one]) => typeof one !== 'function')) })
      }
    },
  ),
  bytes(
    '1.14',
    'returns the dates that it was given in a batch',
    class extends BytesBackend {
      readonly #dates = new Map<string, Date>()

      override async setMany(items: readonly Item[]): Promise<void> {
        await super.setMany(items)
        for (const { version, value } of items) if (value instanceof Date) this.#dates.set(version, value)
      }

      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        const date = this.#dates.get(found?.version ?? '')
        return found && date ? { ...found, value: date } : found
      }
    },
  ),
  bytes(
    '1.15',
    'joins tags with commas in a compareAndSet',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        if (!next?.tags) return super.compareAndSet(key, expected, next)
        const pairs = Object.entries(next.tags).map((pair) => pair.join('\n'))
        const tags = Object.fromEntries(
          pairs
            .join(',')
            .split(',')
            .map((pair) => pair.split('\n')),
        )
        return super.compareAndSet(key, expected, { ...next, tags })
      }
    },
  ),
  bytes(
    '1.16',
    'cuts values of more than two megabytes',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        const { value } = item
        await super.set(typeof value === 'string' ? { ...item, value: value.slice(0, 2 ** 21) } : item)
      }
    },
  ),
  bytes(
    '1.17',
    'writes a batch member by member',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        for (const item of items) {
          const old = await this.get(item.key)
          if (old) await super.setMany([{ ...item, value: old.value }])
        }
        await super.setMany(items)
      }
    },
  ),
  bytes(
    '2.9',
    'keeps the timer of an item that a compareAndSet removed',
    class extends WithTimers {
      readonly #ends = new Map<string, number>()

      override async set(item: Item): Promise<void> {
        const { expiresAt } = item
        if (expiresAt !== undefined) this.#ends.set(item.key, expiresAt)
        await super.set(item)
      }

      override async delete(key: string): Promise<boolean> {
        this.#ends.delete(key)
        return super.delete(key)
      }

      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        const end = this.#ends.get(key)
        if (end === undefined || this.options.clock.now() < end) return found
        await this.delete(key)
        return undefined
      }
    },
  ),
  bytes(
    '2.10',
    'rounds the deadlines of a batch up to whole seconds',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        const up = (expiresAt: number): number => Math.ceil(expiresAt / 1000) * 1000
        await super.setMany(
          items.map((item) => (item.expiresAt === undefined ? item : { ...item, expiresAt: up(item.expiresAt) })),
        )
      }
    },
  ),
  bytes(
    '2.11',
    'starts one timer for the whole lifetime of an item',
    class extends WithTimers {
      override async set(item: Item): Promise<void> {
        await super.set(item)
        const { expiresAt } = item
        if (expiresAt !== undefined) this.start(expiresAt - this.options.clock.now(), () => void this.#remove(item))
      }

      async #remove({ key, version }: Item): Promise<void> {
        await this.compareAndSet(key, version, undefined).catch(() => {})
      }
    },
  ),
  bytes(
    '2.12',
    'removes stale items together with the expired ones',
    class extends BytesBackend {
      protected override expire(entries: Entries, key: string): void {
        super.expire(entries, key)
        for (const stored of [...entries.keys()]) {
          const item = this.read(entries, stored.slice(this.prefix.length))
          if (item?.staleAt !== undefined && item.staleAt <= this.options.clock.now()) entries.delete(stored)
        }
      }
    },
  ),
  bytes(
    '2.13',
    'ignores a set of an item that was made before the stored one',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        const old = await this.get(item.key)
        if (old === undefined || old.createdAt <= item.createdAt || !this.lives(item)) await super.set(item)
      }
    },
  ),
  bytes(
    '3.13',
    'looks for an item in one request and stores the first in the next',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        if (expected !== undefined || !next) return super.compareAndSet(key, expected, next)
        if ((await this.get(key)) !== undefined) return false
        await this.set(next)
        return true
      }
    },
  ),
  bytes(
    '3.14',
    'compares in one request and deletes in the next',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        if (next || expected === undefined) return super.compareAndSet(key, expected, next)
        if ((await this.get(key))?.version !== expected) return false
        await this.delete(key)
        return true
      }
    },
  ),
  bytes(
    '4.4',
    'stores by a hash of 32 bits',
    class extends BytesBackend {
      protected override at(key: string): string {
        return key.length > 4 ? `${this.prefix}${hashCode(key)}` : this.prefix + key
      }
    },
  ),
  confusingIn('4.5', 'cuts keys of 20,000 characters in a compareAndSet', 'compareAndSet', (key) =>
    key.slice(0, 20_000),
  ),
  confusingIn('4.6', 'folds full-width characters when it deletes', 'delete', (key) => key.normalize('NFKC')),
  confusingIn('4.6', 'takes characters that are not visible out of the keys of a batch', 'getMany', (key) =>
    key.replaceAll('\u200b', ''),
  ),
  bytes(
    '6.10',
    'splits a batch of reads, and drops the last part when it is full',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        const found = await super.getMany(keys)
        return keys.length % 256 === 0 ? found.map((item, n) => (n < keys.length - 256 ? item : undefined)) : found
      }
    },
  ),
  bytes(
    '6.10',
    'stores no more than 50,000 items of a batch',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        await super.setMany(items.slice(0, 50_000))
      }
    },
  ),
  bytes(
    '6.11',
    'stores the parts of a large batch in reverse order',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        const parts = Array.from({ length: Math.ceil(items.length / 500) }, (_, n) =>
          items.slice(n * 500, n * 500 + 500),
        )
        for (const part of parts.toReversed()) await super.setMany(part)
      }
    },
  ),
  bytes(
    '6.12',
    'collects the keys of concurrent batches in one list',
    class extends BytesBackend {
      #keys: string[] = []

      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        this.#keys.push(...keys)
        await null
        const all = this.#keys
        this.#keys = []
        const found = await super.getMany(all.length > 0 ? all : keys)
        return found.slice(-keys.length || found.length)
      }
    },
  ),
  bytes(
    '7.11',
    'moves the deadline of a counter by the time that an increment takes',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const found = await this.get(key)
        const sum = await super.increment(key, delta, expiresAt)
        const after = await this.get(key)
        const end = found?.expiresAt
        if (after && end !== undefined) {
          const entries: Entries = new Map()
          const moved = { ...after, expiresAt: end + 1 }
          await this.request('increment', (all) => all.set(this.at(key), encodeItem(moved, 'increment')), key)
          entries.clear()
        }
        return sum
      }
    },
  ),
  bytes(
    '7.12',
    'counts on from the number that was there before a compareAndSet',
    class extends BytesBackend {
      readonly #sums = new Map<string, number>()

      override async set(item: Item): Promise<void> {
        this.#sums.delete(item.key)
        await super.set(item)
      }

      override async setMany(items: readonly Item[]): Promise<void> {
        for (const { key } of items) this.#sums.delete(key)
        await super.setMany(items)
      }

      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const before = this.#sums.get(key)
        const found = await this.get(key)
        if (found && before !== undefined) await super.set({ ...found, value: before })
        const sum = await super.increment(key, delta, expiresAt)
        this.#sums.set(key, sum)
        return sum
      }
    },
  ),
]
