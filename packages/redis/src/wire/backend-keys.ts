import { isWellFormed } from '@cache/core/backend'

const zero = 48
const dollar = 36
const cr = 13
const lf = 10
const set = Buffer.from('*3\r\n$3\r\nset\r\n')
const setFor = Buffer.from('*5\r\n$3\r\nset\r\n')
const milliseconds = Buffer.from('$2\r\nPX\r\n')
/** Dollar sign, length and both line ends of an argument, and then some. */
const argumentBytes = 32

/** Commands are put together here and copied once their length is known. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024)

function makeRoom(at: number, bytes: number): void {
  if (at + bytes <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow((at + bytes) * 2)
  scratch.copy(larger, 0, 0, at)
  scratch = larger
}

/**
 * How keys of the cache become keys of Redis, which are bytes, and keys again.
 *
 * Well-formed strings are written as UTF-8. Lone surrogates have no UTF-8, and encoders put the same replacement character
 * in the place of each, so that distinct keys would meet (RACES R29). They are written here as WTF-8 has it: three bytes,
 * as if they were characters (https://simonsapin.github.io/wtf-8/).
 */
export class BackendKeys {
  readonly prefix: string
  readonly #prefixBytes: Buffer
  readonly #isPlain: boolean

  constructor(prefix: string) {
    this.prefix = prefix
    this.#prefixBytes = encode(prefix)
    this.#isPlain = this.#prefixBytes.length === prefix.length
  }

  /** What ioredis is given: a string where UTF-8 says it all, else bytes. */
  toBackendKey(key: string): string | Buffer {
    const whole = this.prefix + key
    return isWellFormed(whole) ? whole : encode(whole)
  }

  /** A command of nothing but keys, as Redis reads it. */
  encodeKeys(name: string, keys: readonly string[]): Buffer {
    let at = scratch.write(`*${keys.length + 1}\r\n$${name.length}\r\n${name}\r\n`, 0, 'latin1')
    for (const key of keys) at = this.#write(key, at)
    const bytes = Buffer.allocUnsafe(at)
    scratch.copy(bytes, 0, 0, at)
    return bytes
  }

  /** `SET` of a key to these bytes, for so many milliseconds or for ever, as Redis reads it. */
  encodeSet(key: string, value: Buffer, life?: number): Buffer {
    let head = this.#write(key, append(life === undefined ? set : setFor, 0))
    head = writeSize(value.length, head)
    let end = endLine(head)
    if (life !== undefined) end = writeNumber(life, append(milliseconds, end))
    const bytes = Buffer.allocUnsafe(end + value.length)
    scratch.copy(bytes, 0, 0, head)
    bytes.set(value, head)
    scratch.copy(bytes, head + value.length, head, end)
    return bytes
  }

  /** Writes one argument into `scratch` and returns where the next begins. */
  #write(key: string, at: number): number {
    const prefix = this.#prefixBytes
    const length = prefix.length + key.length
    makeRoom(at, prefix.length + key.length * 3 + argumentBytes)
    if (!this.#isPlain || length > 99 || length < 10) return this.#writeAny(key, at)
    // All keys of ASCII, as nearly all are: as many bytes as characters.
    scratch[at] = 36
    scratch[at + 1] = zero + Math.floor(length / 10)
    scratch[at + 2] = zero + (length % 10)
    scratch[at + 3] = 13
    scratch[at + 4] = 10
    let end = at + 5
    for (let index = 0; index < prefix.length; index++) scratch[end++] = prefix[index] as number
    const written = scratch.write(key, end)
    if (written !== key.length) return this.#writeAny(key, at)
    end += written
    scratch[end] = 13
    scratch[end + 1] = 10
    return end + 2
  }

  #writeAny(key: string, at: number): number {
    const backendKey = encode(this.prefix + key)
    let end = at + scratch.write(`$${backendKey.length}\r\n`, at, 'latin1')
    end += backendKey.copy(scratch, end)
    return end + scratch.write('\r\n', end, 'latin1')
  }

  /** The key of the cache, or `undefined` for a key of Redis that lacks the prefix. */
  toKey(backendKey: Buffer): string | undefined {
    const { length } = this.#prefixBytes
    if (backendKey.length < length || backendKey.compare(this.#prefixBytes, 0, length, 0, length) !== 0)
      return undefined
    return decode(backendKey.subarray(length))
  }

  /**
   * The pattern of SCAN for keys that start with `prefix`. It may match a few more, because half a surrogate pair at the end
   * of the prefix cannot be asked for: compare what comes back.
   */
  scanPattern(prefix: string): Buffer {
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

function append(bytes: Buffer, at: number): number {
  for (let index = 0; index < bytes.length; index++) scratch[at + index] = bytes[index] as number
  return at + bytes.length
}

function endLine(at: number): number {
  scratch[at] = cr
  scratch[at + 1] = lf
  return at + 2
}

/** The line before an argument of so many bytes. */
function writeSize(size: number, at: number): number {
  scratch[at] = dollar
  return endLine(writeDigits(size, at + 1))
}

/** A whole number of 0 or more as an argument. */
function writeNumber(value: number, at: number): number {
  return endLine(writeDigits(value, writeSize(digitsOf(value), at)))
}

function digitsOf(value: number): number {
  let digits = 1
  for (let rest = value; rest > 9; rest = Math.floor(rest / 10)) digits += 1
  return digits
}

function writeDigits(value: number, at: number): number {
  const end = at + digitsOf(value)
  let rest = value
  for (let place = end - 1; place >= at; place--) {
    const next = Math.floor(rest / 10)
    scratch[place] = zero + rest - next * 10
    rest = next
  }
  return end
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
