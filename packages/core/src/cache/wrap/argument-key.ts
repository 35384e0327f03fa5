import { invalidArgument } from '../../protocol/argument.ts'

/**
 * A string that is the same for equal arguments and different for all others: every value is written with its type and, where
 * its end is not plain, its length. Members of objects, sets and maps are sorted. Throws `INVALID_ARGUMENT` for values that cannot be
 * compared: functions, symbols, members named by symbols, class instances, arrays with holes or named members. They need a `key` function.
 */
export function argumentKey(values: readonly unknown[], operation: string): string {
  try {
    return values.map((value) => encode(value, operation, [])).join(',')
  } catch (error) {
    // The stack ends somewhere above ten thousand levels.
    if (!(error instanceof RangeError)) throw error
    throw invalidArgument(
      'an argument of the wrapped function',
      values,
      'data that is not nested that deeply',
      operation,
    )
  }
}

function encode(value: unknown, operation: string, above: readonly object[]): string {
  switch (typeof value) {
    case 'string':
      return `s${value.length}:${value}`
    case 'number':
      return Object.is(value, -0) ? 'n-0' : `n${value}`
    case 'bigint':
      return `i${value}`
    case 'boolean':
      return value ? 't' : 'f'
    case 'undefined':
      return 'u'
    case 'object':
      return value === null ? 'z' : encodeObject(value, operation, above)
    default:
      throw refused(value, operation)
  }
}

function encodeObject(value: object, operation: string, above: readonly object[]): string {
  if (above.includes(value) || !isPlain(value)) throw refused(value, operation)
  const path = [...above, value]
  const inner = (member: unknown): string => encode(member, operation, path)
  const pair = ([key, member]: readonly [unknown, unknown]): string => `${inner(key)}=${inner(member)}`
  if (Array.isArray(value)) return `[${value.map(inner).join(',')}]`
  if (value instanceof Date) return `d${value.getTime()}`
  if (value instanceof Set) return `S[${[...value].map(inner).sort().join(',')}]`
  if (value instanceof Map) return `M[${[...value].map(pair).sort().join(',')}]`
  return `{${Object.entries(value).map(pair).sort().join(',')}}`
}

/** Whether the key contains all of the value. Subclasses of built-in classes and named members of arrays would be left out. */
function isPlain(value: object): boolean {
  switch (Object.getPrototypeOf(value)) {
    case Array.prototype:
      // Its elements and its length; a hole is a key that is missing.
      return Reflect.ownKeys(value).length === (value as unknown[]).length + 1
    case Date.prototype:
    case Set.prototype:
    case Map.prototype:
      return Reflect.ownKeys(value).length === 0
    case Object.prototype:
    case null:
      return Object.getOwnPropertySymbols(value).length === 0
    default:
      return false
  }
}

function refused(value: unknown, operation: string): Error {
  const allowed =
    'plain data (text, numbers, dates, arrays, objects, maps, sets); for anything else give the option `key`, a function that makes the key'
  return invalidArgument('an argument of the wrapped function', value, allowed, operation)
}
