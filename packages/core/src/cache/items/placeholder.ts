import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'

/**
 * An item without a value, put under a key while something is made for it: whatever anybody does to the key meanwhile removes it. It
 * lives for `life` ms at most, because its process may die.
 */
export function placeholder(key: string, now: number, life: number): Item {
  return { key, value: undefined, version: createVersion(), createdAt: now, expiresAt: now + life }
}
