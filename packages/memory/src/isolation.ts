import { CacheError, type Item } from '@cache/core/backend'

/** How stored values are isolated from changes by their readers and writers. */
export type Isolation = 'reference' | 'clone' | 'freeze'

export const isolations: readonly Isolation[] = ['reference', 'clone', 'freeze']

/** Returns the item in its isolated form. `operation` is the name of the called method, for errors. */
export type Isolate = (item: Item, operation: string) => Item

interface IsolationSteps {
  /** Applied to an item before it is stored; `undefined` if it is stored unchanged. */
  readonly onWrite: Isolate | undefined
  /** Applied to a stored item before it is returned; `undefined` if it is returned unchanged. */
  readonly onRead: Isolate | undefined
}

/** The steps of an isolation. They throw `NOT_STORABLE` for a value that cannot be isolated. */
export function isolationSteps(isolation: Isolation, backend: string): IsolationSteps {
  if (isolation === 'reference') return { onWrite: undefined, onRead: undefined }
  if (isolation === 'freeze') {
    return { onWrite: (item, operation) => frozenItem(item, backend, operation), onRead: undefined }
  }
  const clone: Isolate = (item, operation) => clonedItem(item, backend, operation)
  return { onWrite: clone, onRead: clone }
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
  const visited = new Set<object>()
  while (pending.length > 0) {
    const part = pending.pop()
    if (part === null || typeof part !== 'object' || visited.has(part)) continue
    // The content of these stays changeable when they are frozen.
    if (
      ArrayBuffer.isView(part) ||
      part instanceof ArrayBuffer ||
      part instanceof Map ||
      part instanceof Set ||
      part instanceof Date
    ) {
      throw notStorable('a buffer, map, set or date cannot be frozen', item, backend, operation)
    }
    visited.add(part)
    addMembers(part, pending)
  }
  // Only after all checks, so that a refused value stays unchanged.
  for (const part of visited) Object.freeze(part)
  return item
}

/** Adds the own members, including non-enumerable and symbol ones. Getters are not called: their results are not stored. */
function addMembers(part: object, pending: unknown[]): void {
  if (Array.isArray(part)) for (const member of Object.values(part)) pending.push(member)
  else for (const key of Reflect.ownKeys(part)) pending.push(Object.getOwnPropertyDescriptor(part, key)?.value)
}

function notStorable(why: string, item: Item, backend: string, operation: string, cause?: unknown): CacheError {
  return new CacheError('NOT_STORABLE', `${operation}: ${why}`, { operation, backend, key: item.key, cause })
}
