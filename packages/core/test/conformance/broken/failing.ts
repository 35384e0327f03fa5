import { type BackendEvent, CacheError, type Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenByDamage: readonly Broken[] = [
  bytes(
    '9.1',
    'rejects when the stored bytes cannot be read',
    class extends BytesBackend {
      protected override read(entries: Entries, key: string): Item | undefined {
        const stored = entries.get(this.at(key))
        if (stored && stored[0] !== 1) throw this.error('DAMAGED', 'get', key)
        return super.read(entries, key)
      }
    },
  ),
  bytes(
    '9.1',
    'says nothing of damage',
    class extends BytesBackend {
      override listen(listener: (event: BackendEvent) => void): () => void {
        return super.listen((event) => {
          if (event.type !== 'error') listener(event)
        })
      }
    },
  ),
  bytes(
    '9.2',
    'loses a whole batch to one damaged item',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        let damaged = false
        const stop = this.listen((event) => {
          damaged ||= event.type === 'error'
        })
        const found = await super.getMany(keys)
        stop()
        return damaged ? keys.map(() => undefined) : found
      }
    },
  ),
  bytes(
    '9.2',
    'leaves damaged bytes where they are when it deletes',
    class extends BytesBackend {
      protected override remove(entries: Entries, key: string): boolean {
        const stored = entries.get(this.at(key))
        const damaged = stored !== undefined && stored[0] !== 1
        return super.remove(entries, key) || (damaged && entries.set(this.at(key), stored) && false)
      }

      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        const damaged = await this.request('swap', (entries) => (entries.get(this.at(key)) ?? [1])[0] !== 1)
        return damaged && next === undefined ? false : super.swap(key, expected, next)
      }
    },
  ),
  bytes(
    '9.3',
    'reads a later format as if it were its own',
    class extends BytesBackend {
      protected override read(entries: Entries, key: string): Item | undefined {
        const stored = entries.get(this.at(key))
        if (stored && stored[0] === 2) stored[0] = 1
        return super.read(entries, key)
      }
    },
  ),
  bytes(
    '9.4',
    'lets a damaged item block a swap for ever',
    class extends BytesBackend {
      override async swap(key: string, expected: string | undefined, next: Item | undefined): Promise<boolean> {
        const free = await this.request(
          'swap',
          (entries) => this.read(entries, key) !== undefined || !entries.has(this.at(key)),
        )
        return free && super.swap(key, expected, next)
      }
    },
  ),
  bytes(
    '9.5',
    'counts on from what it can make of damaged bytes',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const stored = await this.request('increment', (entries) => entries.get(this.at(key)))
        const found = await this.get(key)
        if (stored && !found) return (stored[0] ?? 0) + 41 + delta
        return super.increment(key, delta, expiresAt)
      }
    },
  ),
  bytes(
    '9.6',
    'ends an iteration at the first damaged item',
    class extends BytesBackend {
      override async *keys(prefix = ''): AsyncIterable<string> {
        const stored = await this.request('keys', (entries) => [...entries.keys()])
        for (const key of stored) {
          const own = key.slice(this.prefix.length)
          const item = await this.get(own)
          if (item === undefined) throw this.error('DAMAGED', 'keys', own)
          if (own.startsWith(prefix) && item.value !== undefined) yield own
        }
      }
    },
  ),
]

export const brokenByFailure: readonly Broken[] = [
  bytes(
    '10.1',
    'answers a miss while the store cannot be reached',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        return super.get(key).catch((error: CacheError) => {
          if (error.code !== 'UNAVAILABLE') throw error
          return undefined
        })
      }
    },
  ),
  bytes(
    '10.1',
    'waits for ever while the store cannot be reached',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        return super.get(key).catch((error: CacheError) => {
          if (error.code !== 'UNAVAILABLE') throw error
          return new Promise<never>(() => {})
        })
      }
    },
  ),
  bytes(
    '10.1',
    'rejects with an error of its client',
    class extends BytesBackend {
      override async delete(key: string): Promise<boolean> {
        return super.delete(key).catch(() => {
          throw new Error('ECONNREFUSED')
        })
      }
    },
  ),
  bytes(
    '10.2',
    'stays down once it was down',
    class extends BytesBackend {
      #lost: unknown

      protected override async request<Answer>(
        name: string,
        work: (entries: Entries) => Answer,
        key?: string,
      ): Promise<Answer> {
        if (this.#lost) throw this.#lost
        return super.request(name, work, key).catch((error: CacheError) => {
          if (error.code === 'UNAVAILABLE') this.#lost = error
          throw error
        })
      }
    },
  ),
  bytes(
    '10.3',
    'works on after close',
    class extends BytesBackend {
      override async close(): Promise<void> {}
    },
  ),
  bytes(
    '10.3',
    'answers a miss after close',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        return this.closed ? undefined : super.get(key)
      }
    },
  ),
  bytes(
    '10.4',
    'leaves what was in flight pending when it is closed',
    class extends BytesBackend {
      protected override async request<Answer>(
        name: string,
        work: (entries: Entries) => Answer,
        key?: string,
      ): Promise<Answer> {
        const open = !this.closed
        const answer = await super.request(name, work, key)
        return open && this.closed ? new Promise<never>(() => {}) : answer
      }
    },
  ),
  bytes(
    '10.4',
    'acknowledges a set before it is written, and drops it when it is closed',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        setImmediate(() => void super.set(item).catch(() => {}))
      }
    },
  ),
  bytes(
    '10.4',
    'rejects what was in flight with an error of its client when it is closed',
    class extends BytesBackend {
      protected override async request<Answer>(
        name: string,
        work: (entries: Entries) => Answer,
        key?: string,
      ): Promise<Answer> {
        const open = !this.closed
        const answer = await super.request(name, work, key)
        if (open && this.closed) throw new Error('Connection is closed.')
        return answer
      }
    },
  ),
  bytes(
    '10.5',
    'rejects the second close',
    class extends BytesBackend {
      override async close(): Promise<void> {
        if (this.closed) throw new CacheError('CLOSED', 'close: CLOSED')
        await super.close()
      }
    },
  ),
  bytes(
    '10.6',
    'takes the store down for every handle when it is closed',
    class extends BytesBackend {
      override async close(): Promise<void> {
        await super.close()
        this.options.store.entries.clear()
      }
    },
  ),
  bytes(
    '10.7',
    "ends the application's client",
    class extends BytesBackend {
      override async close(): Promise<void> {
        await super.close()
        this.options.store.down = true
      }
    },
  ),
  bytes(
    '10.8',
    'leaves a timer running when it is closed',
    class extends BytesBackend {
      readonly #sweep: NodeJS.Timeout = setInterval(() => {}, 20)

      override async close(): Promise<void> {
        await super.close()
        // The process must end some time, even with this one in it.
        setTimeout(() => clearInterval(this.#sweep), 2000)
      }
    },
  ),
  bytes(
    '10.9',
    'waits for ever while the store hangs',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        return super.get(key).catch((error: CacheError) => {
          if (error.code !== 'TIMEOUT') throw error
          return new Promise<never>(() => {})
        })
      }
    },
  ),
  bytes(
    '10.10',
    'does not say which key an error is about',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        return super.get(key).catch(({ code, message, operation, backend }: CacheError) => {
          throw new CacheError(code, message, { operation, backend })
        })
      }
    },
  ),
]
