import { ItemFormat, type ItemFormatOptions } from '@cache/codecs'
import { CacheError, type Clock, type Item } from '@cache/core/backend'

const dash = 45
const zero = 48
const nine = 57
/** A sign and sixteen digits. */
const longestCounter = 17
const decimals = /^(?:0|-?[1-9]\d*)$/

/**
 * Turns items into the bytes that Redis holds, and back: frames of `@cache/codecs`, and plain decimals for counters.
 */
export class ItemEncoding {
  readonly #format: ItemFormat
  readonly #clock: Clock

  /** `place` is sealed with each item: an item of another database or prefix does not open here. */
  constructor(options: ItemFormatOptions, place: string, clock: Clock) {
    this.#format = new ItemFormat(options, place, clock)
    this.#clock = clock
  }

  /** Whether values are encrypted. Redis cannot add to them then, so plain decimals come from other programs. */
  get isEncrypted(): boolean {
    return this.#format.sealed
  }

  encode(item: Item): Buffer {
    return this.#format.encode(item)
  }

  /**
   * Milliseconds from now to `expiresAt`; 0 when it has passed. Redis counts them down by its own clock, so the clocks
   * of two machines are never compared (RACES R16).
   */
  lifetimeUntil(expiresAt: number): number {
    return Math.max(0, expiresAt - this.#clock.now())
  }

  /** Whether these bytes are a counter. Its lifetime is known to Redis only. */
  isCounter(bytes: Buffer): boolean {
    const first = bytes[0]
    return first !== undefined && ((first >= zero && first <= nine) || first === dash) && !this.isEncrypted
  }

  /** The item. Throws `DAMAGED` for bytes that no cache wrote for this key. */
  decode(key: string, bytes: Buffer): Item {
    return this.#format.decode(key, bytes)
  }

  /** The item of a counter with a lifetime in milliseconds; negative: without end. Throws `DAMAGED`. */
  decodeCounter(key: string, bytes: Buffer, lifetime: number): Item {
    const digits = bytes.toString('latin1')
    const value = digits.length <= longestCounter && decimals.test(digits) ? Number(digits) : Number.NaN
    if (!Number.isSafeInteger(value)) {
      throw new CacheError('DAMAGED', 'The stored bytes are neither an item nor a safe whole number', { key })
    }
    // The version is derived from the value: see `increment` in the protocol.
    const item = { key, value, version: `=${digits}`, createdAt: 0 }
    return lifetime < 0 ? item : { ...item, expiresAt: this.#clock.now() + lifetime }
  }
}
