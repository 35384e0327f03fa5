/**
 * How values become bytes and values again. A codec that cannot keep a value exactly must throw in `encode` (the cache
 * rejects with `NOT_STORABLE`) rather than give something else back in `decode`.
 */
export interface Codec {
  /** Written in front of what is stored; 1 to 255, and never reused for another encoding. Ids below 64 belong to `@cache/codecs`. */
  readonly id: number
  readonly name: string
  encode(value: unknown): Uint8Array
  /** Throws when the bytes are not what `encode` wrote. Never trusts them: they may come from an attacker. */
  decode(bytes: Uint8Array): unknown
}
