import type { BackendStats, Item } from '../../../src/backend-kit/index.ts'
import type { ByteStore } from '../byte-store.ts'
import { BytesBackend } from '../bytes-backend.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

const made = new WeakSet<ByteStore>()
let opened = 0

export const brokenHandles: readonly Broken[] = [
  bytes(
    '11.1',
    'answers from a memory of its own that nobody invalidates',
    class extends BytesBackend {
      readonly #memory = new Map<string, Item>()

      override async get(key: string): Promise<Item | undefined> {
        const found = this.#memory.get(key) ?? (await super.get(key))
        if (found) this.#memory.set(key, found)
        return found
      }

      override async delete(key: string): Promise<boolean> {
        this.#memory.delete(key)
        return super.delete(key)
      }
    },
  ),
  bytes(
    '11.2',
    'keeps deadlines in the process',
    class extends BytesBackend {
      readonly #deadlines = new Map<string, number>()

      override async set({ expiresAt, ...rest }: Item): Promise<void> {
        if (expiresAt === undefined) this.#deadlines.delete(rest.key)
        else this.#deadlines.set(rest.key, expiresAt)
        await super.set(rest)
      }

      protected override lives(item: Item): boolean {
        return this.options.clock.now() < (this.#deadlines.get(item.key) ?? Number.POSITIVE_INFINITY)
      }
    },
  ),
  bytes(
    '11.3',
    'forgets the prefix when it counts',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        return this.request('increment', (entries) => {
          for (const prefix of ['own:', 'other:']) {
            if (entries.has(prefix + key) && prefix !== this.prefix) throw this.error('NOT_A_NUMBER', 'increment', key)
          }
          return this.add(entries, key, delta, expiresAt)
        })
      }
    },
  ),
  bytes(
    '11.3',
    'counts the items of everybody as its own',
    class extends BytesBackend {
      override async stats(): Promise<BackendStats> {
        return { ...(await super.stats()), items: await this.request('stats', (entries) => entries.size) }
      }
    },
  ),
  bytes(
    '11.4',
    'makes the table anew when somebody else is making it',
    class extends BytesBackend {
      readonly #turns = opened++ % 20

      override async set(item: Item): Promise<void> {
        const { store } = this.options
        if (!made.has(store)) {
          for (let turn = 0; turn < this.#turns; turn += 1) await store.request('look', () => undefined)
          await store.request('make', (entries) => entries.clear())
        }
        await super.set(item)
        made.add(store)
      }
    },
  ),
  bytes(
    '11.5',
    'writes the value first and what is said of it in a second request',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        const old = await this.get(item.key)
        if (old) await super.set({ ...old, value: item.value })
        await new Promise((resolve) => setImmediate(resolve))
        await super.set(item)
      }
    },
  ),
  bytes(
    '11.5',
    'removes the old item before it writes the new one',
    class extends BytesBackend {
      override async set(item: Item): Promise<void> {
        await this.delete(item.key)
        await new Promise((resolve) => setImmediate(resolve))
        await super.set(item)
      }
    },
  ),
  bytes(
    '11.6',
    'orders increments within one handle only',
    class extends BytesBackend {
      #queue: Promise<unknown> = Promise.resolve()

      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const turn = this.#queue.then(async () => {
          const found = await this.get(key)
          if (found === undefined) return super.increment(key, delta, expiresAt)
          const sum = Number(found.value) + delta
          await this.set({ ...found, value: sum, version: `${found.version}+` })
          return sum
        })
        this.#queue = turn.catch(() => {})
        return turn
      }
    },
  ),
]
