import {
  CacheError,
  type Duration,
  invalidArgument,
  isList,
  isRecord,
  milliseconds,
  nonEmptyString,
} from '@cache/core/backend'

// Checks of single options. Each returns the option in the form that the code uses, or throws `INVALID_ARGUMENT`.

/** The kind of a value, for messages about options that may hold a password or a key. */
export function kindOf(given: unknown): string {
  if (given === null) return 'null'
  if (isList(given)) return 'an array'
  return typeof given === 'object' ? 'another object' : typeof given === 'undefined' ? 'absent' : `a ${typeof given}`
}

/** The error for a refused option that may hold a password or a key: its message does not repeat the value. */
export function secretArgument(name: string, given: unknown, allowed: string, method: string): CacheError {
  return new CacheError('INVALID_ARGUMENT', `${method}: ${name} must be ${allowed}, but was ${kindOf(given)}`, {
    operation: method,
  })
}

/** The options, if they are an object. A URL in their place would appear in the message of a later check. */
export function checkObject<Options>(options: Options, name: string, method: string): Options {
  if (!isRecord(options)) {
    throw secretArgument(name, options, 'an object', method)
  }
  return options
}

/** A duration in milliseconds that a timer of Node can wait for. */
export function checkDuration(given: Duration, name: string, method: string): number {
  const ms = milliseconds(given, name, method)
  if (ms < 1 || ms > 2 ** 31 - 1) throw invalidArgument(name, given, 'between 1 ms and 24 days', method)
  return ms
}

/** A boolean, or `fallback` when the option is absent. */
export function checkFlag(given: boolean | undefined, fallback: boolean, name: string, method: string): boolean {
  if (given === undefined) return fallback
  if (typeof given !== 'boolean') throw invalidArgument(name, given, 'true or false', method)
  return given
}

/** A name that PostgreSQL keeps as it is. */
export function checkIdentifier(given: string, name: string, method: string): string {
  const text = nonEmptyString(given, name, method)
  const bytes = Buffer.from(text)
  // PostgreSQL cuts longer names without an error, and UTF-8 cannot hold lone surrogates: two names could become one.
  if (bytes.length > 63 || text.includes('\0') || bytes.toString() !== text) {
    throw invalidArgument(name, given, 'a name of at most 63 bytes without NUL or lone surrogates', method)
  }
  return text
}
