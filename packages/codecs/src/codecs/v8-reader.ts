import { Deserializer } from 'node:v8'

/** The classes by the number that `serialize` of Node gives them (`arrayBufferViewTypeToIndex` in its v8.js). 10 is `Buffer`. */
const classes: readonly ((bytes: ArrayBuffer) => object)[] = [
  (bytes) => new Int8Array(bytes),
  (bytes) => new Uint8Array(bytes),
  (bytes) => new Uint8ClampedArray(bytes),
  (bytes) => new Int16Array(bytes),
  (bytes) => new Uint16Array(bytes),
  (bytes) => new Int32Array(bytes),
  (bytes) => new Uint32Array(bytes),
  (bytes) => new Float32Array(bytes),
  (bytes) => new Float64Array(bytes),
  (bytes) => new DataView(bytes),
  (bytes) => Buffer.from(bytes),
  (bytes) => new BigInt64Array(bytes),
  (bytes) => new BigUint64Array(bytes),
]

/**
 * Reads what `serialize` of `node:v8` wrote. `deserialize` would create typed arrays on the memory of the bytes, or on the pool
 * that all small buffers of the process share.
 */
class V8Reader extends Deserializer {
  /** V8 calls it for each view. */
  _readHostObject(): object {
    const create = classes[this.readUint32()]
    if (create === undefined) throw new RangeError('a view of an unknown class')
    const bytes = this.readRawBytes(this.readUint32())
    const copy = new Uint8Array(bytes.length)
    copy.set(bytes)
    return create(copy.buffer)
  }
}

/** The value of the bytes. It shares no memory with them. */
export function readV8(bytes: Uint8Array): unknown {
  const reader = new V8Reader(bytes)
  reader.readHeader()
  return reader.readValue()
}
