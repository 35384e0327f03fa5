/** Creates an object with the names of a record, and calls `read` for the value of each. */
export type RecordReader = (read: () => unknown) => object

/** Readers by the names of their records. All are forgotten when there are too many. */
const readers = new Map<string, RecordReader>()
const mostReaders = 512

/**
 * A reader that creates each object in its final form, which takes half the time of adding members one by one. `undefined`
 * where the runtime forbids code from text.
 */
export function recordReader(names: readonly string[]): RecordReader | undefined {
  const id = JSON.stringify(names)
  const known = readers.get(id)
  if (known !== undefined) return known
  const reader = compile(names)
  if (reader === undefined) return undefined
  if (readers.size >= mostReaders) readers.clear()
  readers.set(id, reader)
  return reader
}

/** Names are written as JSON, so they cannot be code. In a literal, `__proto__` alone would be no member. */
function compile(names: readonly string[]): RecordReader | undefined {
  if (names.includes('__proto__') || new Set(names).size < names.length) return undefined
  const members = names.map((name) => `${JSON.stringify(name)}: read()`)
  try {
    return new Function('read', `'use strict'; return { ${members.join(', ')} }`) as RecordReader
  } catch {
    return undefined
  }
}
