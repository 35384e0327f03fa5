import type { ValueKind } from '../harness/harness.ts'

export interface Sample {
  readonly says: string
  /** The kind that only some backends keep. Absent: every backend keeps the value. `rare`: every backend may refuse it. */
  readonly kind?: ValueKind | 'rare'
  /** A new value for each call: a store of references must not be compared with itself. */
  make(): unknown
}

/** Kinds that a backend keeps by default. */
const keptByDefault: readonly ValueKind[] = ['NaN', 'date', 'map', 'set', 'bytes']

/** Whether a backend that keeps these kinds must keep the sample. */
export function isKept({ kind }: Sample, kinds: readonly ValueKind[] = keptByDefault): boolean {
  return kind === undefined || (kind !== 'rare' && kinds.includes(kind))
}

/** Falsy and empty values, which are hits (RACES R25). */
export const emptySamples: readonly Sample[] = [
  { says: 'null', make: () => null },
  { says: 'false', make: () => false },
  { says: '0', make: () => 0 },
  { says: "''", make: () => '' },
  { says: 'an empty object', make: () => ({}) },
  { says: 'an empty array', make: () => [] },
  { says: 'NaN', kind: 'NaN', make: () => Number.NaN },
]

/** Examples of all kinds of values that an application may store. */
export const richSamples: readonly Sample[] = [
  { says: 'text', make: () => 'text' },
  { says: 'text of any Unicode', make: () => 'nul \u0000, é e\u0301, 漢字, 👩‍👩‍👧, \u2028, \uffff' },
  { says: 'true', make: () => true },
  { says: 'a whole number', make: () => 42 },
  { says: 'a negative whole number', make: () => -7 },
  { says: 'the largest safe number', make: () => Number.MAX_SAFE_INTEGER },
  { says: 'a fraction', make: () => 0.1 },
  { says: 'a large number', make: () => 1.7976931348623157e308 },
  { says: 'text that looks like a number', make: () => '42' },
  { says: 'text that looks like JSON', make: () => '{"a":1}' },
  { says: 'an array', make: () => [1, 'two', null, [3, [4]], { five: 5 }] },
  {
    says: 'a nested object',
    make: () => ({ user: { name: 'Ada', roles: ['admin'], address: null, age: 36.5, active: false } }),
  },
  { says: 'an object with a hundred members', make: () => Object.fromEntries(hundred.map((n) => [`member${n}`, n])) },
  { says: 'a list of like objects', make: () => hundred.map((n) => ({ id: n, name: `name ${n}`, even: n % 2 === 0 })) },
  { says: 'an object with odd member names', make: () => ({ '': 1, 'a b': 2, ключ: 3, constructor: 4, toString: 5 }) },
  { says: 'an object like an item', make: () => ({ key: 'k', value: 1, version: 'v', expiresAt: 1 }) },
  { says: 'Infinity in a list', kind: 'NaN', make: () => [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] },
  { says: 'a date', kind: 'date', make: () => new Date(1_700_000_000_123) },
  { says: 'a date in an object', kind: 'date', make: () => ({ at: new Date(0) }) },
  {
    says: 'a map',
    kind: 'map',
    make: () =>
      new Map<unknown, unknown>([
        ['a', 1],
        [2, { b: 3 }],
      ]),
  },
  { says: 'a set', kind: 'set', make: () => new Set(['a', 2, null]) },
  { says: 'bytes', kind: 'bytes', make: () => Uint8Array.from({ length: 256 }, (_, index) => index) },
  { says: 'bytes in an object', kind: 'bytes', make: () => ({ image: new Uint8Array([0, 255, 10]) }) },
  { says: 'a bigint', kind: 'bigint', make: () => 12345678901234567890n },
  { says: 'a small bigint', kind: 'bigint', make: () => 5n },
  { says: 'a member that is undefined', kind: 'undefined member', make: () => ({ a: undefined, b: 1 }) },
  { says: 'a lone surrogate', kind: 'lone surrogate', make: () => 'a\ud800b' },
]

const hundred: readonly number[] = Array.from({ length: 100 }, (_, index) => index)
