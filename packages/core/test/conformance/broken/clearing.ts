import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

/** A backend that clears what a pattern made of the prefix matches. */
function clearing(rule: string, does: string, pattern: (prefix: string) => RegExp): Broken {
  return bytes(
    rule,
    does,
    class extends BytesBackend {
      override async clear(prefix = ''): Promise<void> {
        const matches = pattern(prefix)
        await this.request('clear', (entries) => {
          for (const key of entries.keys()) {
            if (key.startsWith(this.prefix) && matches.test(key.slice(this.prefix.length))) entries.delete(key)
          }
        })
      }
    },
  )
}

const literal = (text: string): string => text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&')
const like = (prefix: string): string => literal(prefix).replaceAll('%', '.*').replaceAll('_', '.')
const glob = (prefix: string): string => literal(prefix).replaceAll('\\*', '.*').replaceAll('\\?', '.')

export const brokenClearing: readonly Broken[] = [
  bytes(
    '5.1',
    'says of every delete that it found something',
    class extends BytesBackend {
      override async delete(key: string): Promise<boolean> {
        await super.delete(key)
        return true
      }
    },
  ),
  bytes(
    '5.1',
    'says of a falsy value that it was not there to delete',
    class extends BytesBackend {
      protected override remove(entries: Entries, key: string): boolean {
        const item = this.read(entries, key)
        entries.delete(this.at(key))
        return Boolean(item?.value)
      }
    },
  ),
  bytes(
    '5.1',
    'only marks as deleted, and serves on',
    class extends BytesBackend {
      protected override remove(entries: Entries, key: string): boolean {
        return this.read(entries, key) !== undefined
      }
    },
  ),
  bytes(
    '5.2',
    'counts a placeholder as a deleted value',
    class extends BytesBackend {
      protected override remove(entries: Entries, key: string): boolean {
        const item = this.read(entries, key)
        entries.delete(this.at(key))
        return item !== undefined
      }
    },
  ),
  bytes(
    '5.2',
    'leaves placeholders where they are',
    class extends BytesBackend {
      protected override remove(entries: Entries, key: string): boolean {
        return this.read(entries, key)?.value !== undefined && super.remove(entries, key)
      }
    },
  ),
  bytes(
    '5.3',
    'looks in one request and deletes in the next',
    class extends BytesBackend {
      override async delete(key: string): Promise<boolean> {
        const found = await this.get(key)
        await super.delete(key)
        return found?.value !== undefined
      }
    },
  ),
  bytes(
    '5.4',
    'clears values and leaves placeholders',
    class extends BytesBackend {
      override async clear(prefix?: string): Promise<void> {
        for await (const key of this.keys(prefix)) await this.delete(key)
      }
    },
  ),
  bytes(
    '5.4',
    'does not clear the records of the cache',
    class extends BytesBackend {
      override async clear(prefix = ''): Promise<void> {
        await this.request('clear', (entries) => {
          for (const key of entries.keys()) {
            if (key.startsWith(this.prefix + prefix) && !key.startsWith(`${this.prefix}@`)) entries.delete(key)
          }
        })
      }
    },
  ),
  clearing('5.5', 'takes the prefix for a glob', (prefix) => new RegExp(`^${glob(prefix)}`, 's')),
  clearing('5.5', 'takes the prefix for a LIKE pattern', (prefix) => new RegExp(`^${like(prefix)}`, 's')),
  clearing('5.5', 'ignores case when it clears', (prefix) => new RegExp(`^${literal(prefix)}`, 'is')),
  clearing('5.5', 'clears what holds the prefix anywhere', (prefix) => new RegExp(literal(prefix), 's')),
  clearing('5.5', 'clears only keys that go on after the prefix', (prefix) => new RegExp(`^${literal(prefix)}.`, 's')),
  bytes(
    '5.5',
    'takes an empty prefix for nothing to do',
    class extends BytesBackend {
      override async clear(prefix?: string): Promise<void> {
        if (prefix !== '') await super.clear(prefix)
      }
    },
  ),
  bytes(
    '5.6',
    'empties the whole store',
    class extends BytesBackend {
      override async clear(prefix?: string): Promise<void> {
        if (prefix) await super.clear(prefix)
        else await this.request('clear', (entries) => entries.clear())
      }
    },
  ),
  bytes(
    '5.7',
    'clears ten thousand items and no more',
    class extends BytesBackend {
      override async clear(prefix = ''): Promise<void> {
        await this.request('clear', (entries) => {
          const own = [...entries.keys()].filter((key) => key.startsWith(this.prefix + prefix))
          for (const key of own.slice(0, 10_000)) entries.delete(key)
        })
      }
    },
  ),
  bytes(
    '5.8',
    'only hides what was cleared, so that an old condition still holds',
    class extends BytesBackend {
      readonly #hidden = new Set<string>()

      override async clear(prefix = ''): Promise<void> {
        await this.request('clear', (entries) => {
          for (const key of entries.keys()) if (key.startsWith(this.prefix + prefix)) this.#hidden.add(key)
        })
      }

      override async get(key: string): Promise<Item | undefined> {
        return this.#hidden.has(this.at(key)) ? undefined : super.get(key)
      }

      protected override write(entries: Entries, item: Item, stored: Uint8Array): void {
        this.#hidden.delete(this.at(item.key))
        super.write(entries, item, stored)
      }
    },
  ),
  bytes(
    '5.9',
    'hides what was made at the very millisecond of the last clear',
    class extends BytesBackend {
      #clearedAt = -1

      override async clear(prefix?: string): Promise<void> {
        this.#clearedAt = this.options.clock.now()
        await super.clear(prefix)
      }

      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        return found && found.createdAt <= this.#clearedAt ? undefined : found
      }
    },
  ),
  bytes(
    '5.10',
    'lets a read join one that began before the last write',
    class extends BytesBackend {
      readonly #reads = new Map<string, Promise<Item | undefined>>()

      override async get(key: string): Promise<Item | undefined> {
        const read = this.#reads.get(key) ?? this.#read(key)
        this.#reads.set(key, read)
        return read
      }

      async #read(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        await new Promise((resolve) => setImmediate(resolve))
        this.#reads.delete(key)
        return found
      }
    },
  ),
]
