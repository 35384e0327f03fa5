import { createVersion, type Item } from '@cache/core/backend'

/** An item with a new version. */
export function item(key: string, value: unknown, more: Partial<Item> = {}): Item {
  return { key, value, version: createVersion(), createdAt: 1, ...more }
}
