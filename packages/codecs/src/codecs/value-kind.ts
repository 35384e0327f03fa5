/**
 * Kinds of values that not every encoding keeps. A codec keeps a kind exactly, wherever it stands in a value, or refuses it.
 * What JSON has (objects, arrays, strings, numbers, booleans, `null`) is kept by every codec but `rawCodec`.
 */
export type ValueKind =
  | 'undefined member'
  | 'NaN'
  | '-0'
  | 'lone surrogate'
  | 'bigint'
  | 'large bigint'
  | 'date'
  | 'map'
  | 'set'
  | 'bytes'
  | 'buffer'
  | 'typed array'
  | 'array buffer'
  | 'regexp'
  | 'hole'
  | '__proto__ member'
  | 'cycle'
