/**
 * Converts values to bytes and back. `encode` throws for a value that the codec cannot keep exactly (the cache rejects with
 * `NOT_STORABLE`), so that `decode` never returns a different value.
 */
export interface Codec {
  /** Written in front of the stored bytes: 1 to 255, and never reused for another encoding. Ids below 64 belong to `@cache/codecs`. */
  readonly id: number
  readonly name: string
  encode(value: unknown): Uint8Array
  /** Throws when the bytes do not come from `encode`. It must not trust them: an attacker may have written them. */
  decode(bytes: Uint8Array): unknown
}
