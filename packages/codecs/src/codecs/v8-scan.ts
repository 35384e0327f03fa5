/**
 * Reads the tokens of V8's structured clone before V8 does. V8 reserves memory for an array of the length that the bytes
 * claim (thirteen bytes for 264 MB), and running out of memory ends the process instead of throwing.
 *
 * The format is a row of tokens, each a tag and operands of known length, so that no structure has to be followed: whether
 * the tokens make sense together is left to V8. Tags after `ValueSerializer` of V8; only those of values that are kept.
 */

const tag = (character: string): number => character.charCodeAt(0)

/** How the operands of a tag are read. */
const shapes = new Uint8Array(256)
const [bare, oneNumber, twoNumbers, eightBytes, counted] = [1, 2, 3, 4, 5]

function describe(shape: number, tags: readonly string[]): void {
  for (const character of tags) shapes[tag(character)] = shape
}

// Padding, undefined, null, true, false, hole, and what begins an object, a Map or a Set.
describe(bare, ['\0', '_', '0', 'T', 'F', '-', 'o', ';', "'"])
// A varint: small numbers, references, and the ends of objects, Maps and Sets.
describe(oneNumber, ['I', 'U', '^', '{', ':', ','])
// The ends of arrays: how many members, and the length once more.
describe(twoNumbers, ['@', '$'])
describe(eightBytes, ['N', 'D'])
// A length in bytes and the bytes: three kinds of strings, and ArrayBuffer.
describe(counted, ['"', 'c', 'S', 'B'])
const strings = new Set(['"', 'c', 'S'].map(tag))
const [sparseArray, denseArray, bigint, regexp, hostObject] = ['a', 'A', 'Z', 'R', '\\'].map(tag)

/** Bytes of an element of what Node numbers as Int8Array, Uint8Array, Uint8ClampedArray, Int16Array … Buffer (`arrayBufferViewIndexToType` in its v8.js). */
const viewElementBytes: readonly number[] = [1, 1, 1, 2, 2, 4, 4, 4, 8, 1, 1, 8, 8, 2]

/** All arrays with holes together may be this many times as long as the bytes, and a little more. */
const holesPerByte = 4
const freeHoles = 1024

/** Bytes on V8's heap on 64 bits, rounded up. */
const smallValue = 24
const structure = 64
/** A Map, Set, view, ArrayBuffer or RegExp. */
const largeValue = 256
/** The most that a byte can stand for. */
export const mostV8Memory: number = largeValue
const memoryOf = new Uint16Array(256).fill(smallValue)
for (const character of ['o', 'a', 'A', 'D']) memoryOf[tag(character)] = structure
for (const character of [';', "'", 'B', 'R', '\\']) memoryOf[tag(character)] = largeValue

/**
 * Throws a `RangeError` for tokens that are unknown or cut, for arrays that claim to be longer than the bytes bear out, and
 * for typed arrays that end within an element. Returns an estimate of the memory that the value takes when it is read.
 */
export function scanV8(bytes: Uint8Array): number {
  return new Scan(bytes).run()
}

class Scan {
  readonly #bytes: Uint8Array
  #cursor = 0
  #dense = 0
  #sparse = 0
  #memory = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  run(): number {
    if (this.#bytes[0] !== 0xff) throw new RangeError('structured clone without its header')
    // The version; V8 refuses those that it does not know.
    this.#cursor = 2
    while (this.#cursor < this.#bytes.length) this.#token()
    // Every byte of a text or of an array of bytes is there once more in its value, and every hole takes a slot.
    return this.#memory + this.#bytes.length + this.#sparse * 8
  }

  #token(): void {
    const token = this.#bytes[this.#cursor++] as number
    this.#memory += memoryOf[token] as number
    switch (shapes[token]) {
      case bare:
        break
      case oneNumber:
        this.#number()
        break
      case twoNumbers:
        this.#number()
        this.#number()
        break
      case eightBytes:
        this.#skip(8)
        break
      case counted:
        this.#skip(this.#number())
        break
      default:
        this.#rareToken(token)
    }
  }

  #rareToken(token: number): void {
    switch (token) {
      case denseArray:
        this.#dense += this.#number()
        // Each element takes a byte at least, in whatever array it lies.
        if (this.#dense > this.#bytes.length) throw new RangeError('an array that is longer than its bytes')
        break
      case sparseArray:
        this.#sparse += this.#number()
        if (this.#sparse > this.#bytes.length * holesPerByte + freeHoles) {
          throw new RangeError('an array that is mostly holes')
        }
        break
      case bigint:
        // A sign in the lowest bit, then the length in bytes.
        this.#skip(this.#number() >>> 1)
        break
      case regexp:
        if (!strings.has(this.#bytes[this.#cursor++] as number)) throw new RangeError('a RegExp without a source')
        this.#skip(this.#number())
        this.#number()
        break
      case hostObject:
        // Node's own: which typed array, the length in bytes, the bytes.
        this.#view(this.#number(), this.#number())
        break
      default:
        throw new RangeError(`structured clone with the token ${token}`)
    }
  }

  /** Node would leave out bytes beyond the last whole element, or read them as an element that was not there. */
  #view(kind: number, length: number): void {
    const elementBytes = viewElementBytes[kind]
    if (elementBytes === undefined || length % elementBytes !== 0) throw new RangeError('a view that is not whole')
    this.#skip(length)
  }

  #skip(length: number): void {
    this.#cursor += length
    if (this.#cursor > this.#bytes.length) throw new RangeError('structured clone ends too early')
  }

  /** Seven bits a byte, low bits first. Those beyond 32 bits are dropped, as V8 does. */
  #number(): number {
    let value = 0
    let shift = 0
    for (;;) {
      const byte = this.#bytes[this.#cursor++]
      if (byte === undefined) throw new RangeError('structured clone ends too early')
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
      shift += 7
    }
  }
}
