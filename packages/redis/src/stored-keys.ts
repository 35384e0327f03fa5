import { isWellFormed } from './well-formed.ts'

/**
 * How keys of the cache become keys of Redis, which are bytes, and keys again.
 *
 * Well-formed strings are written as UTF-8. Lone surrogates have no UTF-8, and encoders put the same replacement character
 * in the place of each, so that distinct keys would meet (RACES R29). They are written here as WTF-8 has it: three bytes,
 * as if they were characters (https://simonsapin.github.io/wtf-8/).
 */
export class StoredKeys {
  readonly prefix: string
  readonly #prefixBytes: Buffer

  constructor(prefix: string) {
    this.prefix = prefix
    this.#prefixBytes = encode(prefix)
  }

  /** What ioredis is given: a string where UTF-8 says it all, else bytes. */
  stored(key: string): string | Buffer {
    const whole = this.prefix + key
    return isWellFormed(whole) ? whole : encode(whole)
  }

  /** The key of the cache, or `undefined` for a key of Redis that lacks the prefix. */
  key(stored: Buffer): string | undefined {
    const { length } = this.#prefixBytes
    if (stored.length < length || stored.compare(this.#prefixBytes, 0, length, 0, length) !== 0) return undefined
    return decode(stored.subarray(length))
  }

  /**
   * The pattern of SCAN for keys that start with `prefix`. It may match a few more, because half a surrogate pair at the end
   * of the prefix cannot be asked for: compare what comes back.
   */
  pattern(prefix: string): Buffer {
    const whole = this.prefix + prefix
    const isCut = isHighSurrogate(whole.charCodeAt(whole.length - 1))
    const bytes = encode(isCut ? whole.slice(0, -1) : whole)
    const escaped: number[] = []
    for (const byte of bytes) {
      // `*`, `?`, `[` and the escape itself; a bracket that was never opened means itself (RACES R30).
      if (byte === 0x2a || byte === 0x3f || byte === 0x5b || byte === 0x5c) escaped.push(0x5c)
      escaped.push(byte)
    }
    escaped.push(0x2a)
    return Buffer.from(escaped)
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}

/** Pieces of well-formed text are encoded by the runtime; lone surrogates by hand. */
function encode(text: string): Buffer {
  if (isWellFormed(text)) return Buffer.from(text, 'utf8')
  const parts: Buffer[] = []
  let start = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0xd800 || code > 0xdfff) continue
    if (isHighSurrogate(code) && isLowSurrogate(text.charCodeAt(index + 1))) {
      index += 1
      continue
    }
    parts.push(Buffer.from(text.slice(start, index), 'utf8'))
    parts.push(Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]))
    start = index + 1
  }
  parts.push(Buffer.from(text.slice(start), 'utf8'))
  return Buffer.concat(parts)
}

/** `undefined` for bytes that `encode` never writes: a key of somebody else. */
function decode(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8')
  // The replacement character stands for itself, or for bytes that are no UTF-8.
  if (!text.includes('\ufffd')) return text
  const slow = decodeSurrogates(bytes)
  return encode(slow).equals(bytes) ? slow : undefined
}

function decodeSurrogates(bytes: Buffer): string {
  let text = ''
  let start = 0
  for (let index = 0; index + 2 < bytes.length; index++) {
    const second = bytes[index + 1] ?? 0
    if (bytes[index] !== 0xed || second < 0xa0) continue
    text += bytes.toString('utf8', start, index)
    text += String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | ((bytes[index + 2] ?? 0) & 0x3f))
    index += 2
    start = index + 1
  }
  return text + bytes.toString('utf8', start)
}
