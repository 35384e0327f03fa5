import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { isUint8Array } from 'node:util/types'
import { CacheError, cacheErrorCode, checkKey } from '@cache/core/backend'
import { type BackendParts, callBackend } from '../backend-parts.ts'
import { concernsOneFile, damaged } from '../errors.ts'
import type { FileBackend } from '../file-backend.ts'
import { keyText } from '../index/key-text.ts'
import { isExpired } from '../values/encoded-item.ts'
import { readChunks } from '../values/value-stream.ts'

/**
 * The value as a stream of bytes; `undefined` when the key is absent or expired. Bytes and text that `set` stored are
 * streams too; other values reject with `UNSUPPORTED`. Damage destroys the stream with `DAMAGED`.
 */
export function getStream(backend: FileBackend, key: string): Promise<Readable | undefined> {
  return callBackend(backend, 'getStream', key, async (parts) => {
    checkKey(key, 'getStream')
    return await read(parts, key)
  })
}

async function read(parts: BackendParts, key: string): Promise<Readable | undefined> {
  const { directory, items } = parts
  const row = await directory.queue.read('getStream', key, (index, now) => {
    const found = index.get(keyText(key))
    return found === undefined || isExpired(found, now) ? undefined : found
  })
  if (row === undefined) return undefined
  if (row.streamed === 0 || row.file === null) return streamOfWhole(parts, key)
  const item = items.reader.inline(key, row)
  if (item === undefined) return undefined
  let file: FileHandle | undefined
  try {
    file = await directory.values.open(row.file)
  } catch (error) {
    if (cacheErrorCode(error) !== 'DAMAGED' && !concernsOneFile(error)) throw error
    items.reader.report(damaged(key, 'its value file cannot be read', error))
    return undefined
  }
  if (file === undefined) return readAgain(parts, key, row.file)
  directory.noteRead(row.id, directory.now())
  return closingStream(readChunks(directory.settings.format, item, file), file)
}

/** Either the value was replaced after the read of its row, or its file is lost. */
async function readAgain(parts: BackendParts, key: string, file: string): Promise<Readable | undefined> {
  const row = await parts.directory.queue.read('getStream', key, (index) => index.get(keyText(key)))
  if (row === undefined) return undefined
  if (row.file !== file) return read(parts, key)
  parts.items.reader.report(damaged(key, 'its value file is gone'))
  return undefined
}

async function streamOfWhole({ items }: BackendParts, key: string): Promise<Readable | undefined> {
  const item = await items.get(key)
  if (item === undefined || item.value === undefined) return undefined
  const { value } = item
  if (typeof value !== 'string' && !isUint8Array(value)) {
    const message = 'getStream: the value is neither bytes nor text; read it with get'
    throw new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'getStream', key })
  }
  return Readable.from([typeof value === 'string' ? Buffer.from(value) : value], { objectMode: false })
}

/** The chunks as a stream that closes the file when it ends, fails or is destroyed. */
function closingStream(chunks: AsyncGenerator<Buffer>, file: FileHandle): Readable {
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= file.close()
    return closed
  }
  const closing = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* chunks
    } finally {
      await close()
    }
  }
  const stream = Readable.from(closing(), { objectMode: false })
  // The `finally` of a generator never runs when no reader has started it.
  return stream.once('close', () => close().catch(() => undefined))
}
