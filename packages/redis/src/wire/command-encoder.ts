import { encodeWtf8 } from './wtf8.ts'

const zero = 48
const dollar = 36
const cr = 13
const lf = 10
const setHead = Buffer.from('*3\r\n$3\r\nset\r\n')
const setWithLifetimeHead = Buffer.from('*5\r\n$3\r\nset\r\n')
const pxArgument = Buffer.from('$2\r\nPX\r\n')
/**
 * The most bytes that a command writes after the text of a key: the length of the key, the length of a value, and a
 * lifetime, each with its line ends.
 */
const framingBytes = 64

/** Commands are put together here and copied once their length is known. */
let scratch = Buffer.allocUnsafeSlow(64 * 1024)

function makeRoom(at: number, bytes: number): void {
  if (at + bytes <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow((at + bytes) * 2)
  scratch.copy(larger, 0, 0, at)
  scratch = larger
}

/** Writes the most frequent commands as bytes of the Redis protocol, straight from keys of the cache. */
export class CommandEncoder {
  readonly #prefix: string
  readonly #prefixBytes: Buffer
  readonly #isAsciiPrefix: boolean

  constructor(prefix: string) {
    this.#prefix = prefix
    this.#prefixBytes = encodeWtf8(prefix)
    this.#isAsciiPrefix = this.#prefixBytes.length === prefix.length
  }

  /** A command whose arguments are keys, such as `MGET`. */
  encodeKeys(name: string, keys: readonly string[]): Buffer {
    let at = scratch.write(`*${keys.length + 1}\r\n$${name.length}\r\n${name}\r\n`, 0, 'latin1')
    for (const key of keys) at = this.#writeKey(key, at)
    const bytes = Buffer.allocUnsafe(at)
    scratch.copy(bytes, 0, 0, at)
    return bytes
  }

  /** `SET` of a key to these bytes, with a lifetime in milliseconds or without end. */
  encodeSet(key: string, value: Buffer, lifetime?: number): Buffer {
    let head = this.#writeKey(key, append(lifetime === undefined ? setHead : setWithLifetimeHead, 0))
    head = writeSize(value.length, head)
    let end = endLine(head)
    if (lifetime !== undefined) end = writeNumber(lifetime, append(pxArgument, end))
    const bytes = Buffer.allocUnsafe(end + value.length)
    scratch.copy(bytes, 0, 0, head)
    bytes.set(value, head)
    scratch.copy(bytes, head + value.length, head, end)
    return bytes
  }

  /** Writes a key as an argument into `scratch` and returns where the next argument begins. */
  #writeKey(key: string, at: number): number {
    const prefix = this.#prefixBytes
    const length = prefix.length + key.length
    makeRoom(at, prefix.length + key.length * 3 + framingBytes)
    if (!this.#isAsciiPrefix || length > 99 || length < 10) return this.#writeAnyKey(key, at)
    // Nearly all keys are short and ASCII: as many bytes as characters, and a length of two digits.
    scratch[at] = dollar
    scratch[at + 1] = zero + Math.floor(length / 10)
    scratch[at + 2] = zero + (length % 10)
    scratch[at + 3] = cr
    scratch[at + 4] = lf
    let end = at + 5
    for (let index = 0; index < prefix.length; index++) scratch[end++] = prefix[index] as number
    const written = scratch.write(key, end)
    if (written !== key.length) return this.#writeAnyKey(key, at)
    end += written
    scratch[end] = cr
    scratch[end + 1] = lf
    return end + 2
  }

  #writeAnyKey(key: string, at: number): number {
    const bytes = encodeWtf8(this.#prefix + key)
    let end = at + scratch.write(`$${bytes.length}\r\n`, at, 'latin1')
    end += bytes.copy(scratch, end)
    return end + scratch.write('\r\n', end, 'latin1')
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

/** Writes the line before an argument of this many bytes. */
function writeSize(size: number, at: number): number {
  scratch[at] = dollar
  return endLine(writeDigits(size, at + 1))
}

/** Writes a whole number of 0 or more as an argument. */
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
    scratch[place] = zero + (rest - next * 10)
    rest = next
  }
  return end
}
