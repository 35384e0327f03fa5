import type { CacheError, Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import type { Broken, Expected, Next } from './broken.ts'
import { bytes } from './bytes.ts'

const version = (entries: Entries, key: string): number | undefined => entries.get(key)?.[0]

export const brokenIterationsAndOutages: readonly Broken[] = [
  bytes(
    '8.5',
    'ends an iteration at a page without a key of the prefix',
    class extends BytesBackend {
      override async *keys(prefix = ''): AsyncIterable<string> {
        const stored = await this.request('keys', (entries) => [...entries.keys()])
        for (let page = 0; page < stored.length; page += 500) {
          const own = stored.slice(page, page + 500).filter((key) => key.startsWith(this.prefix + prefix))
          if (own.length === 0) return
          for (const key of own) {
            const name = key.slice(this.prefix.length)
            if ((await this.get(name))?.value !== undefined) yield name
          }
        }
      }
    },
  ),
  bytes(
    '8.6',
    'skips a page for each page that the caller has removed',
    class extends BytesBackend {
      override async *keys(prefix = ''): AsyncIterable<string> {
        const seen = new Set<string>()
        for (let offset = 0; ; offset += 1000) {
          const all = await this.request('keys', (entries) => [...entries.keys()])
          // New keys do not move the place, and the keys that a change moves to the end are found there again.
          const page = all.slice(offset, offset + 1000)
          if (page.length === 0) break
          for (const key of page) seen.add(key)
          for (const key of page) {
            const name = key.slice(this.prefix.length)
            if (name.startsWith(prefix) && (await this.get(name))?.value !== undefined) yield name
          }
        }
      }
    },
  ),
  bytes(
    '8.7',
    'has one place for all iterations',
    class extends BytesBackend {
      #place: Iterator<string> | undefined

      override async *keys(prefix = ''): AsyncIterable<string> {
        const stored = await this.request('keys', (entries) => [...entries.keys()])
        this.#place = stored[Symbol.iterator]()
        for (;;) {
          const { value, done } = this.#place.next()
          if (done) return
          const name = (value as string).slice(this.prefix.length)
          const isOwn = (value as string).startsWith(this.prefix + prefix)
          if (isOwn && (await this.get(name))?.value !== undefined) yield name
        }
      }
    },
  ),
  bytes(
    '9.7',
    'lets no compareAndSet replace an item of a later format',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const isLater = await this.request('compareAndSet', (entries) => version(entries, this.at(key)) === 2)
        return !isLater && super.compareAndSet(key, expected, next)
      }
    },
  ),
  bytes(
    '9.8',
    'rejects a batch that replaces a damaged item',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        for (const { key } of items) {
          const found = await this.request('setMany', (entries) => entries.get(this.at(key)))
          if (found !== undefined && found.length < 5) throw this.error('DAMAGED', 'setMany', key)
        }
        await super.setMany(items)
      }
    },
  ),
  bytes(
    '10.11',
    'sends the sets that failed again, when the store is back',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        await super.set(item).catch((error: CacheError) => {
          if (error.code === 'UNAVAILABLE') setTimeout(() => void super.set(item).catch(() => {}), 50)
          throw error
        })
      }
    },
  ),
  bytes(
    '10.12',
    'sends an increment again whose answer the outage took away',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const sum = await super.increment(key, delta, expiresAt)
        if (!this.options.store.down) return sum
        setTimeout(() => void super.increment(key, delta, expiresAt).catch(() => {}), 20)
        return sum
      }
    },
  ),
  bytes(
    '10.13',
    'waits for the store before it closes',
    class extends BytesBackend {
      override async close(): Promise<void> {
        while (this.options.store.down) await new Promise((resolve) => setTimeout(resolve, 20))
        await super.close()
      }
    },
  ),
  bytes(
    '10.14',
    'sends one call after the other, each with a time-out of its own',
    class extends BytesBackend {
      #last: Promise<unknown> = Promise.resolve()

      protected override async request<Answer>(
        operation: string,
        work: (entries: Entries) => Answer,
        key?: string,
      ): Promise<Answer> {
        const { store } = this.options
        if (!store.frozen) return super.request(operation, work, key)
        const turn = this.#last.then(async () => {
          await new Promise((resolve) => setTimeout(resolve, 40))
          return super.request(operation, work, key)
        })
        this.#last = turn.catch(() => {})
        return turn
      }
    },
  ),
  bytes(
    '10.15',
    'keeps the process alive for three seconds after close',
    class extends BytesBackend {
      override async close(): Promise<void> {
        if (!this.closed) setTimeout(() => {}, 3000)
        await super.close()
      }
    },
  ),
  bytes(
    '10.16',
    'waits in the second outage for a connection that never comes',
    class extends BytesBackend {
      #outages = 0
      #wasDown = false

      protected override async request<Answer>(
        operation: string,
        work: (entries: Entries) => Answer,
        key?: string,
      ): Promise<Answer> {
        const { store } = this.options
        if (store.down && !this.#wasDown) this.#outages += 1
        this.#wasDown = store.down
        if (store.down && this.#outages > 1) return new Promise<never>(() => {})
        return super.request(operation, work, key)
      }
    },
  ),
  bytes(
    '11.7',
    'keeps in the process which items a batch has removed',
    class extends BytesBackend {
      readonly #removed = new Set<string>()

      override async get(key: string): Promise<Item | undefined> {
        return this.#removed.has(key) ? undefined : super.get(key)
      }

      override async deleteMany(keys: readonly string[]): Promise<number> {
        const found = await Promise.all([...new Set(keys)].map((key) => this.get(key)))
        for (const key of keys) this.#removed.add(key)
        return found.filter((item) => item?.value !== undefined).length
      }

      override async set(item: Item): Promise<void> {
        this.#removed.delete(item.key)
        await super.set(item)
      }

      override async setMany(items: readonly Item[]): Promise<void> {
        for (const { key } of items) this.#removed.delete(key)
        await super.setMany(items)
      }

      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        if (this.#removed.delete(key)) await super.delete(key)
        return super.compareAndSet(key, expected, next)
      }
    },
  ),
  bytes(
    '11.8',
    'clears every key that starts with the name of the prefix',
    class extends BytesBackend {
      override async clear(prefix = ''): Promise<void> {
        const start = prefix === '' ? this.prefix.slice(0, -1) : this.prefix + prefix
        await this.request('clear', (entries) => {
          for (const key of entries.keys()) if (key.startsWith(start)) entries.delete(key)
        })
      }
    },
  ),
]
