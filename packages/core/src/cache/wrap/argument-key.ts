import { invalidArgument } from '../../protocol/argument.ts'
import { brandOf } from '../../values/brand-of.ts'
import { hasSymbolMember } from '../../values/has-symbol-member.ts'

/**
 * A string that is the same for equal arguments and different for all others: every value is written with its type and, where
 * its end is not plain, its length. Members of objects, sets and maps are sorted. Throws `INVALID_ARGUMENT` for values that cannot be
 * compared: functions, symbols, members named by symbols, instances of classes, arrays with holes or named members. They need a `key` function.
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
  if (above.includes(value) || hasSymbolMember(value)) throw refused(value, operation)
  const path = [...above, value]
  const inner = (member: unknown): string => encode(member, operation, path)
  const pair = ([key, member]: readonly [unknown, unknown]): string => `${inner(key)}=${inner(member)}`
  switch (brandOf(value)) {
    case 'Array': {
      const elements = value as readonly unknown[]
      if (!isDense(elements)) throw refused(value, operation)
      return `[${elements.map(inner).join(',')}]`
    }
    case 'Object':
    case 'null prototype':
      return `{${Object.entries(value).map(pair).sort().join(',')}}`
    case 'Date':
      if (hasMembers(value)) throw refused(value, operation)
      return `d${Date.prototype.getTime.call(value)}`
    case 'Set':
      if (hasMembers(value)) throw refused(value, operation)
      return `S[${[...(value as Set<unknown>)].map(inner).sort().join(',')}]`
    case 'Map':
      if (hasMembers(value)) throw refused(value, operation)
      return `M[${[...(value as Map<unknown, unknown>)].map(pair).sort().join(',')}]`
    default:
      throw refused(value, operation)
  }
}

/** Whether the members of an array are its elements. Names come after indices, so the last one shows whether there is one. */
function isDense(elements: readonly unknown[]): boolean {
  const names = Object.keys(elements)
  return names.length === elements.length && (names.length === 0 || names.at(-1) === String(elements.length - 1))
}

/** Named members of a date, set or map would be left out of the key. */
function hasMembers(value: object): boolean {
  return Object.keys(value).length > 0
}

function refused(value: unknown, operation: string): Error {
  const allowed =
    'plain data (text, numbers, dates, arrays, objects, maps, sets); for anything else give the option `key`, a function that makes the key'
  return invalidArgument('an argument of the wrapped function', value, allowed, operation)
}
