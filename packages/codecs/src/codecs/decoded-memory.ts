import type { Codec } from '@cache/core/backend'
import { asBuffer } from '../format/as-buffer.ts'
import { messagePackMemory, mostMessagePackMemory } from '../messagepack/message-pack-memory.ts'
import { JsonCodec } from './json-codec.ts'
import { lossyJsonCodec } from './lossy-json-codec.ts'
import { MessagePackCodec } from './msgpack-codec.ts'
import { V8Codec } from './v8-codec.ts'
import { mostV8Memory, scanV8 } from './v8-scan.ts'

/** A value may take this many times `maxDecodedBytes`, and at least `leastLimit`. */
const memoryPerByte = 8
const leastLimit = 64 * 1024 * 1024

interface Estimate {
  /** The largest memory that one byte can describe. Payloads that are too short to reach the limit are not scanned. */
  readonly perByte: number
  /** A high estimate of the whole. It may stop when the rest cannot reach `most`. */
  readonly memory: (bytes: Buffer, most: number) => number
}

/** The memory that a byte of JSON can describe. Brackets within texts count too. */
const weights: Uint8Array = new Uint8Array(256).fill(1)
const mostJsonMemory = 64
weights['['.charCodeAt(0)] = mostJsonMemory
weights['{'.charCodeAt(0)] = mostJsonMemory
weights[','.charCodeAt(0)] = 24
weights[':'.charCodeAt(0)] = 24
weights['"'.charCodeAt(0)] = 12

/** Bytes between two checks whether the limit can still be reached. */
const checkInterval = 64 * 1024

function jsonMemory(bytes: Buffer, most: number): number {
  const end = bytes.length
  let memory = 0
  for (let at = 0; at < end && memory + (end - at) * mostJsonMemory > most; ) {
    for (const stop = Math.min(end, at + checkInterval); at < stop; at += 1)
      memory += weights[bytes[at] as number] as number
  }
  return memory
}

/** V8 with marks begins with a byte of its own. */
function v8Memory(bytes: Buffer): number {
  return scanV8(bytes[0] === 0xff ? bytes : bytes.subarray(1))
}

/** The estimate for a codec of this package, with whichever types. The memory of values of types is that of their data. */
function estimateFor(codec: Codec): Estimate | undefined {
  if (codec instanceof MessagePackCodec) return { perByte: mostMessagePackMemory, memory: messagePackMemory }
  if (codec instanceof JsonCodec || codec === lossyJsonCodec) return { perByte: mostJsonMemory, memory: jsonMemory }
  return codec instanceof V8Codec ? { perByte: mostV8Memory, memory: v8Memory } : undefined
}

/**
 * Bounds the memory of decoded values. One byte can become an object of 60 bytes or a Map of 200, and a full heap ends the
 * process instead of throwing.
 */
export class DecodedMemory {
  /** Payloads up to this many bytes cannot reach the limit. */
  readonly #harmless: number
  readonly #most: number
  readonly #estimate: Estimate | undefined

  /** Codecs of the application are not checked. */
  constructor(codec: Codec, maxDecodedBytes: number) {
    this.#estimate = estimateFor(codec)
    this.#most = Math.max(leastLimit, maxDecodedBytes * memoryPerByte)
    this.#harmless =
      this.#estimate === undefined ? Number.POSITIVE_INFINITY : Math.floor(this.#most / this.#estimate.perByte)
  }

  /** Throws a `RangeError` if the value of the payload from `start` to `end` takes too much memory. */
  check(bytes: Uint8Array, start: number, end: number): void {
    if (end - start <= this.#harmless || this.#estimate === undefined) return
    if (this.#estimate.memory(asBuffer(bytes).subarray(start, end), this.#most) > this.#most) {
      throw new RangeError(
        `its value takes more than ${this.#most} bytes of memory, the limit that maxDecodedBytes sets`,
      )
    }
  }
}
