/**
 * What MessagePack itself lacks. FORMAT.md describes the bytes. `prefix` extensions are three bytes (`d4`, the type, 0) in front
 * of further values.
 */
export const prefixes = {
  undefined: 0x00,
  /** A hexadecimal text follows. */
  bigint: 0x42,
  /** An array follows, with each key before its value. */
  map: 0x6d,
  /** An object follows, which has no prototype. */
  noPrototype: 0x6f,
  /** The names of a record follow, as an array of texts, then its values. In the place of the 0 is its token. */
  record: 0x72,
  /** An array follows. */
  set: 0x73,
  /** The name of a type of the codec and its data follow. */
  typed: 0x75,
  /** The source and the flags follow. */
  regexp: 0x78,
} as const

/** Extensions with bytes of their own. */
export const blobs = {
  /** Eight bytes: a float, the milliseconds since the epoch. */
  date: 0x64,
  /** One byte for the class, its index in `bufferClasses`, then the bytes. */
  buffer: 0x74,
  /** UTF-16, the low byte first. */
  utf16: 0x77,
} as const

/** The classes of bytes but `Buffer`, which is the binary data of MessagePack itself. */
export const bufferClasses: readonly string[] = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'ArrayBuffer',
  'DataView',
]

/** The first byte of the form with records. MessagePack itself never uses it. */
export const recordsMark = 0xc1
/** Tokens of records. In the form with records they are no numbers. */
export const firstRecord = 0x40
export const mostRecords = 64
/** Objects with more members are maps: V8 makes them hash tables, which take far more memory than one byte for each member. */
export const mostRecordMembers = 64
