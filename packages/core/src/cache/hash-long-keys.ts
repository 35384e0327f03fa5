import { createHash } from 'node:crypto'
import { wholeNumber } from '../protocol/argument.ts'

/**
 * A `transformKey` that leaves keys of up to `longest` characters alone and replaces longer ones by their beginning and their
 * SHA-256 digest.
 */
export function hashLongKeys(longest = 200): (key: string) => string {
  wholeNumber(longest, 'longest', 'hashLongKeys', 64)
  // The digest's 43 characters and the mark that no key shorter than the limit can be mistaken for.
  const kept = longest - 44
  return (key) =>
    key.length <= longest
      ? key
      : `${key.slice(0, kept)}~${createHash('sha256').update(key, 'utf16le').digest('base64url')}`
}
