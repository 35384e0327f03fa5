import { createVersion, type Item } from '@cache/core/backend'

/** An item with a version of its own. */
export function item(key: string, value: unknown, more: Partial<Item> = {}): Item {
  return { key, value, version: createVersion(), createdAt: 1, ...more }
}
