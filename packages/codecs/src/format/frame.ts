/**
 * The layout of stored items, for readers outside this package (a Lua script, an SQL expression). FORMAT.md describes it.
 * Offsets count from 0.
 */
export const frame = {
  /** The first byte. Never a digit, '-' or '{', so that a frame differs from plain text. */
  formatVersion: 2,
  /** The byte with the id of the codec that wrote the payload, or one of the four kinds without a codec. */
  codecOffset: 1,
  flagsOffset: 2,
  /** One byte: the length of the version that follows. */
  versionLengthOffset: 3,
  versionOffset: 4,
  /** Kinds of payloads without a codec, in place of a codec id. */
  kinds: { placeholder: 0, wholeNumber: 48, utf8: 49, utf16: 50 },
  flags: {
    sealed: 1,
    compressed: 2,
    staleAt: 4,
    expiresAt: 8,
    tags: 16,
    cost: 32,
    /** The payload is a whole number in ASCII decimals, not encrypted, up to the end of the frame. */
    clearNumber: 64,
  },
} as const
