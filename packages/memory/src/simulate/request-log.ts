import { invalidArgument } from '@cache/core/backend'
import { createEngine, maxEntryCount } from '../engine/create-engine.ts'

/** A log of requests, with keys numbered in the order of their first appearance. */
export interface RequestLog {
  readonly ids: Uint32Array
  readonly distinct: number
  /** The bytes of each request; `undefined` if all count 1. */
  readonly weights: Float64Array | undefined
}

/** Reads keys and weights once. Throws `INVALID_ARGUMENT` for a key that is no string or number, and for different lengths. */
export function readRequests(keys: Iterable<string | number>, weights: Iterable<number> | undefined): RequestLog {
  // A `Map` throws beyond 2^24 keys.
  const numbers = createEngine<string | number, number>(
    { maxEntries: maxEntryCount, policy: 'fifo' },
    undefined,
    'simulatePolicies',
  )
  let ids = new Uint32Array(1024)
  let count = 0
  for (const key of keys) {
    if (typeof key !== 'string' && typeof key !== 'number') {
      throw invalidArgument('keys', key, 'an iterable of strings or numbers', 'simulatePolicies')
    }
    let id = numbers.get(key)
    if (id === undefined) {
      id = numbers.slots.count
      numbers.set(key, id, Number.POSITIVE_INFINITY)
    }
    if (count === ids.length) ids = doubled(ids)
    ids[count] = id
    count += 1
  }
  return { ids: ids.subarray(0, count), distinct: numbers.slots.count, weights: readWeights(weights, count) }
}

function doubled(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(from.length * 2)
  to.set(from)
  return to
}

function readWeights(weights: Iterable<number> | undefined, count: number): Float64Array | undefined {
  if (weights === undefined) return undefined
  if (typeof weights?.[Symbol.iterator] !== 'function') {
    throw invalidArgument('weights', weights, 'an iterable of numbers', 'simulatePolicies')
  }
  const read = Float64Array.from(weights)
  if (read.length !== count) {
    throw invalidArgument('weights', read.length, `as many as there are keys, ${count}`, 'simulatePolicies')
  }
  for (const weight of read) {
    if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
      throw invalidArgument('weights', weight, 'finite numbers of 0 or more', 'simulatePolicies')
    }
  }
  return read
}
