import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { CacheError, type Item } from '@cache/core/backend'
import type { Store } from '../directory/directory-handle.ts'
import { damaged } from '../errors.ts'
import { keyText } from '../index/key-text.ts'
import type { Items } from '../items.ts'
import { isExpired, newRow, storedItem } from '../values/encoded-item.ts'
import { type ByteSource, readChunks, writeChunks } from '../values/value-stream.ts'

/** What `setStream` stores: an item whose value comes from elsewhere. */
export type StreamedItem = Omit<Item, 'value'>

/** Values that are written and read piece by piece and are never in memory at once. */
export class Streams {
  readonly #store: Store
  readonly #items: Items

  constructor(store: Store, items: Items) {
    this.#store = store
    this.#items = items
  }

  /** Reads the source to its end, then puts the item in place; resolves to how many bytes it was. A failing source leaves the old item. */
  set(item: StreamedItem, source: ByteSource): Promise<number> {
    const { values, queue, settings } = this.#store
    return this.#items.order.run(item.key, async () => {
      await this.#store.prepare()
      let bytes = 0
      const file = await values.create(async (handle) => {
        bytes = await writeChunks(this.#store, { ...item, value: 0 }, source, handle)
      })
      // The row holds everything of the item except its value, of which it holds the length.
      const whole = { ...item, value: bytes }
      const stored = storedItem(whole, settings.format.encode(whole))
      await this.#items.withFile(file, () =>
        queue.write('setStream', item.key, (index, now) => {
          const row = newRow(stored, now, undefined)
          this.#items.writer.putRow(index, { ...row, bytes: row.bytes + bytes, file, streamed: true }, now)
        }),
      )
      return bytes
    })
  }

  /**
   * The value as a stream; `undefined` when there is none. Also of a value that was set whole, where it is bytes or text;
   * rejects with `UNSUPPORTED` for any other. Damage found on the way destroys the stream with `DAMAGED`.
   */
  async get(key: string): Promise<Readable | undefined> {
    const found = await this.#store.queue.read('getStream', key, (index, now) => {
      const row = index.get(keyText(key))
      return row === undefined || isExpired(row, now) ? undefined : row
    })
    if (found === undefined) return undefined
    if (found.streamed === 0 || found.file === null) return this.#ofWhole(key)
    const item = this.#items.reader.inline(key, found)
    if (item === undefined) return undefined
    const file = await this.#store.values.open(found.file)
    if (file === undefined) return this.#replaced(key, found.file)
    this.#store.noteRead(found.id, this.#store.now())
    return closingStream(readChunks(this.#store, item, file), file)
  }

  /** The value was replaced since its row was read, or its file is lost. */
  async #replaced(key: string, file: string): Promise<Readable | undefined> {
    const again = await this.#store.queue.read('getStream', key, (index) => index.get(keyText(key)))
    if (again === undefined) return undefined
    if (again.file !== file) return this.get(key)
    this.#items.reader.report(damaged(key, 'its value file is gone'))
    return undefined
  }

  async #ofWhole(key: string): Promise<Readable | undefined> {
    const item = await this.#items.get(key)
    if (item === undefined || item.value === undefined) return undefined
    const { value } = item
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
      throw new CacheError('UNSUPPORTED', 'getStream: the value is neither bytes nor text', {
        backend: 'file',
        operation: 'getStream',
        key,
      })
    }
    return Readable.from([typeof value === 'string' ? Buffer.from(value) : value], { objectMode: false })
  }
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
  // A generator that nobody began to read never comes to its `finally`.
  return stream.once('close', () => close().catch(() => undefined))
}
