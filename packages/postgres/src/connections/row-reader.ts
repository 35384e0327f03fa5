import { EventEmitter } from 'node:events'

/** A row as its message came: a number of columns, then the length and the bytes of each. Valid until the next message. */
export class RawRow {
  readonly name: string = 'dataRow'
  #bytes: Buffer = nothing
  #offset = 0
  #end = 0

  /** Where the number of columns stands, and where the message ends. */
  point(bytes: Buffer, offset: number, end: number): this {
    this.#bytes = bytes
    this.#offset = offset
    this.#end = end
    return this
  }

  /** All columns as texts: what the queries of `pg` read. */
  get fields(): (string | null)[] {
    return this.read(-1) as (string | null)[]
  }

  /** The columns as texts, but the one at `bytesColumn` as bytes, which are a view of what was received. */
  read(bytesColumn: number): (string | Buffer | null)[] {
    const bytes = this.#bytes
    const end = this.#end
    let at = this.#offset + 2
    if (at > end) throw unreadable()
    const count = bytes.readUInt16BE(this.#offset)
    const columns: (string | Buffer | null)[] = new Array(count)
    for (let column = 0; column < count; column++) {
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

/** What is needed of a socket. */
export interface RowStream extends EventEmitter {
  destroy?(error: Error): void
}

/** What is needed of a `Connection` of `pg`. */
export interface RowConnection {
  attachListeners?: ((stream: RowStream) => void) | undefined
  emit(event: string, message: unknown): boolean
}

const nothing = Buffer.alloc(0)
/** The code of a message and its length, which counts itself but not the code. */
const headerBytes = 5
const dataRow = 0x44
/** The server makes no message of more (`MaxAllocSize` in PostgreSQL's memutils.h). */
const mostBytes = 0x4000_0000
/** Of a message that has not come, so much is believed; beyond it memory is taken as it comes. */
const believedBytes = 4 * 1024 * 1024

/**
 * Makes a connection of `pg` hand over its rows as `RawRow`. Its own parser makes a text of every column, which ruins
 * bytes; so they would have to travel in hexadecimal, made by the server, twice as long, and read back here. Every other
 * message goes on to that parser as it came. Call it before the connection is opened.
 *
 * Returns false, and changes nothing, where `pg` is not built as it is known here.
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
        // Thrown out of a socket's event it would end the process. What follows on this connection means nothing any more.
        stream.destroy?.(unreadable(error))
      }
    })
    stream.on('end', () => others.emit('end'))
  }
  return true
}

/** Cuts what arrives into messages, however it is cut itself. */
export class MessageSplitter {
  readonly #onRow: (row: RawRow) => void
  readonly #onOthers: (messages: Buffer) => void
  readonly #row = new RawRow()
  /** The beginning of a message, with room for the rest of it where its length is known. */
  #begun: Buffer = nothing
  #filled = 0
  #whole = 0

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
    const missing = this.#whole - this.#filled
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
    /** Where the messages begin that are not rows and have not been handed over. */
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

  /** Keeps what has come of a message. A long one is then filled in place, however many pieces it comes in. */
  #begin(start: Buffer): void {
    this.#whole = start.length >= headerBytes ? 1 + lengthAt(start, 0) : headerBytes
    this.#begun = Buffer.allocUnsafe(Math.min(this.#whole, Math.max(start.length, believedBytes)))
    start.copy(this.#begun)
    this.#filled = start.length
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.min(this.#whole, Math.max(needed, 2 * this.#begun.length)))
    this.#begun.copy(grown, 0, 0, this.#filled)
    this.#begun = grown
  }
}

/** The length of the message at `at`. Throws where it cannot be that of one, such as in the answer of another kind of server. */
function lengthAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at + 1)
  if (length < 4 || length > mostBytes) throw unreadable()
  return length
}

function unreadable(cause?: unknown): Error {
  const error = new Error('What came over the connection is not what a PostgreSQL server sends', { cause })
  return Object.assign(error, { code: 'EPROTO' })
}
