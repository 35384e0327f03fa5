import { createHash } from 'node:crypto'
import { wholeNumber } from '../../protocol/argument.ts'

/**
 * A `transformKey` that leaves keys of less than `longest` characters alone and replaces others, by their beginning and their SHA-256
 * digest, with keys of exactly that length: so that no key that is left alone can be made to look like a replaced one.
 */
export function hashLongKeys(longest = 200): (key: string) => string {
  wholeNumber(longest, 'longest', 'hashLongKeys', 64)
  // The digest has 43 characters.
  const kept = longest - 44
  return (key) =>
    key.length < longest
      ? key
      : `${key.slice(0, kept)}~${createHash('sha256').update(key, 'utf16le').digest('base64url')}`
}
