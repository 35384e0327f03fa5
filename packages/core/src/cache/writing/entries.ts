import { invalidArgument, isRecord } from '../../protocol/argument.ts'

/** Keys and values: a `Map`, an array of pairs, or an object. */
export type Entries<Value> = Iterable<readonly [string, Value]> | Readonly<Record<string, Value>>

/** The pairs of entries in any of their forms. Throws `INVALID_ARGUMENT` for anything else, such as a promise, and for an entry that is no pair. */
export function pairsOf<Value>(
  entries: Entries<Value>,
  name: string,
  method: string,
): (readonly [key: string, value: Value])[] {
  if (entries === null || typeof entries !== 'object' || !(Symbol.iterator in entries || isRecord(entries)))
    throw invalidArgument(name, entries, 'a Map, an array of [key, value] pairs, or an object', method)
  if (!(Symbol.iterator in entries)) return Object.entries(entries as Readonly<Record<string, Value>>)
  const pairs = [...(entries as Iterable<readonly [string, Value]>)]
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw invalidArgument(`an entry of ${name}`, pair, 'a pair [key, value]', method)
  }
  return pairs
}
