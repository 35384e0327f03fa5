import { checkItem, type Item } from '@cache/core/backend'
import { type BackendParts, callBackend } from '../backend-parts.ts'
import type { FileBackend } from '../file-backend.ts'
import type { ByteSource } from '../values/byte-source.ts'
import { encodedItem, newRow } from '../values/encoded-item.ts'
import { writeChunks } from '../values/value-stream.ts'

/** An item without its value, which a stream provides. */
export type StreamedItem = Omit<Item, 'value'>

/**
 * Stores a value that `source` provides; resolves to its length in bytes. When the source fails, the call rejects and
 * the earlier item stays. `get` returns such a value as a `Buffer`, up to `maxDecodedBytes`.
 */
export function setStream(backend: FileBackend, item: StreamedItem, source: ByteSource): Promise<number> {
  try {
    checkItem(item, 'setStream')
  } catch (error) {
    return Promise.reject(error)
  }
  return callBackend(backend, 'setStream', item.key, (parts) =>
    parts.items.inOrder(item.key, () => write(parts, item, source)),
  )
}

async function write({ directory, items }: BackendParts, item: StreamedItem, source: ByteSource): Promise<number> {
  const { values, queue } = directory
  const { format } = directory.settings
  await directory.prepare()
  let bytes = 0
  const file = await values.create(async (handle) => {
    bytes = await writeChunks(format, { ...item, value: 0 }, source, handle)
  })
  // The row holds the item with the length in place of the value.
  const rowItem = { ...item, value: bytes }
  const encoded = encodedItem(rowItem, format.encode(rowItem))
  await items.withFile(file, () =>
    queue.write('setStream', item.key, (index, now) => {
      const row = newRow(encoded, now, undefined)
      items.writer.putRow(index, { ...row, bytes: row.bytes + bytes, file, streamed: true }, now)
    }),
  )
  return bytes
}
