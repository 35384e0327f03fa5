import type { Item } from '../../../src/backend-kit/index.ts'
import { BytesBackend, type Entries } from '../bytes-backend.ts'
import { encodeItem } from '../item-bytes.ts'
import type { Broken, Expected, Next } from './broken.ts'
import { bytes } from './bytes.ts'

/** A backend that changes each item on its way in, through every write. */
function altering(rule: string, does: string, alter: (item: Item) => Item): Broken {
  return bytes(
    rule,
    does,
    class extends BytesBackend {
      protected override write(entries: Entries, item: Item): void {
        const altered = alter(item)
        super.write(entries, altered, encodeItem(altered, 'set'))
      }
    },
  )
}

/** A backend whose keys are equal when `fold` makes them equal. */
function folding(rule: string, does: string, fold: (key: string) => string): Broken {
  return bytes(
    rule,
    does,
    class extends BytesBackend {
      override async get(key: string): Promise<Item | undefined> {
        const found = await super.get(fold(key))
        return found && { ...found, key }
      }

      override async set(item: Item): Promise<void> {
        await super.set({ ...item, key: fold(item.key) })
      }

      override async delete(key: string): Promise<boolean> {
        return super.delete(fold(key))
      }

      override async compareAndSet(key: string, expected: Expected, next: Next): Promise<boolean> {
        return super.compareAndSet(fold(key), expected, next && { ...next, key: fold(next.key) })
      }
    },
  )
}

function tags(item: Item, change: (entries: [string, string][]) => [string, string][]): Item {
  return item.tags === undefined ? item : { ...item, tags: Object.fromEntries(change(Object.entries(item.tags))) }
}

const hiragana = /[\u3041-\u3096]/g

/** Texts, versions and numbers that a column of a database cuts, rounds or compares loosely. */
export const brokenByColumns: readonly Broken[] = [
  altering('1.2', 'rounds the cost', (item) =>
    item.cost === undefined ? item : { ...item, cost: Math.round(item.cost) },
  ),
  altering('1.15', 'cuts the names of tags at 255 characters', (item) =>
    tags(item, (all) => all.map(([name, version]) => [name.slice(0, 255), version])),
  ),
  altering('1.15', 'cuts the versions of tags at 32 characters', (item) =>
    tags(item, (all) => all.map(([name, version]) => [name, version.slice(0, 32)])),
  ),
  altering('1.12', 'loses some flags of regular expressions', (item) =>
    item.value instanceof RegExp
      ? { ...item, value: new RegExp(item.value.source, item.value.flags.replace(/[dyv]/g, '')) }
      : item,
  ),
  folding('4.6', 'compares keys by a Japanese collation', (key) =>
    key.replace(hiragana, (one) => String.fromCharCode(one.charCodeAt(0) + 0x60)),
  ),
  folding('4.6', 'normalizes long keys only', (key) => (key.length > 300 ? key.normalize('NFKC') : key)),
  bytes(
    '12.10',
    'evicts another item for every overwrite of a full store',
    class extends BytesBackend {
      protected override write(entries: Entries, item: Item, stored: Uint8Array): void {
        const { maxEntries = Number.POSITIVE_INFINITY } = this.options
        const another = [...entries.keys()].find((key) => key !== this.at(item.key))
        if (entries.has(this.at(item.key)) && entries.size >= maxEntries && another) entries.delete(another)
        super.write(entries, item, stored)
      }
    },
  ),
]
