import { isWellFormed } from '@cache/core/backend'
import { decodeWtf8, encodeWtf8, isHighSurrogate } from './wtf8.ts'

/**
 * Turns keys of the cache into keys of Redis, and back.
 *
 * A key of Redis is bytes: the prefix and the key in WTF-8. Plain UTF-8 would write the same replacement character for
 * every lone surrogate, so that distinct keys would become one (RACES R29).
 */
export class BackendKeys {
  readonly prefix: string
  readonly #prefixBytes: Buffer

  constructor(prefix: string) {
    this.prefix = prefix
    this.#prefixBytes = encodeWtf8(prefix)
  }

  /** The key of Redis: a string where ioredis encodes it correctly, otherwise bytes. */
  toBackendKey(key: string): string | Buffer {
    const whole = this.prefix + key
    return isWellFormed(whole) ? whole : encodeWtf8(whole)
  }

  /** The key of the cache; `undefined` for a key of Redis without the prefix, or with bytes that no cache writes. */
  toKey(backendKey: Buffer): string | undefined {
    const { length } = this.#prefixBytes
    if (backendKey.length < length || backendKey.compare(this.#prefixBytes, 0, length, 0, length) !== 0)
      return undefined
    return decodeWtf8(backendKey.subarray(length))
  }

  /**
   * The pattern of SCAN for keys that start with `prefix`. It leaves out half a surrogate pair at the end, so it can
   * match a few more keys. The caller must compare the keys that it gets.
   */
  scanPattern(prefix: string): Buffer {
    const whole = this.prefix + prefix
    const isCut = isHighSurrogate(whole.charCodeAt(whole.length - 1))
    const bytes = encodeWtf8(isCut ? whole.slice(0, -1) : whole)
    const escaped: number[] = []
    for (const byte of bytes) {
      // `*`, `?`, `[` and the backslash. A closing bracket alone stands for itself (RACES R30).
      if (byte === 0x2a || byte === 0x3f || byte === 0x5b || byte === 0x5c) escaped.push(0x5c)
      escaped.push(byte)
    }
    escaped.push(0x2a)
    return Buffer.from(escaped)
  }
}
