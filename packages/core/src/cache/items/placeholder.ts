import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'

/**
 * An item without a value, stored under a key while its value is loaded. Any change of the key by any process removes it. It expires
 * after `life` ms, because its process may die.
 */
export function placeholder(key: string, now: number, life: number): Item {
  return { key, value: undefined, version: createVersion(), createdAt: now, expiresAt: now + life }
}
