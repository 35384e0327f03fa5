import type { FileHandle } from 'node:fs/promises'
import { isUint8Array } from 'node:util/types'
import { crc32 } from 'node:zlib'
import type { ItemFormat } from '@cache/codecs'
import { CacheError, type Item } from '@cache/core/backend'
import { writeAll } from '../disk/file-io.ts'
import { withFileSlot } from '../disk/file-slots.ts'
import { damaged } from '../errors.ts'
import type { ByteSource } from './byte-source.ts'
import type { ValueFiles } from './value-files.ts'

/** Bytes of a chunk: large enough for the disk's throughput, small enough to encode in a fraction of a millisecond. */
const chunkBytes = 256 * 1024
const headerBytes = 8
/** A chunk is never longer, with all that its encoding adds. A longer length is damage and must not be allocated. */
const maxChunkBytes = 2 * chunkBytes

/**
 * Writes the chunks of a streamed value to an open file; resolves to the number of bytes of the value.
 *
 * Each chunk is an item in the store's format, so that compression and encryption apply. Its length and checksum
 * precede it. Its version names its position, and the last chunk has the total length, so missing and exchanged chunks
 * are detected.
 */
export async function writeChunks(
  format: ItemFormat,
  item: Item,
  source: ByteSource,
  file: FileHandle,
): Promise<number> {
  let position = 0
  let total = 0
  const write = async (value: unknown): Promise<void> => {
    const frame = format.encode({ key: item.key, value, version: versionAt(item, position), createdAt: 0 })
    const header = Buffer.alloc(headerBytes)
    header.writeUInt32LE(frame.length, 0)
    header.writeUInt32LE(crc32(frame), 4)
    await writeAll(file, Buffer.concat([header, frame]))
    position += 1
  }
  for await (const bytes of chunksOf(source)) {
    total += bytes.length
    await write(bytes)
  }
  await write(total)
  return total
}

/** The bytes of a streamed value, chunk by chunk. Throws `DAMAGED` when they differ from the written ones. */
export async function* readChunks(format: ItemFormat, item: Item, file: FileHandle): AsyncGenerator<Buffer> {
  let offset = 0
  let total = 0
  const header = Buffer.alloc(headerBytes)
  for (let position = 0; ; position += 1) {
    await readWhole(item.key, file, header, offset)
    const length = header.readUInt32LE(0)
    if (length > maxChunkBytes) throw damaged(item.key, 'a chunk has an impossible length')
    const frame = Buffer.allocUnsafe(length)
    await readWhole(item.key, file, frame, offset + headerBytes)
    offset += headerBytes + length
    if (crc32(frame) !== header.readUInt32LE(4)) throw damaged(item.key, 'the checksum of a chunk differs')
    const { value, version } = format.decode(item.key, frame)
    if (version !== versionAt(item, position)) throw damaged(item.key, 'a chunk is not in its place')
    if (value === total) return
    if (!isUint8Array(value)) throw damaged(item.key, 'a chunk holds something other than bytes')
    total += value.length
    yield Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.length)
  }
}

/**
 * The streamed value as one buffer, or `undefined` when its file is gone. Throws `UNSUPPORTED` above `maxDecodedBytes`.
 */
export function readStreamedValue(
  format: ItemFormat,
  values: ValueFiles,
  item: Item,
  name: string,
): Promise<Buffer | undefined> {
  return withFileSlot(() => readChunksAtOnce(format, values, item, name))
}

async function readChunksAtOnce(
  format: ItemFormat,
  values: ValueFiles,
  item: Item,
  name: string,
): Promise<Buffer | undefined> {
  const file = await values.open(name)
  if (file === undefined) return undefined
  try {
    const chunks: Buffer[] = []
    let total = 0
    const most = format.maxDecodedBytes
    for await (const chunk of readChunks(format, item, file)) {
      total += chunk.length
      if (total > most) throw tooLong(item.key, most)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks, total)
  } finally {
    await file.close()
  }
}

/**
 * Reads the streamed value to its end without keeping it. Resolves to `true`, or to `undefined` when its file is gone.
 * Throws `DAMAGED`.
 */
export async function checkStreamedValue(
  format: ItemFormat,
  values: ValueFiles,
  item: Item,
  name: string,
): Promise<true | undefined> {
  const file = await values.open(name)
  if (file === undefined) return undefined
  try {
    for await (const _chunk of readChunks(format, item, file));
    return true
  } finally {
    await file.close()
  }
}

function tooLong(key: string, most: number): CacheError {
  const message = `get: the streamed value is longer than maxDecodedBytes (${most}); read it with getStream`
  return new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'get', key })
}

function versionAt(item: Item, position: number): string {
  return `${item.version}#${position}`
}

async function readWhole(key: string, file: FileHandle, into: Buffer, position: number): Promise<void> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) throw damaged(key, 'its value file ends too early')
    done += bytesRead
  }
}

/** The source in chunks of equal size: many small writes become few large ones. */
async function* chunksOf(source: ByteSource): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = []
  let length = 0
  for await (const given of source) {
    let rest =
      typeof given === 'string' ? Buffer.from(given) : Buffer.from(given.buffer, given.byteOffset, given.length)
    while (length + rest.length >= chunkBytes) {
      const missing = chunkBytes - length
      yield Buffer.concat([...waiting, rest.subarray(0, missing)], chunkBytes)
      rest = rest.subarray(missing)
      waiting = []
      length = 0
    }
    // A copy, because the source may use its buffer again.
    if (rest.length > 0) waiting.push(Buffer.from(rest))
    length += rest.length
  }
  if (length > 0) yield Buffer.concat(waiting, length)
}
