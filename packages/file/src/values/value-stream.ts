import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { CacheError, type Item } from '@cache/core/backend'
import type { Store } from '../directory/directory-handle.ts'
import { damaged } from '../errors.ts'
import { writeAll } from './value-files.ts'

/** Bytes of a chunk: enough to keep the disk busy, little enough to encode in a fraction of a millisecond. */
const chunkBytes = 256 * 1024
const headerBytes = 8
/** No chunk is longer, whatever its encoding adds; a longer length is damage and must not be allocated. */
const longestChunk = 2 * chunkBytes

/** What a stream is made of: a Node or web stream of bytes, a file handle's, or any generator. */
export type ByteSource = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>

/**
 * Writes the chunks of a streamed value to an open file; resolves to how many bytes they hold.
 *
 * Each chunk is an item of its own in the store's format, so that compression and encryption apply, preceded by its length
 * and checksum. Its version names its place, and the last one tells the length: chunks that are missing, doubled or
 * exchanged are found out.
 */
export async function writeChunks(store: Store, item: Item, source: ByteSource, file: FileHandle): Promise<number> {
  let place = 0
  let total = 0
  const write = async (value: unknown): Promise<void> => {
    const frame = store.settings.format.encode({ key: item.key, value, version: versionAt(item, place), createdAt: 0 })
    const header = Buffer.alloc(headerBytes)
    header.writeUInt32LE(frame.length, 0)
    header.writeUInt32LE(crc32(frame), 4)
    await writeAll(file, Buffer.concat([header, frame]))
    place += 1
  }
  for await (const bytes of chunksOf(source)) {
    total += bytes.length
    await write(bytes)
  }
  await write(total)
  return total
}

/** The bytes of a streamed value, chunk by chunk. Throws `DAMAGED` where they are not what was written. */
export async function* readChunks(store: Store, item: Item, file: FileHandle): AsyncGenerator<Buffer> {
  let offset = 0
  let total = 0
  const header = Buffer.alloc(headerBytes)
  for (let place = 0; ; place++) {
    await readWhole(item.key, file, header, offset)
    const length = header.readUInt32LE(0)
    if (length > longestChunk) throw damaged(item.key, 'a chunk has an impossible length')
    const frame = Buffer.allocUnsafe(length)
    await readWhole(item.key, file, frame, offset + headerBytes)
    offset += headerBytes + length
    if (crc32(frame) !== header.readUInt32LE(4)) throw damaged(item.key, 'the checksum of a chunk differs')
    const { value, version } = store.settings.format.decode(item.key, frame)
    if (version !== versionAt(item, place)) throw damaged(item.key, 'a chunk is not in its place')
    if (value === total) return
    if (!(value instanceof Uint8Array)) throw damaged(item.key, 'a chunk holds something other than bytes')
    total += value.length
    yield Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.length)
  }
}

/** The streamed value as one buffer; `undefined` when its file is gone. Reports and throws `UNSUPPORTED` when it is too long for that. */
export async function readStreamedValue(store: Store, item: Item, name: string): Promise<Buffer | undefined> {
  const file = await store.values.open(name)
  if (file === undefined) return undefined
  try {
    const chunks: Buffer[] = []
    let total = 0
    const most = store.settings.format.maxDecodedBytes
    for await (const chunk of readChunks(store, item, file)) {
      total += chunk.length
      if (total > most) throw tooLong(item.key, most)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks, total)
  } finally {
    await file.close()
  }
}

/** Reads the streamed value to its end and keeps nothing. Throws `DAMAGED`; resolves to `false` when its file is gone. */
export async function checkStreamedValue(store: Store, item: Item, name: string): Promise<boolean> {
  const file = await store.values.open(name)
  if (file === undefined) return false
  try {
    for await (const _chunk of readChunks(store, item, file));
    return true
  } finally {
    await file.close()
  }
}

function tooLong(key: string, most: number): CacheError {
  const message = `The streamed value is longer than maxDecodedBytes (${most}); read it with getStream`
  return new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'get', key })
}

function versionAt(item: Item, place: number): string {
  return `${item.version}#${place}`
}

async function readWhole(key: string, file: FileHandle, into: Buffer, position: number): Promise<void> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) throw damaged(key, 'its value file ends too early')
    done += bytesRead
  }
}

/** The source in chunks of equal size, so that many small writes become few large ones. */
async function* chunksOf(source: ByteSource): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = []
  let length = 0
  for await (const given of source) {
    let rest =
      typeof given === 'string' ? Buffer.from(given) : Buffer.from(given.buffer, given.byteOffset, given.length)
    while (length + rest.length >= chunkBytes) {
      const room = chunkBytes - length
      yield Buffer.concat([...waiting, rest.subarray(0, room)], chunkBytes)
      rest = rest.subarray(room)
      waiting = []
      length = 0
    }
    // Copied: the source may use its buffer again.
    if (rest.length > 0) waiting.push(Buffer.from(rest))
    length += rest.length
  }
  if (length > 0) yield Buffer.concat(waiting, length)
}
