/**
 * Scans the tokens of a structured clone before V8 reads it. V8 reserves memory for the claimed length of an array (264 MB
 * for thirteen bytes), and a lack of memory ends the process instead of throwing.
 *
 * The format is a sequence of tokens, each a tag and operands of known length, so the scan does not follow the structure. V8
 * checks whether the tokens fit together. The tags are those of `ValueSerializer` of V8, for the kinds that are kept.
 */

const tag = (character: string): number => character.charCodeAt(0)

/** The form of the operands of each tag. */
const shapes = new Uint8Array(256)
const [bare, oneNumber, twoNumbers, eightBytes, counted] = [1, 2, 3, 4, 5]

function describe(shape: number, tags: readonly string[]): void {
  for (const character of tags) shapes[tag(character)] = shape
}

// Padding, undefined, null, true, false, hole, and the beginnings of objects, Maps and Sets.
describe(bare, ['\0', '_', '0', 'T', 'F', '-', 'o', ';', "'"])
// A varint: small numbers, references, and the ends of objects, Maps and Sets.
describe(oneNumber, ['I', 'U', '^', '{', ':', ','])
// The ends of arrays: the number of members, and the length again.
describe(twoNumbers, ['@', '$'])
describe(eightBytes, ['N', 'D'])
// A length in bytes and the bytes: three kinds of strings, and ArrayBuffer.
describe(counted, ['"', 'c', 'S', 'B'])
const strings = new Set(['"', 'c', 'S'].map(tag))
const [sparseArray, denseArray, bigint, regexp, hostObject] = ['a', 'A', 'Z', 'R', '\\'].map(tag)

/** Bytes of an element by the number that Node gives to Int8Array, Uint8Array, Uint8ClampedArray, Int16Array … Buffer (`arrayBufferViewIndexToType` in its v8.js). */
const viewElementBytes: readonly number[] = [1, 1, 1, 2, 2, 4, 4, 4, 8, 1, 1, 8, 8, 2]

/** The sum of the lengths of all arrays with holes may be this many times the length of the bytes, plus `freeHoles`. */
const holesPerByte = 4
const freeHoles = 1024

/** Bytes on the heap of V8 with 64 bits, rounded up. */
const smallValue = 24
const structure = 64
/** A Map, Set, view, ArrayBuffer or RegExp. */
const largeValue = 256
/** The largest memory that one byte can describe. */
export const mostV8Memory: number = largeValue
const memoryOf = new Uint16Array(256).fill(smallValue)
for (const character of ['o', 'a', 'A', 'D']) memoryOf[tag(character)] = structure
for (const character of [';', "'", 'B', 'R', '\\']) memoryOf[tag(character)] = largeValue

/**
 * Throws a `RangeError` for unknown and truncated tokens, for arrays that claim more elements than the bytes can contain, and
 * for typed arrays that end within an element. Returns an estimate of the memory of the decoded value.
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
    // Byte 1 is the version; V8 refuses unknown ones.
    this.#cursor = 2
    while (this.#cursor < this.#bytes.length) this.#token()
    // The value contains every byte of a text or a view again, and a slot for each hole.
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
        // Each element of any array takes at least one byte.
        if (this.#dense > this.#bytes.length) throw new RangeError('an array that is longer than its bytes')
        break
      case sparseArray:
        this.#sparse += this.#number()
        if (this.#sparse > this.#bytes.length * holesPerByte + freeHoles) {
          throw new RangeError('an array that is mostly holes')
        }
        break
      case bigint:
        // The lowest bit is the sign, the others are the length in bytes.
        this.#skip(this.#number() >>> 1)
        break
      case regexp:
        if (!strings.has(this.#bytes[this.#cursor++] as number)) throw new RangeError('a RegExp without a source')
        this.#skip(this.#number())
        this.#number()
        break
      case hostObject:
        // An object of Node: the number of the typed array, the length in bytes, the bytes.
        this.#view(this.#number(), this.#number())
        break
      default:
        throw new RangeError(`structured clone with the token ${token}`)
    }
  }

  /** Node would drop bytes beyond the last whole element, or read them as a further element. */
  #view(kind: number, length: number): void {
    const elementBytes = viewElementBytes[kind]
    if (elementBytes === undefined || length % elementBytes !== 0) throw new RangeError('a view that is not whole')
    this.#skip(length)
  }

  #skip(length: number): void {
    this.#cursor += length
    if (this.#cursor > this.#bytes.length) throw new RangeError('structured clone is truncated')
  }

  /** Seven bits per byte, low bits first. Bits beyond 32 are dropped, as by V8. */
  #number(): number {
    let value = 0
    let shift = 0
    for (;;) {
      const byte = this.#bytes[this.#cursor++]
      if (byte === undefined) throw new RangeError('structured clone is truncated')
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
      shift += 7
    }
  }
}
