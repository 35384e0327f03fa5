/**
 * The layout of what backends store, for those who read it elsewhere (a Lua script, an SQL expression). FORMAT.md says it
 * in words. Offsets count from 0.
 */
export const frame = {
  /** The first byte. Never a digit, '-' or '{', so that plain text is told from a frame. */
  formatVersion: 2,
  /** Which codec wrote the payload, or one of the four kinds that need none. */
  codecOffset: 1,
  flagsOffset: 2,
  /** One byte: how many bytes of version follow. */
  versionLengthOffset: 3,
  versionOffset: 4,
  /** Payload kinds in the place of a codec id. */
  kinds: { placeholder: 0, wholeNumber: 48, utf8: 49, utf16: 50 },
  flags: {
    sealed: 1,
    compressed: 2,
    staleAt: 4,
    expiresAt: 8,
    tags: 16,
    cost: 32,
    /** The payload is a whole number in ASCII decimals, in clear, up to the end of the frame. */
    clearNumber: 64,
  },
} as const
