import { measureSync } from '../harness/measure.ts'
import type { Measurement } from '../harness/suite.ts'
import type { Bounded, Maker } from './bounded.ts'
import { DRAWS, even, keyOf, LIFETIME, OPERATIONS, readyKeys, value, zipf } from './workload.ts'

/**
 * A row whose figure is nanoseconds of processor time per call. Its work is one for every call that had the right
 * answer.
 */
export interface TimeRow {
  readonly name: string
  readonly needs: { readonly ttl?: true; readonly evicts?: true; readonly numbers?: true }
  measure(maker: Maker): Promise<Measurement>
}

const options = { operations: OPERATIONS, milliseconds: 150, batches: 5 }

async function filled(
  maker: Maker,
  entries: number,
  ttl: number | undefined,
  key: (entry: number) => string | number,
): Promise<Bounded> {
  const cache = await maker.make(entries, ttl)
  for (let entry = 0; entry < entries; entry += 1) cache.set(key(entry), value)
  return cache
}

function ready(entries: number, ttl?: number): TimeRow['measure'] {
  return async (maker) => {
    const keys = readyKeys(entries)
    const cache = await filled(maker, entries, ttl, (entry) => keys[entry] as string)
    const order = even(entries)
    return measureSync((i) => (cache.get(keys[order[i] as number] as string) === value ? 1 : 0), options)
  }
}

function fresh(entries: number): TimeRow['measure'] {
  return async (maker) => {
    const cache = await filled(maker, entries, undefined, keyOf)
    const order = even(entries)
    return measureSync((i) => (cache.get(keyOf(order[i] as number)) === value ? 1 : 0), options)
  }
}

function numbers(entries: number): TimeRow['measure'] {
  return async (maker) => {
    const cache = await filled(maker, entries, undefined, (entry) => entry)
    const order = even(entries)
    return measureSync((i) => (cache.get(order[i] as number) === value ? 1 : 0), options)
  }
}

function miss(entries: number): TimeRow['measure'] {
  return async (maker) => {
    const cache = await filled(maker, entries, undefined, keyOf)
    const absent = readyKeys(entries * 2).slice(entries)
    const order = even(entries)
    return measureSync((i) => (cache.get(absent[order[i] as number] as string) === undefined ? 1 : 0), options)
  }
}

function setNew(entries: number): TimeRow['measure'] {
  return async (maker) => {
    const cache = await filled(maker, entries, undefined, keyOf)
    let next = entries
    return measureSync(() => {
      cache.set(keyOf(next), value)
      next += 1
      return 1
    }, options)
  }
}

/** Checks that the value is the stored one; anything else fails the row. */
function right(found: unknown): 1 {
  if (found !== value) throw new Error(`the cache answered ${String(found)}`)
  return 1
}

// Each round continues after the last one, with more draws than a round has. If each began anew, a cache that holds the
// keys of one round would never evict.
function drawn(entries: number): () => number {
  const order = zipf(entries, DRAWS)
  let next = 0
  return () => {
    next += 1
    return order[(next - 1) & (DRAWS - 1)] as number
  }
}

function readThrough(entries: number, ttl: number | undefined, key: 'ready' | 'fresh'): TimeRow['measure'] {
  return async (maker) => {
    const universe = entries * 10
    const keys = key === 'ready' ? readyKeys(universe) : []
    const name = key === 'ready' ? (entry: number): string => keys[entry] as string : keyOf
    const cache = await maker.make(entries, ttl)
    const draw = drawn(universe)
    return measureSync(() => {
      const wanted = name(draw())
      const found = cache.get(wanted)
      if (found !== undefined) return right(found)
      cache.set(wanted, value)
      return 1
    }, options)
  }
}

function mixed(entries: number): TimeRow['measure'] {
  return async (maker) => {
    const keys = readyKeys(entries * 2)
    const cache = await filled(maker, entries, undefined, (entry) => keys[entry] as string)
    const draw = drawn(entries * 2)
    return measureSync((i) => {
      const wanted = keys[draw()] as string
      if (i % 10 === 0) {
        cache.set(wanted, value)
        return 1
      }
      const found = cache.get(wanted)
      return found === undefined ? 1 : right(found)
    }, options)
  }
}

export const timeRows: readonly TimeRow[] = [
  { name: 'hit, ready key, 1 thousand', needs: {}, measure: ready(1000) },
  { name: 'hit, ready key, 100 thousand', needs: {}, measure: ready(100_000) },
  { name: 'hit, ready key, 1 million', needs: {}, measure: ready(1_000_000) },
  { name: 'hit, fresh key, 1 thousand', needs: {}, measure: fresh(1000) },
  { name: 'hit, fresh key, 100 thousand', needs: {}, measure: fresh(100_000) },
  { name: 'hit, fresh key, 1 million', needs: {}, measure: fresh(1_000_000) },
  { name: 'hit, number key, 100 thousand', needs: { numbers: true }, measure: numbers(100_000) },
  { name: 'hit with ttl, 1 thousand', needs: { ttl: true }, measure: ready(1000, LIFETIME) },
  { name: 'hit with ttl, 100 thousand', needs: { ttl: true }, measure: ready(100_000, LIFETIME) },
  { name: 'miss, 100 thousand', needs: {}, measure: miss(100_000) },
  { name: 'set of new keys, 100 thousand', needs: { evicts: true }, measure: setNew(100_000) },
  {
    name: 'Zipf read-through, 100 thousand',
    needs: { evicts: true },
    measure: readThrough(100_000, undefined, 'ready'),
  },
  { name: 'Zipf read-through, fresh keys', needs: { evicts: true }, measure: readThrough(100_000, undefined, 'fresh') },
  {
    name: 'Zipf read-through with ttl',
    needs: { evicts: true, ttl: true },
    measure: readThrough(100_000, LIFETIME, 'ready'),
  },
  { name: '90 % get, 10 % set', needs: { evicts: true }, measure: mixed(100_000) },
]

/** The reported work of every row of times. */
export const workOfTimes: number = OPERATIONS
