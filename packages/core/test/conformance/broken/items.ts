import type { Item } from '../../../src/backend-kit/index.ts'
import { CacheError } from '../../../src/backend-kit/index.ts'
import { BytesBackend } from '../bytes-backend.ts'
import { encodeItem } from '../item-bytes.ts'
import type { Broken, Expected, Next } from './broken.ts'
import { bytes } from './bytes.ts'

/** Changes every item on its way in. */
abstract class AltersSets extends BytesBackend {
  override async set(item: Item): Promise<void> {
    await super.set(await this.alter(item))
  }

  protected abstract alter(item: Item): Item | Promise<Item>
}

export const brokenItems: readonly Broken[] = [
  bytes(
    '1.1',
    'answers null for a miss',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        return (await super.get(key)) ?? (null as never)
      }
    },
  ),
  bytes(
    '1.1',
    'finds what every object inherits',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        return key in {} ? { key, value: {}, version: 'v', createdAt: 0 } : super.get(key)
      }
    },
  ),
  bytes(
    '1.2',
    'forgets when an item becomes stale',
    class extends AltersSets {
      protected alter({ staleAt: _, ...rest }: Item): Item {
        return rest
      }
    },
  ),
  bytes(
    '1.2',
    'makes a version of its own',
    class extends AltersSets {
      protected alter(item: Item): Item {
        return { ...item, version: `${item.version}!` }
      }
    },
  ),
  bytes(
    '1.2',
    'invents a cost where none was given',
    class extends AltersSets {
      protected alter(item: Item): Item {
        return { cost: 1, ...item }
      }
    },
  ),
  bytes(
    '1.2',
    'hands out members of its own beside those of an item',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        return found && ({ ...found, hits: 1 } as Item)
      }
    },
  ),
  bytes(
    '1.2',
    'writes into the item that it is given',
    class extends AltersSets {
      protected alter(item: Item): Item {
        return Object.assign(item, { cost: item.cost ?? 0 })
      }
    },
  ),
  bytes(
    '1.3',
    'keeps the deadline of the item that it replaces',
    class extends AltersSets {
      protected async alter(item: Item): Promise<Item> {
        const expiresAt = item.expiresAt ?? (await this.get(item.key))?.expiresAt
        return { ...item, ...(expiresAt === undefined ? {} : { expiresAt }) }
      }
    },
  ),
  bytes(
    '1.3',
    'keeps the tags of the item that it replaces',
    class extends AltersSets {
      protected async alter(item: Item): Promise<Item> {
        const tags = { ...(await this.get(item.key))?.tags, ...item.tags }
        return Object.keys(tags).length > 0 ? { ...item, tags } : item
      }
    },
  ),
  bytes(
    '1.4',
    'takes a falsy value for a miss',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        return found?.value || found?.value === undefined ? found : undefined
      }
    },
  ),
  bytes(
    '1.4',
    'stores NaN as null',
    class extends AltersSets {
      protected alter(item: Item): Item {
        return { ...item, value: Number.isNaN(item.value) ? null : item.value }
      }
    },
  ),
  bytes(
    '1.5',
    'sends values through JSON',
    class extends AltersSets {
      protected alter(item: Item): Item {
        const value = item.value
        return typeof value === 'object' && value !== null
          ? { ...item, value: JSON.parse(JSON.stringify(value)) }
          : item
      }
    },
  ),
  bytes(
    '1.5',
    'gives bytes back as a Buffer',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        return found?.value instanceof Uint8Array ? { ...found, value: Buffer.from(found.value) } : found
      }
    },
  ),
  bytes(
    '1.5',
    'refuses dates, which it says that it keeps',
    class extends AltersSets {
      protected alter(item: Item): Item {
        if (item.value instanceof Date) throw new CacheError('NOT_STORABLE', 'no dates')
        return item
      }
    },
  ),
  bytes(
    '1.6',
    'cuts long text',
    class extends AltersSets {
      protected alter(item: Item): Item {
        return typeof item.value === 'string' ? { ...item, value: item.value.slice(0, 65_536) } : item
      }
    },
  ),
  bytes(
    '1.7',
    'stores null instead of a function',
    class extends AltersSets {
      protected alter(item: Item): Item {
        return typeof item.value === 'function' ? { ...item, value: null } : item
      }
    },
  ),
  bytes(
    '1.7',
    'removes the old item before it finds that the new one cannot be kept',
    class extends AltersSets {
      protected async alter(item: Item): Promise<Item> {
        await this.delete(item.key)
        return item
      }
    },
  ),
  bytes(
    '1.8',
    'takes a placeholder for a miss',
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        return found?.value === undefined ? undefined : found
      }
    },
  ),
  bytes(
    '1.8',
    'stores a placeholder as null',
    class extends AltersSets {
      protected alter(item: Item): Item {
        return item.value === undefined ? { ...item, value: null } : item
      }
    },
  ),
  bytes(
    '1.9',
    'answers from the very object that it was given',
    class extends BytesBackend {
      readonly #given = new Map<string, unknown>()

      override async set(item: Item): Promise<void> {
        await super.set(item)
        this.#given.set(item.version, item.value)
      }

      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(key)
        return found && this.#given.has(found.version) ? { ...found, value: this.#given.get(found.version) } : found
      }
    },
  ),
  bytes(
    '1.10',
    'writes tags as text with a colon between name and version',
    class extends AltersSets {
      protected alter(item: Item): Item {
        if (!item.tags) return item
        const pairs = Object.entries(item.tags).map(([name, version]) => `${name}:${version}`.split(':'))
        return {
          ...item,
          tags: Object.fromEntries(pairs.map(([name, version]) => [name, version])) as Item['tags'] & object,
        }
      }
    },
  ),
  bytes(
    '1.11',
    'writes JSON in a compareAndSet',
    class extends BytesBackend {
      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        const value: unknown = next?.value === undefined ? undefined : JSON.parse(JSON.stringify(next.value) ?? 'null')
        return super.compareAndSet(key, expected, next && { ...next, value })
      }
    },
  ),
  bytes(
    '1.11',
    'cuts large values of a batch',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        const cut = (value: unknown): unknown => (typeof value === 'string' ? value.slice(0, 65_536) : value)
        await super.setMany(items.map((item) => ({ ...item, value: cut(item.value) })))
      }
    },
  ),
  bytes(
    '1.11',
    "stores a batch in the background, from the caller's own objects",
    class extends BytesBackend {
      #storing: Promise<void> = Promise.resolve()

      override async setMany(items: readonly Item[]): Promise<void> {
        for (const item of items) encodeItem(item, 'setMany')
        this.#storing = new Promise<void>((resolve) => setImmediate(resolve)).then(() => super.setMany(items))
      }

      override async get(key: string): Promise<Item | undefined> {
        await this.#storing
        return super.get(key)
      }

      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        await this.#storing
        return super.getMany(keys)
      }

      override async delete(key: string): Promise<boolean> {
        await this.#storing
        return super.delete(key)
      }
    },
  ),
]
