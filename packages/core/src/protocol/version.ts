import { randomBytes } from 'node:crypto'

/** Ten base64url characters, 60 random bits: two processes practically never draw the same. */
const processPart = randomBytes(8).toString('base64url').slice(0, 10)
let counter = 0

/**
 * A new version: opaque printable ASCII, unique among all processes. It consists of a random part, drawn once for each process,
 * and a counter: random bytes for every write would cost a microsecond each.
 */
export function createVersion(): string {
  counter += 1
  return processPart + counter.toString(36)
}
