import { CacheError, type Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

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
