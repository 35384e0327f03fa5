import { invalidArgument, isRecord } from '../../protocol/argument.ts'
import type { WriteOptions } from '../options/write-options.ts'

/** Keys and values: a `Map`, an array of pairs, or an object. */
export type Entries<Value> = Iterable<readonly [string, Value]> | Readonly<Record<string, Value>>

/** Keys and values for `setMany`; a third member of an entry has its own options, which take precedence over those of the call. */
export type WriteEntries<Value> =
  | Entries<Value>
  | Iterable<readonly [key: string, value: Value, options?: WriteOptions | undefined]>

/** The pairs of entries in any of their forms. Throws `INVALID_ARGUMENT` for anything else, such as a promise, and for an entry that is no pair. */
export function pairsOf<Value>(
  entries: Entries<Value>,
  name: string,
  method: string,
): (readonly [key: string, value: Value])[] {
  return tuplesOf(entries, name, method, 2) as unknown as (readonly [string, Value])[]
}

/** The entries for `setMany` in any of their forms, as `pairsOf` gives pairs. */
export function writeEntriesOf(
  entries: WriteEntries<unknown>,
  name: string,
  method: string,
): (readonly [key: string, value: unknown, options?: WriteOptions])[] {
  return tuplesOf(entries, name, method, 3) as unknown as (readonly [string, unknown, WriteOptions?])[]
}

function tuplesOf(entries: unknown, name: string, method: string, longest: 2 | 3): (readonly unknown[])[] {
  if (entries === null || typeof entries !== 'object' || !(Symbol.iterator in entries || isRecord(entries)))
    throw invalidArgument(name, entries, 'a Map, an array of [key, value] pairs, or an object', method)
  if (!(Symbol.iterator in entries)) return Object.entries(entries)
  const pairs = [...(entries as Iterable<readonly unknown[]>)]
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length < 2 || pair.length > longest) {
      const allowed = longest === 2 ? 'a pair [key, value]' : 'a pair [key, value], or [key, value, options]'
      throw invalidArgument(`an entry of ${name}`, pair, allowed, method)
    }
  }
  return pairs
}
