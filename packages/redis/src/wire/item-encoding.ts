import { ItemFormat, type ItemFormatOptions } from '@cache/codecs'
import { CacheError, type Clock, type Item } from '@cache/core/backend'

const dash = 45
const zero = 48
const nine = 57
/** A sign and sixteen digits. */
const longest = 17
const decimals = /^(?:0|-?[1-9]\d*)$/

/** Items as the bytes that Redis holds: frames of `@cache/codecs`, and counters as plain decimals. */
export class ItemEncoding {
  readonly #format: ItemFormat
  readonly #clock: Clock

  constructor(options: ItemFormatOptions, clock: Clock) {
    this.#format = new ItemFormat(options)
    this.#clock = clock
  }

  /** Whether values are encrypted; Redis' own arithmetic is then impossible, and plain decimals were written by somebody else. */
  get isEncrypted(): boolean {
    return this.#format.sealed
  }

  encode(item: Item): Buffer {
    return this.#format.encode(item)
  }

  /**
   * Milliseconds from now to the instant, for Redis to count down by its own clock: no two machines' clocks are ever
   * compared (RACES R16). 0: it has passed.
   */
  lifetimeUntil(expiresAt: number): number {
    return Math.max(0, expiresAt - this.#clock.now())
  }

  /** Whether these bytes are a counter, whose lifetime has to be asked for. */
  isCounter(bytes: Buffer): boolean {
    const first = bytes[0]
    return first !== undefined && ((first >= zero && first <= nine) || first === dash) && !this.isEncrypted
  }

  /** The item. Throws `DAMAGED` for bytes that nobody wrote for this key. */
  decode(key: string, bytes: Buffer): Item {
    return this.#format.decode(key, bytes)
  }

  /** The item of a counter with so many milliseconds left; a negative number: for ever. Throws `DAMAGED`. */
  decodeCounter(key: string, bytes: Buffer, left: number): Item {
    const digits = bytes.toString('latin1')
    const value = digits.length <= longest && decimals.test(digits) ? Number(digits) : Number.NaN
    if (!Number.isSafeInteger(value)) {
      throw new CacheError('DAMAGED', 'The stored bytes are neither an item nor a safe whole number', { key })
    }
    // The version is derived from the value: see `increment` in the protocol.
    const item = { key, value, version: `=${digits}`, createdAt: 0 }
    return left < 0 ? item : { ...item, expiresAt: this.#clock.now() + left }
  }
}
