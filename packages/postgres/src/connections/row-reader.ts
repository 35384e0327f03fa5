import { EventEmitter } from 'node:events'

/** The message of a row: the number of columns, then the length and the bytes of each. Valid until the next message. */
export class RawRow {
  readonly name: string = 'dataRow'
  #bytes: Buffer = nothing
  #offset = 0
  #end = 0

  /** Reads from the message whose number of columns stands at `offset`, and which ends at `end`. */
  point(bytes: Buffer, offset: number, end: number): this {
    this.#bytes = bytes
    this.#offset = offset
    this.#end = end
    return this
  }

  /** All columns as texts, for the queries of `pg`. */
  get fields(): (string | null)[] {
    return this.read(-1) as (string | null)[]
  }

  /** The columns as texts, except the one at `bytesColumn`: its bytes are a view of the received data. */
  read(bytesColumn: number): (string | Buffer | null)[] {
    const bytes = this.#bytes
    const end = this.#end
    let at = this.#offset + 2
    if (at > end) throw unreadable()
    const count = bytes.readUInt16BE(this.#offset)
    const columns: (string | Buffer | null)[] = new Array(count)
    for (let column = 0; column < count; column += 1) {
      if (at + 4 > end) throw unreadable()
      const length = bytes.readInt32BE(at)
      at += 4
      if (at + length > end) throw unreadable()
      if (length < 0) {
        columns[column] = null
        continue
      }
      columns[column] =
        column === bytesColumn ? bytes.subarray(at, at + length) : bytes.toString('utf8', at, at + length)
      at += length
    }
    return columns
  }
}

/** The parts of a socket that are used here. */
export interface RowStream extends EventEmitter {
  destroy?(error: Error): void
}

/** The parts of a `Connection` of `pg` that are used here. */
export interface RowConnection {
  attachListeners?: ((stream: RowStream) => void) | undefined
  emit(event: string, message: unknown): boolean
}

const nothing = Buffer.alloc(0)
/** The code of a message and its length field; the length includes the field but not the code. */
const headerBytes = 5
const dataRow = 0x44
/** The largest message that a server sends (`MaxAllocSize` in PostgreSQL's memutils.h). */
const largestMessage = 0x4000_0000
/** Memory is reserved for at most this many bytes of a message that has not arrived; beyond it, as the bytes arrive. */
const largestReserve = 4 * 1024 * 1024

/**
 * Makes a connection of `pg` emit its rows as `RawRow`. The parser of `pg` decodes every column as text, which destroys
 * bytes; they would have to travel as hexadecimal text of twice the length. All other messages go to that parser
 * unchanged. Call it before the connection is opened.
 *
 * Returns false, and changes nothing, where the connection is not built as expected here.
 */
export function readRawRows(connection: RowConnection): boolean {
  const attach = connection.attachListeners
  if (typeof attach !== 'function') return false
  connection.attachListeners = (stream) => {
    const others = new EventEmitter()
    attach.call(connection, others)
    const splitter = new MessageSplitter(
      (row) => connection.emit('dataRow', row),
      (messages) => others.emit('data', messages),
    )
    stream.on('data', (chunk: Buffer) => {
      try {
        splitter.take(chunk)
      } catch (error) {
        // An error thrown in a socket's event would end the process. The rest of this connection's data cannot be read.
        stream.destroy?.(unreadable(error))
      }
    })
    stream.on('end', () => others.emit('end'))
  }
  return true
}

/** Splits the received data into messages, wherever the chunks are cut. */
export class MessageSplitter {
  readonly #onRow: (row: RawRow) => void
  readonly #onOthers: (messages: Buffer) => void
  readonly #row = new RawRow()
  /** The beginning of a message, with space for the rest of it where its length is known. */
  #begun: Buffer = nothing
  #filled = 0
  #length = 0

  constructor(onRow: (row: RawRow) => void, onOthers: (messages: Buffer) => void) {
    this.#onRow = onRow
    this.#onOthers = onOthers
  }

  take(chunk: Buffer): void {
    if (this.#filled === 0) this.#split(chunk)
    else this.#continue(chunk)
  }

  #continue(chunk: Buffer): void {
    if (this.#filled < headerBytes) {
      const whole = Buffer.concat([this.#begun.subarray(0, this.#filled), chunk])
      this.#filled = 0
      this.#split(whole)
      return
    }
    const missing = this.#length - this.#filled
    const filled = this.#filled + Math.min(chunk.length, missing)
    if (filled > this.#begun.length) this.#grow(filled)
    chunk.copy(this.#begun, this.#filled, 0, missing)
    this.#filled = filled
    if (chunk.length < missing) return
    const message = this.#begun.subarray(0, filled)
    this.#begun = nothing
    this.#filled = 0
    this.#split(message)
    if (chunk.length > missing) this.#split(chunk.subarray(missing))
  }

  #split(bytes: Buffer): void {
    const end = bytes.length
    let at = 0
    /** The beginning of the other messages that have not been passed on. */
    let from = 0
    while (at + headerBytes <= end) {
      const next = at + 1 + lengthAt(bytes, at)
      if (next > end) break
      if (bytes[at] === dataRow) {
        if (at > from) this.#onOthers(bytes.subarray(from, at))
        this.#onRow(this.#row.point(bytes, at + headerBytes, next))
        from = next
      }
      at = next
    }
    if (at > from) this.#onOthers(from === 0 && at === end ? bytes : bytes.subarray(from, at))
    if (at < end) this.#begin(bytes.subarray(at))
  }

  /** Keeps the beginning of a message. The rest is then copied behind it, however many chunks it comes in. */
  #begin(start: Buffer): void {
    this.#length = start.length >= headerBytes ? 1 + lengthAt(start, 0) : headerBytes
    this.#begun = Buffer.allocUnsafe(Math.min(this.#length, Math.max(start.length, largestReserve)))
    start.copy(this.#begun)
    this.#filled = start.length
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.min(this.#length, Math.max(needed, 2 * this.#begun.length)))
    this.#begun.copy(grown, 0, 0, this.#filled)
    this.#begun = grown
  }
}

/**
 * The length of the message at `at`. Throws where no message can have it, such as in the reply of another kind of
 * server.
 */
function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at + 1)
  if (length < 4 || length > largestMessage) throw unreadable()
  return length
}

function unreadable(cause?: unknown): Error {
  const error = new Error('The data from the server does not follow the PostgreSQL protocol', { cause })
  return Object.assign(error, { code: 'EPROTO' })
}
