import { randomBytes } from 'node:crypto'

/** Ten base64url characters, 60 random bits: two processes that draw the same are not to be expected. */
const processPart = randomBytes(8).toString('base64url').slice(0, 10)
let counter = 0

/**
 * A new version: opaque, printable ASCII, never made twice, not by another process either. A random part drawn once per
 * process and a counter, because drawing randomness for every write costs a microsecond.
 */
export function createVersion(): string {
  counter += 1
  return processPart + counter.toString(36)
}
