import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend } from '../bytes-backend.ts'
import { encodeItem } from '../item-bytes.ts'
import type { Broken, Expected, Next } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenCompareAndSets: readonly Broken[] = [
  bytes(
    '3.1',
    'keeps the tags of the item that a compareAndSet replaces',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const tags = (await this.get(key))?.tags
        return super.compareAndSet(key, expected, next && tags ? { ...next, tags: { ...tags, ...next.tags } } : next)
      }
    },
  ),
  bytes(
    '3.2',
    'compares the start of a version only',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const version = (await this.get(key))?.version
        const alike = expected !== undefined && version?.startsWith(expected.slice(0, 8))
        return super.compareAndSet(key, alike ? version : expected, next)
      }
    },
  ),
  bytes(
    '3.2',
    'stores although it says that it did not',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const won = await super.compareAndSet(key, expected, next)
        if (!won && next && (await this.get(key))) await this.set(next)
        return won
      }
    },
  ),
  bytes(
    '3.3',
    'takes no expectation for any',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        return super.compareAndSet(key, expected ?? (await this.get(key))?.version, next)
      }
    },
  ),
  bytes(
    '3.4',
    'stores where nothing is, whatever was expected',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        return super.compareAndSet(key, (await this.get(key)) === undefined ? undefined : expected, next)
      }
    },
  ),
  bytes(
    '3.5',
    'stores a placeholder where a compareAndSet should remove',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        return super.compareAndSet(
          key,
          expected,
          next ?? { key, value: undefined, version: `${expected}-`, createdAt: 0 },
        )
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

      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const found = await this.get(key)
        const equal = expected !== undefined && found !== undefined && this.#values.get(expected) === found.value
        return super.compareAndSet(key, equal ? found.version : expected, next)
      }
    },
  ),
  bytes(
    '3.7',
    'lets a compareAndSet that expects nothing replace a placeholder',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const found = await this.get(key)
        const free = expected === undefined && found?.value === undefined
        return super.compareAndSet(key, free ? found?.version : expected, next)
      }
    },
  ),
  bytes(
    '3.8',
    'compares in one request and writes in the next',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        if ((await this.get(key))?.version !== expected) return false
        if (next) await this.set(next)
        else await this.delete(key)
        return true
      }
    },
  ),
  bytes(
    '3.9',
    'does nothing when compareAndSet stores an item that has expired',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        return next && !this.lives(next) ? false : super.compareAndSet(key, expected, next)
      }
    },
  ),
  bytes(
    '3.10',
    'removes the old item when the next cannot be kept',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        try {
          if (next) encodeItem(next, 'compareAndSet')
        } catch (error) {
          await super.compareAndSet(key, expected, undefined)
          throw error
        }
        return super.compareAndSet(key, expected, next)
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

      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        if (expected === undefined || this.#seen.get(key) !== expected) return super.compareAndSet(key, expected, next)
        if (next) await this.set(next)
        else await this.delete(key)
        return true
      }
    },
  ),
  bytes(
    '3.12',
    'puts only its own compareAndSet calls in a row',
    class extends BytesBackend {
      #last: Promise<unknown> = Promise.resolve()

      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const work = this.#last.then(() => this.#replace(key, expected, next))
        this.#last = work.catch(() => {})
        return work
      }

      async #replace(key: string, expected: Expected, next: Next): Promise<boolean> {
        if ((await this.get(key))?.version !== expected) return false
        if (next) await this.set(next)
        else await this.delete(key)
        return true
      }
    },
  ),
]
