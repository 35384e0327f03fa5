import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import { decodeItem, encodeItem } from '../item-bytes.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenCounters: readonly Broken[] = [
  bytes(
    '7.1',
    'answers with the number before the increment',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        return (await super.increment(key, delta, expiresAt)) - delta
      }
    },
  ),
  bytes(
    '7.1',
    'leaves no item for an increment by 0',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        return delta === 0 ? 0 : super.increment(key, delta, expiresAt)
      }
    },
  ),
  bytes(
    '7.2',
    'keeps counters apart from items',
    class extends BytesBackend {
      readonly #counters = new Map<string, number>()

      override async increment(key: string, delta: number): Promise<number> {
        const sum = (this.#counters.get(key) ?? 0) + delta
        this.#counters.set(key, sum)
        return sum
      }

      override async get(key: string): Promise<Item | undefined> {
        const value = this.#counters.get(key)
        return value === undefined ? super.get(key) : { key, value, version: `n${value}`, createdAt: 0 }
      }
    },
  ),
  bytes(
    '7.3',
    'reads in one request and writes the sum in the next',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const sum = Number((await this.get(key))?.value ?? 0) + delta
        const deadline = expiresAt === undefined ? {} : { expiresAt }
        await this.set({ key, value: sum, version: `n${sum}`, createdAt: 0, ...deadline })
        return sum
      }
    },
  ),
  bytes(
    '7.4',
    'moves the deadline of a counter with every increment',
    class extends BytesBackend {
      protected override add(entries: Entries, key: string, delta: number, expiresAt: number | undefined): number {
        const found = this.read(entries, key)
        const sum = super.add(entries, key, delta, expiresAt)
        if (found && expiresAt !== undefined) void this.set({ ...found, value: sum, expiresAt })
        return sum
      }
    },
  ),
  bytes(
    '7.4',
    'forgets the deadline of a counter at the second increment',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const found = await this.get(key)
        const sum = await super.increment(key, delta, expiresAt)
        if (found?.expiresAt !== undefined) await this.set({ key, value: sum, version: `n${sum}`, createdAt: 0 })
        return sum
      }
    },
  ),
  bytes(
    '7.4',
    'drops the tags of a counter',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const sum = await super.increment(key, delta, expiresAt)
        const { tags: _, ...rest } = (await this.get(key)) as Item
        await this.set(rest)
        return sum
      }
    },
  ),
  bytes(
    '7.4',
    'sets the deadline in a second request that others can undo',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const sum = await super.increment(key, delta)
        // Of many at once, the first one's second request meets the counter of the last.
        const found = await this.get(key)
        if (found && expiresAt !== undefined && sum === delta && found.value === sum)
          await this.set({ ...found, expiresAt })
        return sum
      }
    },
  ),
  bytes(
    '7.5',
    'counts on from text that looks like a number',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const found = await this.get(key)
        if (found && typeof found.value === 'string') await this.set({ ...found, value: Number(found.value) })
        return super.increment(key, delta, expiresAt)
      }
    },
  ),
  bytes(
    '7.5',
    'takes null for 0',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const found = await this.get(key)
        if (found?.value === null) await this.set({ ...found, value: 0 })
        return super.increment(key, delta, expiresAt)
      }
    },
  ),
  bytes(
    '7.5',
    'removes a value that it cannot count on',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        try {
          return await super.increment(key, delta, expiresAt)
        } catch (error) {
          await this.delete(key)
          throw error
        }
      }
    },
  ),
  bytes(
    '7.6',
    'counts past 2^53 without a word',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const found = await this.get(key)
        const sum = Number(found?.value) + delta
        if (Number.isSafeInteger(sum) || !found || typeof found.value !== 'number')
          return super.increment(key, delta, expiresAt)
        await this.set({ ...found, value: sum })
        return sum
      }
    },
  ),
  bytes(
    '7.6',
    'stops at the largest number instead of refusing',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        return super.increment(key, delta, expiresAt).catch((error: { code?: string }) => {
          if (error.code !== 'OUT_OF_RANGE') throw error
          return Math.sign(delta) * Number.MAX_SAFE_INTEGER
        })
      }
    },
  ),
  bytes(
    '7.7',
    'gives a counter the deadline of the placeholder that was there',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const found = await this.get(key)
        if (found && found.value === undefined) await this.set({ ...found, value: 0 })
        return super.increment(key, delta, expiresAt)
      }
    },
  ),
  bytes(
    '7.8',
    'keeps the version when it counts',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const before = await this.get(key)
        const sum = await super.increment(key, delta, expiresAt)
        const after = await this.get(key)
        if (before && after) await this.set({ ...after, version: before.version })
        return sum
      }
    },
  ),
  bytes(
    '7.8',
    'makes a new version for a counter at every look',
    class extends BytesBackend {
      #looks = 0
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const sum = await super.increment(key, delta, expiresAt)
        const found = await this.get(key)
        if (found) await this.set({ ...found, createdAt: -1 })
        return sum
      }

      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        this.#looks += 1
        return found?.createdAt === -1 ? { ...found, version: `look ${this.#looks}` } : found
      }
    },
  ),
  bytes(
    '7.9',
    'makes a counter without a deadline of one whose deadline has passed',
    class extends BytesBackend {
      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const passed = expiresAt !== undefined && expiresAt <= this.options.clock.now()
        return super.increment(key, delta, passed ? undefined : expiresAt)
      }
    },
  ),
  bytes(
    '7.10',
    'puts only its own increments in a row',
    class extends BytesBackend {
      #last: Promise<unknown> = Promise.resolve()

      override async increment(key: string, delta: number, expiresAt?: number): Promise<number> {
        const work = this.#last.then(() => this.#add(key, delta, expiresAt))
        this.#last = work.catch(() => {})
        return work
      }

      async #add(key: string, delta: number, expiresAt: number | undefined): Promise<number> {
        const found = await this.get(key)
        const entries: Entries = new Map()
        if (found) entries.set(this.at(key), encodeItem(found, 'increment'))
        const sum = this.add(entries, key, delta, expiresAt)
        const [bytes] = entries.values()
        const item = bytes && decodeItem(key, bytes)
        if (item && !(item instanceof Error)) await this.set(item)
        return sum
      }
    },
  ),
]
