/** Keys and values: a `Map`, an array of pairs, or an object. */
export type Entries<Value> = Iterable<readonly [string, Value]> | Readonly<Record<string, Value>>

/** The pairs of entries, whichever of their forms they have. */
export function pairsOf<Value>(entries: Entries<Value>): (readonly [string, Value])[] {
  return Symbol.iterator in entries ? [...(entries as Iterable<readonly [string, Value]>)] : Object.entries(entries)
}
