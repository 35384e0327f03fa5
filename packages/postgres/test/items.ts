import { createVersion, type Item } from '@cache/core/backend'

/** An item with a new version, created now. */
export function item(key: string, value: unknown, rest: Partial<Item> = {}): Item {
  return { key, value, version: createVersion(), createdAt: Date.now(), ...rest }
}
