import { invalidArgument } from '@cache/core/backend'

/** A log of requests with keys numbered in the order of their first appearance. */
export interface RequestLog {
  readonly ids: Uint32Array
  readonly distinct: number
  /** Bytes of each request; null where all count 1. */
  readonly weights: Float64Array | null
}

/** Reads the keys, and the bytes beside them, once. Throws `INVALID_ARGUMENT` for a key that is no string or number, and when the two differ in length. */
export function readRequests(keys: Iterable<string | number>, weights: Iterable<number> | undefined): RequestLog {
  const numbers = new Map<string | number, number>()
  let ids = new Uint32Array(1024)
  let count = 0
  for (const key of keys) {
    if (typeof key !== 'string' && typeof key !== 'number') {
      throw invalidArgument('keys', key, 'an iterable of strings or numbers', 'simulatePolicies')
    }
    let id = numbers.get(key)
    if (id === undefined) {
      id = numbers.size
      numbers.set(key, id)
    }
    if (count === ids.length) ids = doubled(ids)
    ids[count++] = id
  }
  return { ids: ids.subarray(0, count), distinct: numbers.size, weights: readWeights(weights, count) }
}

function doubled(from: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(from.length * 2)
  to.set(from)
  return to
}

function readWeights(weights: Iterable<number> | undefined, count: number): Float64Array | null {
  if (weights === undefined) return null
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
