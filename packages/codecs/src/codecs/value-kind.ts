/**
 * Kinds of values that not every encoding keeps. A codec keeps a kind exactly, at every place in a value, or refuses it.
 * Every codec but `rawCodec` keeps the values of JSON: objects, arrays, strings, numbers, booleans and `null`.
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
  | 'no prototype'
  | 'cycle'
