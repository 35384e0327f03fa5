/**
 * Reads the tokens of V8's structured clone before V8 does. V8 reserves memory for an array of the length that the bytes
 * claim (thirteen bytes for 264 MB), and running out of memory ends the process instead of throwing.
 *
 * The format is a row of tokens, each a tag and operands of known length, so that no structure has to be followed: whether
 * the tokens make sense together is left to V8. Tags after `ValueSerializer` of V8; only those of values that are kept.
 */

const tag = (character: string): number => character.charCodeAt(0)

/** Tags without operands: padding, undefined, null, true, false, hole, and what begins an object, a Map or a Set. */
const bare = new Set(['\0', '_', '0', 'T', 'F', '-', 'o', ';', "'"].map(tag))
/** Tags followed by a varint: small numbers, references, and the ends of objects, Maps and Sets. */
const oneNumber = new Set(['I', 'U', '^', '{', ':', ','].map(tag))
/** The ends of arrays: how many members, and the length once more. */
const twoNumbers = new Set(['@', '$'].map(tag))
const eightBytes = new Set(['N', 'D'].map(tag))
/** Tags followed by a length in bytes and the bytes: three kinds of strings, and ArrayBuffer. */
const counted = new Set(['"', 'c', 'S', 'B'].map(tag))
const strings = new Set(['"', 'c', 'S'].map(tag))
const [sparseArray, denseArray, bigint, regexp, hostObject] = ['a', 'A', 'Z', 'R', '\\'].map(tag)

/** All arrays with holes together may be this many times as long as the bytes, and a little more. */
const holesPerByte = 4
const freeHoles = 1024

/** Throws a `RangeError` for tokens that are unknown or cut, and for arrays that claim to be longer than the bytes bear out. */
export function scanV8(bytes: Uint8Array): void {
  new Scan(bytes).run()
}

class Scan {
  readonly #bytes: Uint8Array
  #cursor = 0
  #dense = 0
  #sparse = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  run(): void {
    if (this.#bytes[0] !== 0xff) throw new RangeError('structured clone without its header')
    // The version; V8 refuses those that it does not know.
    this.#cursor = 2
    while (this.#cursor < this.#bytes.length) this.#token()
  }

  #token(): void {
    const token = this.#bytes[this.#cursor++] as number
    if (bare.has(token)) return
    if (oneNumber.has(token)) this.#number()
    else if (counted.has(token)) this.#skip(this.#number())
    else if (twoNumbers.has(token)) {
      this.#number()
      this.#number()
    } else if (eightBytes.has(token)) this.#skip(8)
    else this.#rareToken(token)
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
        this.#number()
        this.#skip(this.#number())
        break
      default:
        throw new RangeError(`structured clone with the token ${token}`)
    }
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
