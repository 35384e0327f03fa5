import { isDeepStrictEqual } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { CacheError, type Item } from '../../src/backend-kit/index.ts'

/** Format version, length, structured clone. */
export function encodeItem(item: Item, operation: string): Uint8Array {
  let payload: Buffer
  try {
    payload = serialize(item)
    // Structured cloning makes plain objects of instances, and drops members named by symbols.
    const isPlain = typeof item.value !== 'object' || item.value === null
    if (!isPlain && !isDeepStrictEqual(deserialize(payload), item)) throw new Error('the copy is not equal')
  } catch (cause) {
    const message = `${operation}: the value of '${item.key}' cannot be stored`
    throw new CacheError('NOT_STORABLE', message, { operation, backend: 'bytes', key: item.key, cause })
  }
  const bytes = Buffer.alloc(5 + payload.length)
  bytes[0] = 1
  bytes.writeUInt32BE(payload.length, 1)
  payload.copy(bytes, 5)
  return bytes
}

/** The item, or the error `DAMAGED`. */
export function decodeItem(key: string, bytes: Uint8Array): Item | CacheError {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.length < 5 || view[0] !== 1 || view.readUInt32BE(1) !== view.length - 5) {
    return new CacheError('DAMAGED', `the stored bytes of '${key}' cannot be read`, { key, backend: 'bytes' })
  }
  // From a copy, because bytes in a value are views of the buffer that is read.
  return deserialize(Buffer.from(view.subarray(5))) as Item
}
