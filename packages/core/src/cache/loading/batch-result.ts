import { invalidArgument } from '../../protocol/argument.ts'
import { type Entries, pairsOf } from '../writing/entries.ts'

/** The values of a batch by their keys. Throws `INVALID_ARGUMENT` for a result that is neither pairs nor a value for each key. */
export function loadedValues(keys: readonly string[], result: unknown): Map<string, unknown> {
  const pairs = isInOrder(result) ? pairsInOrder(keys, result) : pairsOf(result as Entries<unknown>, what, method)
  return new Map(pairs as Iterable<readonly [string, unknown]>)
}

/** The pairs of the keys and values that are in the same order. */
export function pairsInOrder<Value>(
  keys: readonly string[],
  values: readonly Value[],
): (readonly [string, Exclude<Value, undefined>])[] {
  if (!Array.isArray(values) || values.length !== keys.length)
    throw invalidArgument(
      what,
      values,
      `pairs [key, value], an object, or ${keys.length} values in the order of the keys`,
      method,
    )
  // `Array.from` makes a hole `undefined`.
  const all = Array.from(values as readonly Exclude<Value, undefined>[])
  return all.map((value, index) => [keys[index] as string, value] as const)
}

const what = 'the result of the loader'
const method = 'getOrSetMany'

/** Whether this is an array of values rather than of pairs: no element is an array, as each pair would be. */
function isInOrder(result: unknown): result is readonly unknown[] {
  return Array.isArray(result) && result.length > 0 && !result.some(Array.isArray)
}
