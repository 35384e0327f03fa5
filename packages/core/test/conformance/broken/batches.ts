import { CacheError, type Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend } from '../bytes-backend.ts'
import { encodeItem } from '../item-bytes.ts'
import type { Broken } from './broken.ts'
import { bytes } from './bytes.ts'

export const brokenBatches: readonly Broken[] = [
  bytes(
    '6.1',
    'leaves the missing out of a batch',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        return (await super.getMany(keys)).filter((item) => item !== undefined)
      }
    },
  ),
  bytes(
    '6.1',
    'answers a batch in the order of the store',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        return super.getMany([...keys].sort())
      }
    },
  ),
  bytes(
    '6.1',
    'sorts the keys of a batch in place',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        const order = [...keys]
        const found = await super.getMany((keys as string[]).sort())
        return order.map((key) => found[keys.indexOf(key)])
      }
    },
  ),
  bytes(
    '6.2',
    'answers a key that is asked for twice once',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        const found = await super.getMany(keys)
        return found.map((item, n) => (keys.indexOf(keys[n] ?? '') === n ? item : undefined))
      }
    },
  ),
  bytes(
    '6.3',
    'makes a wrong statement of an empty batch',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        if (keys.length === 0) throw new CacheError('BACKEND_FAILURE', 'syntax error at ")"')
        return super.getMany(keys)
      }
    },
  ),
  bytes(
    '6.3',
    'deletes everything when asked to delete nothing',
    class extends BytesBackend {
      override async deleteMany(keys: readonly string[]): Promise<number> {
        if (keys.length === 0) await this.clear()
        return super.deleteMany(keys)
      }
    },
  ),
  bytes(
    '6.4',
    'answers the first thousand keys of a batch',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        return super.getMany(keys.slice(0, 1000))
      }
    },
  ),
  bytes(
    '6.5',
    'gives every item of a batch the lifetime of the first',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        const expiresAt = items[0]?.expiresAt
        await super.setMany(items.map((item) => ({ ...item, ...(expiresAt === undefined ? {} : { expiresAt }) })))
      }
    },
  ),
  bytes(
    '6.5',
    'lets the first of duplicates win',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        await super.setMany(items.filter((item, n) => items.findIndex((one) => one.key === item.key) === n))
      }
    },
  ),
  bytes(
    '6.5',
    'leaves the old item where a batch sets one that has expired',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        await super.setMany(items.filter((item) => this.lives(item)))
      }
    },
  ),
  bytes(
    '6.6',
    'counts the keys that it was asked to delete',
    class extends BytesBackend {
      override async deleteMany(keys: readonly string[]): Promise<number> {
        await super.deleteMany(keys)
        return keys.length
      }
    },
  ),
  bytes(
    '6.6',
    'counts a duplicate twice',
    class extends BytesBackend {
      override async deleteMany(keys: readonly string[]): Promise<number> {
        const found = await this.getMany(keys)
        await super.deleteMany(keys)
        return found.filter((item) => item?.value !== undefined).length
      }
    },
  ),
  bytes(
    '6.7',
    'loses falsy values in batches',
    class extends BytesBackend {
      override async getMany(keys: readonly string[]): Promise<(Item | undefined)[]> {
        return (await super.getMany(keys)).map((item) => (item?.value ? item : undefined))
      }
    },
  ),
  bytes(
    '6.8',
    'leaves half an item behind when a batch is refused',
    class extends BytesBackend {
      override async setMany(items: readonly Item[]): Promise<void> {
        for (const item of items) {
          await this.set({ ...item, value: null })
          await this.set(item)
        }
      }
    },
  ),
  bytes(
    '6.9',
    'throws before there is a promise',
    class extends BytesBackend {
      override setMany(items: readonly Item[]): Promise<void> {
        for (const item of items) encodeItem(item, 'setMany')
        return super.setMany(items)
      }
    },
  ),
]
