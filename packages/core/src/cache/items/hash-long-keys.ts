import { wholeNumber } from '../../protocol/argument.ts'
import { builtinModule } from '../../protocol/builtin-module.ts'
import { CacheError } from '../../protocol/cache-error.ts'

/**
 * A `transformKey` that leaves keys of less than `longest` characters alone and replaces others, by their beginning and their SHA-256
 * digest, with keys of exactly that length: so that no key that is left alone can be made to look like a replaced one.
 *
 * Throws `UNSUPPORTED` in a runtime without `node:crypto`.
 */
export function hashLongKeys(longest = 200): (key: string) => string {
  wholeNumber(longest, 'longest', 'hashLongKeys', 64)
  const crypto = builtinModule('crypto')
  if (crypto === undefined) {
    const message = 'hashLongKeys needs node:crypto, which this runtime lacks: pass a transformKey of your own'
    throw new CacheError('UNSUPPORTED', message, { operation: 'hashLongKeys' })
  }
  // The digest has 43 characters.
  const kept = longest - 44
  return (key) =>
    key.length < longest
      ? key
      : `${key.slice(0, kept)}~${crypto.createHash('sha256').update(key, 'utf16le').digest('base64url')}`
}
