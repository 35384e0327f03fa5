import { invalidArgument, isList, withMethods } from '../protocol/argument.ts'
import type { BackendEvent } from '../protocol/backend.ts'
import type { BusListener } from '../protocol/bus.ts'
import type { Item } from '../protocol/item.ts'

/**
 * Checks of the arguments of a backend or a bus, each of which throws `INVALID_ARGUMENT`. `Cache` passes good arguments, so
 * these are for applications that call a backend themselves. They cost a comparison or two.
 */
export function checkKey(key: unknown, method: string): asserts key is string {
  if (typeof key !== 'string') throw invalidArgument('key', key, 'a string', method)
}

export function checkKeys(keys: unknown, method: string): asserts keys is readonly string[] {
  if (!isList(keys)) throw invalidArgument('keys', keys, 'an array of strings', method)
  // A missing element of the array counts as `undefined`, and is refused as well.
  for (const key of keys) checkKey(key, method)
}

/** `undefined` means every key. */
export function checkPrefix(prefix: unknown, method: string): asserts prefix is string | undefined {
  if (prefix !== undefined && typeof prefix !== 'string') throw invalidArgument('prefix', prefix, 'a string', method)
}

export function checkItem(item: unknown, method: string): asserts item is Item {
  let key: unknown
  let version: unknown
  let expiresAt: unknown
  try {
    ;({ key, version, expiresAt } = (item ?? {}) as Partial<Item>)
  } catch {
    // A revoked proxy, or a member that throws: refused for its absent key.
  }
  if (typeof key !== 'string' || typeof version !== 'string') {
    throw invalidArgument('item', item, 'an item, with a key and a version', method)
  }
  checkExpiry(expiresAt, method)
}

export function checkItems(items: unknown, method: string): asserts items is readonly Item[] {
  if (!isList(items)) throw invalidArgument('items', items, 'an array of items', method)
  for (const item of items) checkItem(item, method)
}

/** The arguments of `compareAndSet`. */
export function checkComparison(key: unknown, expected: unknown, next: unknown): void {
  checkKey(key, 'compareAndSet')
  if (expected !== undefined && typeof expected !== 'string') {
    throw invalidArgument('expected', expected, 'a version, or undefined for no item', 'compareAndSet')
  }
  if (next === undefined) return
  checkItem(next, 'compareAndSet')
  if (next.key !== key) throw invalidArgument('next.key', next.key, 'the key', 'compareAndSet')
}

/** The arguments of `increment`. */
export function checkIncrement(key: unknown, delta: unknown, expiresAt: unknown): void {
  checkKey(key, 'increment')
  if (!Number.isInteger(delta)) throw invalidArgument('delta', delta, 'a whole number', 'increment')
  checkExpiry(expiresAt, 'increment')
}

function checkExpiry(expiresAt: unknown, method: string): void {
  if (expiresAt !== undefined && (typeof expiresAt !== 'number' || Number.isNaN(expiresAt))) {
    throw invalidArgument('expiresAt', expiresAt, 'an instant in milliseconds', method)
  }
}

const eventTypes: Readonly<Record<BackendEvent['type'], true>> = {
  evict: true,
  expire: true,
  error: true,
  busMessage: true,
  recovery: true,
}

/** The arguments of `listen` of a backend. */
export function checkListener(listener: unknown, types: unknown): void {
  if (typeof listener !== 'function') throw invalidArgument('listener', listener, 'a function', 'listen')
  if (types === undefined) return
  const allowed = `an array of ${Object.keys(eventTypes).join(', ')}`
  if (!isList(types)) throw invalidArgument('types', types, allowed, 'listen')
  for (const type of types) {
    if (typeof type !== 'string' || !Object.hasOwn(eventTypes, type))
      throw invalidArgument('types', type, allowed, 'listen')
  }
}

export function checkBusListener(listener: BusListener): BusListener {
  return withMethods(listener, ['message', 'disconnected', 'connected'], 'listener', 'a bus listener', 'subscribe')
}
