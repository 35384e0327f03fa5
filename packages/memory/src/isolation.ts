import { CacheError, type Item } from '@cache/core/backend'

/** What guards stored values from their readers and writers. */
export type Isolation = 'reference' | 'clone' | 'freeze'

export const isolations: readonly Isolation[] = ['reference', 'clone', 'freeze']

interface Isolators {
  /** Applied to an item before it is stored; null where it is stored as it is. */
  readonly isolate: ((item: Item, operation: string) => Item) | null
  /** Applied to a stored item before it is given; null where it is given as it is. */
  readonly reveal: ((item: Item, operation: string) => Item) | null
}

export function isolators(isolation: Isolation, backend: string): Isolators {
  if (isolation === 'reference') return { isolate: null, reveal: null }
  if (isolation === 'freeze')
    return { isolate: (item, operation) => frozenItem(item, backend, operation), reveal: null }
  return {
    isolate: (item, operation) => clonedItem(item, backend, operation),
    reveal: (item, operation) => clonedItem(item, backend, operation),
  }
}

function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
}

function clonedItem(item: Item, backend: string, operation: string): Item {
  if (isPrimitive(item.value)) return item
  try {
    return { ...item, value: structuredClone(item.value) }
  } catch (cause) {
    throw notStorable('the value cannot be cloned', item, backend, operation, cause)
  }
}

function frozenItem(item: Item, backend: string, operation: string): Item {
  const pending: unknown[] = [item.value]
  const met = new Set<object>()
  while (pending.length > 0) {
    const part = pending.pop()
    if (part === null || typeof part !== 'object' || met.has(part)) continue
    // Freezing does not keep anyone from changing the content of these.
    if (
      ArrayBuffer.isView(part) ||
      part instanceof ArrayBuffer ||
      part instanceof Map ||
      part instanceof Set ||
      part instanceof Date
    ) {
      throw notStorable('a buffer, map, set or date cannot be frozen', item, backend, operation)
    }
    met.add(part)
    addMembers(part, pending)
  }
  // Only now, so that a value which is refused stays as it was.
  for (const part of met) Object.freeze(part)
  return item
}

/** Own members, hidden ones and those under symbols too. Getters are not called: what they make is not kept. */
function addMembers(part: object, pending: unknown[]): void {
  if (Array.isArray(part)) for (const member of Object.values(part)) pending.push(member)
  else for (const key of Reflect.ownKeys(part)) pending.push(Object.getOwnPropertyDescriptor(part, key)?.value)
}

function notStorable(why: string, item: Item, backend: string, operation: string, cause?: unknown): CacheError {
  return new CacheError('NOT_STORABLE', `${operation}: ${why}`, { operation, backend, key: item.key, cause })
}
